//! Keys, signatures and their verification.

use std::fmt;

use k256::elliptic_curve::bigint::{NonZero, U256, U512};
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::base::{self, Blinds, point_of, times_base};
use super::curve::{Extended, Point};
use super::field::Element;
use super::poseidon::{poseidon, warm};

/// A private key: a number from 1 to below the group's order. Wiped when dropped.
#[derive(Clone)]
pub struct PrivateKey {
    scalar: Zeroizing<U256>,
    public: PublicKey,
}

/// The public half: a point of the subgroup of prime order, and not its neutral one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicKey(Point);

/// A signature: the nonce's point, and the proof.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::keys) struct Proof {
    pub(in crate::keys) x: Element,
    pub(in crate::keys) y: Element,
    pub(in crate::keys) s: Element,
}

impl PrivateKey {
    /// The key that is this number, big-endian; `None` if it is zero or not below the order.
    pub(in crate::keys) fn from_be_bytes(bytes: &[u8; 32]) -> Option<Self> {
        Self::from_integer(Zeroizing::new(U256::from_be_slice(bytes)))
    }

    /// The key that is this number; `None` if it is zero or not below the order.
    pub(in crate::keys) fn from_integer(scalar: Zeroizing<U256>) -> Option<Self> {
        if *scalar == U256::ZERO || *scalar >= *ORDER {
            return None;
        }
        let blinds = Blinds::draw().expect("the system has random numbers");
        let public = PublicKey(point_of(&scalar, &blinds));
        Some(Self { scalar, public })
    }

    pub(in crate::keys) fn public_key(&self) -> PublicKey {
        self.public
    }

    /// The number, big-endian.
    pub(in crate::keys) fn to_be_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.scalar.to_be_bytes().into())
    }

    /// Makes ready whatever signing needs, so that the first signature takes as long as the next.
    pub(in crate::keys) fn warm() {
        base::warm();
        warm(CHALLENGE_WIDTH);
    }

    /// Signs. The same message gets the same signature; `None` if there were no random numbers
    /// to hide the nonce behind.
    pub(in crate::keys) fn sign(&self, message: Element) -> Option<Proof> {
        let nonce = self.nonce(message);
        let point = point_of(&nonce, &Blinds::draw().ok()?);
        let challenge = challenge(&point, &self.public, message);
        // Below 2⁵⁰⁵ and 2²⁵¹: neither the product nor the sum overflows.
        let product: U512 = self.scalar.concatenating_mul(&challenge);
        let sum = Zeroizing::new(product.wrapping_add(&U512::from(&*nonce)));
        let proof = sum.rem_vartime(&WHOLE_ORDER);
        // The curve has a few more points than the field has elements.
        let s = Element::from_be_bytes_reduced(&proof.to_be_bytes().into());
        Some(Proof { x: point.x, y: point.y, s })
    }

    /// The secret that is never used for two messages: a hash of the key and the message.
    fn nonce(&self, message: Element) -> Zeroizing<U256> {
        let mut hash = Sha512::new();
        let key = Zeroizing::new(<[u8; 32]>::from(self.scalar.to_le_bytes()));
        hash.update(key.as_slice());
        hash.update(message.to_integer().to_le_bytes());
        let hash = Zeroizing::new(<[u8; 64]>::from(hash.finalize()));
        let wide = Zeroizing::new(U512::from_le_slice(&hash[..]));
        // "Variable time" in the divisor only, which is the group's order.
        Zeroizing::new(wide.rem_vartime(&ORDER))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl PublicKey {
    /// The key with these coordinates, if it is one.
    pub fn from_coordinates(x: Element, y: Element) -> Option<Self> {
        let point = Point::new(x, y)?;
        let extended = Extended::from(&point);
        let neutral = Extended::neutral(Element::from(1).0);
        (extended != neutral && extended.times(&ORDER) == neutral).then_some(Self(point))
    }

    /// The first coordinate.
    pub fn x(&self) -> Element {
        self.0.x
    }

    /// The second coordinate.
    pub fn y(&self) -> Element {
        self.0.y
    }

    /// x and y, 32 bytes each, big-endian: what the key's fingerprint is of.
    pub(in crate::keys) fn to_bytes(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.x().to_be_bytes());
        bytes[32..].copy_from_slice(&self.y().to_be_bytes());
        bytes
    }

    /// Whether `proof` is this key's over `message`. S is accepted modulo the group's order, as
    /// the provider's clients differ there. Not in constant time: nothing here is secret.
    pub(in crate::keys) fn verifies(&self, message: Element, proof: &Proof) -> bool {
        let Some(point) = Point::new(proof.x, proof.y) else { return false };
        let challenge = challenge(&point, self, message);
        let s = proof.s.to_integer().rem_vartime(&ORDER);
        let expected = Extended::from(&point).add(&Extended::from(&self.0).times(&challenge));
        times_base(&s, &Blinds::none()) == expected
    }
}

fn challenge(point: &Point, key: &PublicKey, message: Element) -> U256 {
    let inputs = [point.x, point.y, key.x(), key.y(), message];
    poseidon(CHALLENGE_WIDTH, &inputs).to_integer()
}

/// The order of the generator.
const ORDER: NonZero<U256> = NonZero::<U256>::new_unwrap(U256::from_be_hex(
    "060c89ce5c263405370a08b6d0302b0bab3eedb83920ee0a677297dc392126f1",
));
/// The number of points of the curve: eight times that.
const WHOLE_ORDER: NonZero<U256> = NonZero::<U256>::new_unwrap(U256::from_be_hex(
    "30644e72e131a029b85045b68181585d59f76dc1c90770533b94bee1c9093788",
));
const CHALLENGE_WIDTH: usize = 6;
