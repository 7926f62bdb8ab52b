//! Integers that multiply points: the secrets of a signature, and what becomes of them.
//!
//! All in constant time. What the library calls variable time here depends on the divisor only,
//! and divisors are the curve's own numbers.

use k256::elliptic_curve::bigint::{NonZero, U256, U512};
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::field::Element;

/// The number that is used for this message alone: a hash of the key and the message, both
/// little-endian, as a little-endian number, modulo the generator's order.
pub(super) fn nonce(key: &U256, message: Element) -> Zeroizing<U256> {
    let key = Zeroizing::new(<[u8; 32]>::from(key.to_le_bytes()));
    let mut hash = Sha512::new();
    hash.update(key.as_slice());
    hash.update(message.to_integer().to_le_bytes());
    let hash = Zeroizing::new(<[u8; 64]>::from(hash.finalize()));
    let wide = Zeroizing::new(U512::from_le_slice(hash.as_slice()));
    Zeroizing::new(wide.rem_vartime(&ORDER))
}

/// The nonce plus the key times the challenge, modulo the order of the whole curve, modulo the
/// field's prime.
pub(super) fn proof(key: &U256, nonce: &U256, challenge: &U256) -> Element {
    // Below 2⁵⁰⁵ and 2²⁵¹: neither the product nor the sum overflows.
    let product: Zeroizing<U512> = Zeroizing::new(key.concatenating_mul(challenge));
    let sum = Zeroizing::new(product.wrapping_add(&U512::from(nonce)));
    // The proof is public, so that it may take longer where it is above the prime.
    Element::from_be_bytes_reduced(&sum.rem_vartime(&CURVE_ORDER).to_be_bytes().into())
}

/// The order of the generator.
pub(super) const ORDER: NonZero<U256> = NonZero::<U256>::new_unwrap(U256::from_be_hex(
    "060c89ce5c263405370a08b6d0302b0bab3eedb83920ee0a677297dc392126f1",
));

/// The number of points of the curve: eight times that, and a little above the field's prime.
const CURVE_ORDER: NonZero<U256> = NonZero::<U256>::new_unwrap(U256::from_be_hex(
    "30644e72e131a029b85045b68181585d59f76dc1c90770533b94bee1c9093788",
));
