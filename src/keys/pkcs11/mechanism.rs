//! What a token is asked to do for an algorithm: its mechanism, what it is given, and what it answers.
//!
//! Digests are made here, except those of MACs and Ed25519, whose keys hash themselves: a device is
//! then given a few bytes, and most take no more.

use aws_lc_rs::digest;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::types::Ulong;
use k256::ecdsa::Signature as Numbers;

use crate::keys::{Algorithm, Content, SignError, Signature};

/// What is asked for one of the algorithms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) algorithm: Algorithm,
    gives: Gives,
    pub(super) mechanism: fn() -> Mechanism<'static>,
}

/// What a token is given.
#[derive(Clone, Copy, Debug)]
enum Gives {
    /// The digest of SHA-256.
    Digest,
    /// The message.
    Message,
    /// The DER of a `DigestInfo` (RFC 8017, section 9.2): this head and the digest.
    DigestInfo(&'static digest::Algorithm, &'static [u8]),
    /// A digest that is then padded.
    Padded(&'static digest::Algorithm),
}

/// Every algorithm that tokens have; a key that fits several is one of the first.
#[rustfmt::skip]
const ASKED: &[Asked] = &[
    asked(Algorithm::ECDSA_P256, Gives::Digest, || Mechanism::Ecdsa),
    asked(Algorithm::ECDSA_SECP256K1, Gives::Digest, || Mechanism::Ecdsa),
    asked(Algorithm::ED25519, Gives::Message, || {
        Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure))
    }),
    asked(Algorithm::RSA_PKCS1_SHA256, Gives::DigestInfo(&digest::SHA256, SHA256_HEAD), || Mechanism::RsaPkcs),
    asked(Algorithm::RSA_PKCS1_SHA512, Gives::DigestInfo(&digest::SHA512, SHA512_HEAD), || Mechanism::RsaPkcs),
    asked(Algorithm::RSA_PSS_SHA256, Gives::Padded(&digest::SHA256), || {
        pss(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32)
    }),
    asked(Algorithm::RSA_PSS_SHA512, Gives::Padded(&digest::SHA512), || {
        pss(MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64)
    }),
    asked(Algorithm::HMAC_SHA256, Gives::Message, || Mechanism::Sha256Hmac),
    asked(Algorithm::HMAC_SHA1, Gives::Message, || Mechanism::Sha1Hmac),
    asked(Algorithm::HMAC_SHA384, Gives::Message, || Mechanism::Sha384Hmac),
    asked(Algorithm::HMAC_SHA512, Gives::Message, || Mechanism::Sha512Hmac),
];

const fn asked(algorithm: Algorithm, gives: Gives, mechanism: fn() -> Mechanism<'static>) -> Asked {
    Asked { algorithm, gives, mechanism }
}

fn pss(hash_alg: MechanismType, mgf: PkcsMgfType, salt: u8) -> Mechanism<'static> {
    Mechanism::RsaPkcsPss(PkcsPssParams { hash_alg, mgf, s_len: Ulong::new(salt.into()) })
}

impl Asked {
    /// The row of an algorithm.
    pub(super) fn of(algorithm: Algorithm) -> Option<&'static Self> {
        ASKED.iter().find(|asked| asked.algorithm == algorithm)
    }

    /// What the token is given of a content.
    ///
    /// # Errors
    ///
    /// Where the algorithm signs no such content.
    pub(super) fn input(&self, content: Content<'_>) -> Result<Vec<u8>, SignError> {
        let hash = match self.gives {
            Gives::Message => {
                let Content::Message(message) = content else { return Err(MESSAGES) };
                return Ok(message.to_vec());
            }
            Gives::Digest => &digest::SHA256,
            Gives::DigestInfo(hash, _) | Gives::Padded(hash) => hash,
        };
        let digest = match content {
            Content::Message(message) => digest::digest(hash, message).as_ref().to_vec(),
            Content::Digest { digest, .. } if hash.output_len() == 32 => digest.0.to_vec(),
            Content::Digest { .. } => return Err(OTHER_HASH),
            Content::Mac { .. } | Content::Hash { .. } => return Err(SignError::NO_MAC),
        };
        match self.gives {
            Gives::DigestInfo(_, head) => Ok([head, &digest].concat()),
            Gives::Digest | Gives::Message | Gives::Padded(_) => Ok(digest),
        }
    }

    /// The signature in what the token has answered. Tokens make either of two s; on secp256k1 it is
    /// the low one.
    pub(super) fn signature(&self, octets: Vec<u8>) -> Option<Signature> {
        if !matches!(self.gives, Gives::Digest) {
            return Some(Signature::Octets(octets));
        }
        let ([r, s], []) = octets.as_chunks::<32>() else { return None };
        if self.algorithm != Algorithm::ECDSA_SECP256K1 {
            return Some(Signature::Ecdsa { r: *r, s: *s });
        }
        let low = Numbers::from_scalars(*r, *s).ok()?.normalize_s();
        let (r, s) = low.split_bytes();
        Some(Signature::Ecdsa { r: r.into(), s: s.into() })
    }
}

const MESSAGES: SignError = SignError::Failed("the token's key signs messages, and no digests");
const OTHER_HASH: SignError = SignError::Failed("the digest is not of this key's hash");

/// `SEQUENCE { SEQUENCE { id-sha256, NULL }, OCTET STRING of 32 bytes }`, without the digest.
const SHA256_HEAD: &[u8] = &[
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// The same of SHA-512.
const SHA512_HEAD: &[u8] = &[
    0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05,
    0x00, 0x04, 0x40,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secp256k1_signatures_get_the_low_s_and_others_stay() {
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        let mut high = base16ct::lower::decode_vec(order).unwrap();
        // n - 1, whose low counterpart is 1.
        high[31] -= 1;
        let octets = [vec![7; 32], high.clone()].concat();
        let s = |algorithm| match Asked::of(algorithm).unwrap().signature(octets.clone()) {
            Some(Signature::Ecdsa { s, .. }) => s.to_vec(),
            other => panic!("{other:?}"),
        };
        let mut one = vec![0; 32];
        one[31] = 1;
        assert_eq!(s(Algorithm::ECDSA_SECP256K1), one);
        assert_eq!(s(Algorithm::ECDSA_P256), high);
        assert!(Asked::of(Algorithm::ECDSA_P256).unwrap().signature(vec![1; 63]).is_none());
    }

    #[test]
    fn a_digest_of_one_hash_is_not_signed_as_that_of_another() {
        let digest = crate::keys::Digest([7; 32]);
        let input = |algorithm| {
            let content = Content::Digest { digest: &digest, sha256_of: None };
            Asked::of(algorithm).unwrap().input(content).ok()
        };
        assert_eq!(input(Algorithm::ECDSA_P256), Some(vec![7; 32]));
        assert!(input(Algorithm::RSA_PKCS1_SHA256).is_some_and(|input| input.ends_with(&[7; 32])));
        for other in [Algorithm::RSA_PKCS1_SHA512, Algorithm::RSA_PSS_SHA512] {
            assert_eq!(input(other), None, "{other}");
        }
    }
}
