//! Keys, signatures and their verification.

use std::fmt;

use k256::elliptic_curve::bigint::U256;
use zeroize::Zeroizing;

use super::base::{self, Blinds, point_of, times_base};
use super::curve::{Extended, Point};
use super::field::Element;
use super::poseidon::{poseidon, poseidon_of, warm};
use super::scalar::{self, ORDER};

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

    /// The key that is this one's number, its bytes in reverse, modulo the group's order.
    pub(in crate::keys) fn reversed(&self) -> Option<Self> {
        let bytes = Zeroizing::new(<[u8; 32]>::from(self.scalar.to_le_bytes()));
        let number = U256::from_be_slice(&bytes[..]).rem_vartime(&ORDER);
        Self::from_integer(Zeroizing::new(number))
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
        let nonce = scalar::nonce(&self.scalar, message);
        let point = point_of(&nonce, &Blinds::draw().ok()?);
        let challenge = challenge(&point, &self.public, message);
        let s = scalar::proof(&self.scalar, &nonce, &challenge);
        Some(Proof { x: point.x, y: point.y, s })
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
        self.answers(&point, &challenge, proof)
    }

    /// The same where the challenge was made with another number of partial rounds.
    pub(in crate::keys) fn verifies_with(
        &self,
        partial: usize,
        message: Element,
        proof: &Proof,
    ) -> bool {
        let Some(point) = Point::new(proof.x, proof.y) else { return false };
        let inputs = [point.x, point.y, self.x(), self.y(), message];
        let challenge = poseidon_of(CHALLENGE_WIDTH, partial, &inputs);
        challenge.is_some_and(|hash| self.answers(&point, &hash.to_integer(), proof))
    }

    fn answers(&self, point: &Point, challenge: &U256, proof: &Proof) -> bool {
        let s = proof.s.to_integer().rem_vartime(&ORDER);
        let expected = Extended::from(point).add(&Extended::from(&self.0).times(challenge));
        times_base(&s, &Blinds::none()) == expected
    }
}

fn challenge(point: &Point, key: &PublicKey, message: Element) -> U256 {
    let inputs = [point.x, point.y, key.x(), key.y(), message];
    poseidon(CHALLENGE_WIDTH, &inputs).to_integer()
}

const CHALLENGE_WIDTH: usize = 6;
