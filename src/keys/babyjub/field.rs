//! The field that coordinates, messages and hashes are elements of.

use std::fmt;

use ark_ff::{BigInt, BigInteger as _, Fp256, MontBackend, MontConfig, PrimeField as _};
use k256::elliptic_curve::bigint::U256;

/// The field's parameters: the prime, and a generator of its multiplicative group.
#[derive(MontConfig)]
#[modulus = "21888242871839275222246405745257275088548364400416034343698204186575808495617"]
#[generator = "5"]
pub(super) struct Modulus;

/// A number below the prime, in Montgomery form.
pub(super) type Field = Fp256<MontBackend<Modulus, 4>>;

/// An element of the prime field in which Baby Jubjub and Poseidon live: a number below
/// 21888242871839275222246405745257275088548364400416034343698204186575808495617, the order of
/// BN254's group. Never secret here: coordinates of points that are sent, messages, hashes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Element(pub(super) Field);

impl Element {
    /// Reads 32 bytes, big-endian; `None` for a number that is not below the prime.
    pub fn from_be_bytes(bytes: &[u8; 32]) -> Option<Self> {
        Field::from_bigint(BigInt(limbs(bytes))).map(Self)
    }

    /// Reads 32 bytes, big-endian, modulo the prime.
    pub fn from_be_bytes_reduced(bytes: &[u8; 32]) -> Self {
        let mut number = BigInt(limbs(bytes));
        loop {
            // Five times at most: the prime has 254 bits.
            if let Some(element) = Field::from_bigint(number) {
                return Self(element);
            }
            number.sub_with_borrow(&Field::MODULUS);
        }
    }

    /// Reads ASCII digits; `None` for a number that is not below the prime, and for anything
    /// else than digits: signs, spaces, separators, nothing at all.
    pub fn from_decimal(text: &str) -> Option<Self> {
        Self::from_integer(&decimal(text)?)
    }

    /// The number, in 32 bytes, big-endian.
    pub fn to_be_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let limbs = self.0.into_bigint().0;
        for (limb, chunk) in limbs.iter().rev().zip(bytes.chunks_exact_mut(8)) {
            chunk.copy_from_slice(&limb.to_be_bytes());
        }
        bytes
    }

    /// The number in decimal, without leading zeros.
    pub fn to_decimal(self) -> String {
        self.0.into_bigint().to_string()
    }

    /// The number in hex: `0x` and 64 lower-case digits.
    pub fn to_hex(self) -> String {
        format!("0x{}", base16ct::lower::encode_string(&self.to_be_bytes()))
    }

    /// The number as an integer, for arithmetic in another modulus.
    pub(super) fn to_integer(self) -> U256 {
        U256::from_be_slice(&self.to_be_bytes())
    }

    /// The element that is this integer, if one is.
    pub(super) fn from_integer(integer: &U256) -> Option<Self> {
        Self::from_be_bytes(&integer.to_be_bytes().into())
    }
}

impl From<u64> for Element {
    fn from(number: u64) -> Self {
        Self(Field::from(number))
    }
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Element({})", self.to_decimal())
    }
}

/// ASCII digits as an integer of 256 bits; `None` if it is longer, or there is something else.
pub(super) fn decimal(text: &str) -> Option<U256> {
    // The library alone would take a sign and underscores.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| U256::from_str_radix_vartime(text, 10).ok()).flatten()
}

/// Four words, the least significant first.
fn limbs(bytes: &[u8; 32]) -> [u64; 4] {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().rev().zip(bytes.as_chunks::<8>().0) {
        *limb = u64::from_be_bytes(*chunk);
    }
    limbs
}
