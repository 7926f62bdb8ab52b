//! What else a key may have been given of the right text: other hashes, one more, none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use sha3::{Keccak256, Sha3_256};

use super::causes::keyed as causes;
use super::types::{Cause, Hypothesis, Known, Test};
use crate::keys::{Digest, Hashing};

/// What else ECDSA with SHA-256 may have signed of a text.
pub(in crate::scheme) fn ecdsa_digests(text: &[u8]) -> Vec<Hypothesis> {
    let once: [u8; 32] = Sha256::digest(text).into();
    let hex = base16ct::lower::encode_string(&once);
    let sha256 = |bytes: &[u8]| -> Vec<u8> { Sha256::digest(bytes).to_vec() };
    let reversed: Vec<u8> = once.iter().rev().copied().collect();
    let rows: Vec<(&'static Known, &str, Vec<u8>)> = vec![
        (&causes::HASH_TWICE, "SHA-256 was applied twice", sha256(&once)),
        (&causes::HASH_HEX, "the hex of the SHA-256 was hashed once more", sha256(hex.as_bytes())),
        (
            &causes::HASH_HEX,
            "the hex of the SHA-256, in capitals, was hashed once more",
            sha256(hex.to_uppercase().as_bytes()),
        ),
        (
            &causes::HASH_HEX,
            "the base64 of the SHA-256 was hashed once more",
            sha256(STANDARD.encode(once).as_bytes()),
        ),
        (&causes::HASH_HEX, "the hex of the SHA-256 was signed as it is", hex.clone().into()),
        (&causes::HASH_NONE, "the text was signed without being hashed", text.to_vec()),
        (&causes::HASH_REVERSED, "the SHA-256 was reversed", reversed),
        (&causes::HASH_PREFIX, "Bitcoin's message prefix was signed with it", bitcoin(text)),
        (&causes::HASH_PREFIX, "Ethereum's message prefix was signed with it", ethereum(text)),
        (
            &causes::HASH_PREFIX,
            "Ethereum's message prefix was signed with its SHA-256",
            ethereum(&once),
        ),
        (&causes::HASH_OTHER, "it was hashed with Keccak-256", Keccak256::digest(text).to_vec()),
        (&causes::HASH_OTHER, "it was hashed with SHA3-256", Sha3_256::digest(text).to_vec()),
        (&causes::HASH_OTHER, "it was hashed with SHA-512", Sha512::digest(text).to_vec()),
        (&causes::HASH_OTHER, "it was hashed with SHA-384", Sha384::digest(text).to_vec()),
        (&causes::HASH_OTHER, "it was hashed with SHA-1", Sha1::digest(text).to_vec()),
        (&causes::HASH_OTHER, "it was hashed with MD5", Md5::digest(text).to_vec()),
    ];
    let row = |(known, what, bytes): (&'static Known, &str, Vec<u8>)| {
        let cause = Cause::seen(known)
            .said(format!("{}: {what}", known.cause))
            .proof(format!("the signature holds over the right text, {}", shown(what)));
        let test =
            Test::Text { text: text.to_vec(), hashing: Hashing::Own(Digest(leftmost(&bytes))) };
        Hypothesis { cause, test }
    };
    rows.into_iter().map(row).collect()
}

fn shown(what: &str) -> String {
    what.strip_prefix("it was ").map_or_else(|| format!("where {what}"), str::to_owned)
}

/// The leftmost 256 bits, as ECDSA takes them; shorter ones as a number (FIPS 186-5, section 6.4).
fn leftmost(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let taken = bytes.len().min(32);
    out[32 - taken..].copy_from_slice(&bytes[..taken]);
    out
}

fn bitcoin(text: &[u8]) -> Vec<u8> {
    let mut all = b"\x18Bitcoin Signed Message:\n".to_vec();
    let length = text.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 0xfd => all.push(short),
        (_, Ok(short)) => {
            all.push(0xfd);
            all.extend(short.to_le_bytes());
        }
        _ => {
            all.push(0xfe);
            all.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        }
    }
    all.extend_from_slice(text);
    Sha256::digest(Sha256::digest(all)).to_vec()
}

fn ethereum(text: &[u8]) -> Vec<u8> {
    let prefix = format!("\x19Ethereum Signed Message:\n{}", text.len());
    Keccak256::digest([prefix.as_bytes(), text].concat()).to_vec()
}
