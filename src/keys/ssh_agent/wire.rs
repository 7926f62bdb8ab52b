//! The agent's protocol (draft-ietf-sshm-ssh-agent): messages with a length before them, made of
//! strings with a length before them. Three requests of it are needed here: the list of keys, a
//! signature, and nothing else.

use crate::keys::key::Encoded;
use crate::keys::{Algorithm, PublicKey, Signature};

/// `SSH_AGENTC_REQUEST_IDENTITIES`.
pub(super) const LIST: &[u8] = &[11];
/// `SSH_AGENT_IDENTITIES_ANSWER`.
const LISTED: u8 = 12;
/// `SSH_AGENTC_SIGN_REQUEST`.
const SIGN: u8 = 13;
/// `SSH_AGENT_SIGN_RESPONSE`.
const SIGNED: u8 = 14;

/// How an algorithm is called by agents: the type of its keys, that of its signatures, and the flag
/// that asks for these.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) algorithm: Algorithm,
    key: &'static [u8],
    signature: &'static [u8],
    flags: u32,
}

/// What agents sign with that is of use here: RFC 8332 for RSA, RFC 5656, RFC 8709.
pub(super) const KINDS: [Kind; 4] = [
    kind(Algorithm::ED25519, b"ssh-ed25519", b"ssh-ed25519", 0),
    kind(Algorithm::ECDSA_P256, b"ecdsa-sha2-nistp256", b"ecdsa-sha2-nistp256", 0),
    kind(Algorithm::RSA_PKCS1_SHA256, b"ssh-rsa", b"rsa-sha2-256", 2),
    kind(Algorithm::RSA_PKCS1_SHA512, b"ssh-rsa", b"rsa-sha2-512", 4),
];

const fn kind(
    algorithm: Algorithm,
    key: &'static [u8],
    signature: &'static [u8],
    flags: u32,
) -> Kind {
    Kind { algorithm, key, signature, flags }
}

/// A key as an agent lists it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// What names it in requests.
    pub(super) blob: Vec<u8>,
    pub(super) comment: String,
}

/// The keys of an answer to [`LIST`].
pub(super) fn listed(answer: &[u8]) -> Option<Vec<Listed>> {
    let mut rest = answer.strip_prefix(&[LISTED])?;
    let count = number(&mut rest)?;
    let mut keys = Vec::new();
    for _ in 0..count {
        let blob = string(&mut rest)?.to_vec();
        let comment = String::from_utf8_lossy(string(&mut rest)?).into_owned();
        keys.push(Listed { blob, comment });
    }
    Some(keys)
}

impl Kind {
    /// The key in a blob, if it is of this kind.
    pub(super) fn public_key(&self, blob: &[u8]) -> Option<PublicKey> {
        let mut rest = blob;
        if string(&mut rest)? != self.key {
            return None;
        }
        let first = string(&mut rest)?;
        if self.algorithm == Algorithm::ED25519 {
            return PublicKey::from_point(self.algorithm, first);
        }
        let second = string(&mut rest)?;
        if self.algorithm == Algorithm::ECDSA_P256 {
            // The first is the curve's name.
            return PublicKey::from_point(self.algorithm, second);
        }
        let der = tagged(0x30, &[tagged(0x02, second), tagged(0x02, first)].concat());
        self.algorithm.0.read_public(Encoded::Pkcs1(&der))
    }

    /// The request for a signature over a message.
    pub(super) fn request(&self, blob: &[u8], message: &[u8]) -> Vec<u8> {
        let mut request = vec![SIGN];
        for part in [blob, message] {
            let length = u32::try_from(part.len()).expect("a message's length was checked");
            request.extend_from_slice(&length.to_be_bytes());
            request.extend_from_slice(part);
        }
        request.extend_from_slice(&self.flags.to_be_bytes());
        request
    }

    /// The signature in an answer; nothing where the agent has refused, or made another one.
    pub(super) fn signature(&self, answer: &[u8], public: &PublicKey) -> Option<Signature> {
        let mut rest = answer.strip_prefix(&[SIGNED])?;
        let mut whole = string(&mut rest)?;
        if string(&mut whole)? != self.signature {
            return None;
        }
        let octets = string(&mut whole)?;
        if self.algorithm != Algorithm::ECDSA_P256 {
            // As long as the modulus, also where a writer has left zeros out.
            let length = public.bits().map_or(octets.len(), |bits| bits.div_ceil(8));
            let zeros = vec![0; length.saturating_sub(octets.len())];
            return Some(Signature::Octets([&zeros, octets].concat()));
        }
        let mut numbers = octets;
        let (r, s) = (scalar(string(&mut numbers)?)?, scalar(string(&mut numbers)?)?);
        Some(Signature::Ecdsa { r, s })
    }
}

/// A number that stands before a string or a list.
fn number(rest: &mut &[u8]) -> Option<usize> {
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    usize::try_from(u32::from_be_bytes(*number)).ok()
}

/// A string, taken from the front.
fn string<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = number(rest)?;
    let (string, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(string)
}

/// A number of at most 256 bits (RFC 4251, section 5: `mpint`).
fn scalar(mpint: &[u8]) -> Option<[u8; 32]> {
    let number = mpint.strip_prefix(&[0]).unwrap_or(mpint);
    let mut scalar = [0; 32];
    let at = scalar.len().checked_sub(number.len())?;
    scalar[at..].copy_from_slice(number);
    Some(scalar)
}

/// A value of DER. An `INTEGER` that is positive has the bytes of an `mpint`.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut der = vec![tag];
    if content.len() >= 0x80 {
        der.push(0x80 | u8::try_from(length.len()).expect("eight bytes at most"));
    }
    der.extend_from_slice(if content.is_empty() { &[0] } else { length });
    der.extend_from_slice(content);
    der
}
