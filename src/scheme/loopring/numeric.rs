//! What else than a text can be wrong with a signature over Baby Jubjub: how the hash becomes a number,
//! the order of the signature's numbers, the rounds of its Poseidon.

use num_bigint::BigUint;
use sha2::{Digest as _, Sha256};

use crate::keys::babyjub::Element;
use crate::keys::{Digest, Hashing, PublicKey, Signature};
use crate::scheme::evidence::causes::keyed as causes;
use crate::scheme::evidence::{Cause, Hypothesis, Test};

/// What a verification costs, in microseconds.
const COST: u32 = 500;

/// How a text's hash is signed.
pub(super) fn hashing(text: &[u8]) -> Hashing {
    let hash: [u8; 32] = Sha256::digest(text).into();
    Hashing::Own(Digest(Element::from_be_bytes_reduced(&hash).to_be_bytes()))
}

/// Other numbers that a text's hash may have become.
pub(super) fn numbers(text: &[u8]) -> Vec<Hypothesis> {
    let hash: [u8; 32] = Sha256::digest(text).into();
    let hex = base16ct::lower::encode_string(&hash);
    let number = BigUint::from_bytes_be(&hash);
    let order = BigUint::parse_bytes(ORDER.as_bytes(), 10).unwrap_or_default();
    let mut little = hash;
    little.reverse();
    let twice: [u8; 32] = Sha256::digest(hash).into();
    let of_hex: [u8; 32] = Sha256::digest(hex.as_bytes()).into();
    let rows: Vec<(&'static _, &str, [u8; 32])> = vec![
        (
            &causes::REDUCED,
            "the hash was reduced modulo the order of the group, and the field's prime is wanted",
            padded(&(&number % &order)),
        ),
        (
            &causes::HASH_REVERSED,
            "the hash was read little-endian, and big-endian is wanted",
            little,
        ),
        (&causes::HASH_TWICE, "the text was hashed twice", twice),
        (&causes::HASH_HEX, "the hex of the hash was hashed once more", of_hex),
        (&causes::REDUCED, "the hash was cut to 31 bytes", padded(&(&number >> 8_u32))),
        (&causes::REDUCED, "the hash was shifted by three bits", padded(&(&number >> 3_u32))),
        (
            &causes::REDUCED,
            "the hash was cut to its last 248 bits",
            padded(&(&number % (BigUint::from(1_u8) << 248_u32))),
        ),
        (
            &causes::REDUCED,
            "the hash was cut to its last 253 bits",
            padded(&(&number % (BigUint::from(1_u8) << 253_u32))),
        ),
    ];
    let row = |(known, said, bytes): (&'static _, &str, [u8; 32])| {
        let hashing = Hashing::Own(Digest(Element::from_be_bytes_reduced(&bytes).to_be_bytes()));
        let cause = Cause::seen(known).said(said.to_owned());
        let cause = cause.proof("the signature holds over the right text, hashed so");
        Hypothesis { cause, test: Test::Text { text: text.to_vec(), hashing } }
    };
    rows.into_iter().map(row).collect()
}

fn padded(number: &BigUint) -> [u8; 32] {
    let bytes = number.to_bytes_be();
    let mut out = [0; 32];
    let from = 32_usize.saturating_sub(bytes.len());
    out[from..].copy_from_slice(&bytes[bytes.len().saturating_sub(32)..]);
    out
}

/// The order of the group.
const ORDER: &str = "2736030358979909402780800718157159386076813972158567259200215660948447373041";

/// The signature's numbers in other orders, and other rounds, over the digest that is wanted.
pub(super) fn variants(
    key: &PublicKey,
    signature: &Signature,
    wanted: &Hashing,
) -> Vec<Hypothesis> {
    let (Signature::BabyJub { rx, ry, s }, Some(digest)) = (signature, wanted.digest()) else {
        return Vec::new();
    };
    let orders = [
        ("Rx, S, Ry", [rx, s, ry]),
        ("Ry, Rx, S", [ry, rx, s]),
        ("S, Rx, Ry", [ry, s, rx]),
        ("Ry, S, Rx", [s, rx, ry]),
        ("S, Ry, Rx", [s, ry, rx]),
    ];
    let mut all = Vec::new();
    for (name, [x, y, proof]) in orders {
        let (key, digest) = (key.clone(), *digest);
        let other = Signature::BabyJub { rx: *x, ry: *y, s: *proof };
        let cause = Cause::seen(&causes::PARTS_ORDER)
            .said(format!("the signature's numbers stand as {name}, and Rx, Ry, S is wanted"));
        let mine = move || key.verifies(crate::keys::Content::digest(&digest), &other);
        all.push(Hypothesis { cause, test: Test::Own(COST, Box::new(mine)) });
    }
    for partial in [53, 57, 60, 51] {
        let (key, digest, signature) = (key.clone(), *digest, signature.clone());
        let cause = Cause::seen(&causes::VARIANT).said(format!(
            "the signature's own Poseidon has {partial} partial rounds, and 52 are wanted"
        ));
        let mine = move || {
            key.verifies_with_rounds(partial, crate::keys::Content::digest(&digest), &signature)
        };
        all.push(Hypothesis { cause, test: Test::Own(4 * COST, Box::new(mine)) });
    }
    all
}
