//! Loopring's signature as one writes it down first: every bit of the multiplier a doubling and
//! perhaps an addition, Poseidon with all of its matrices, and integers without a fixed size.

use std::str::FromStr as _;

use ark_ff::{
    Field as _, Fp256, MontBackend, MontConfig, MontFp, One as _, PrimeField as _, Zero as _,
};
use countersign::keys::babyjub::{Element, poseidon_dense};
use num_bigint::BigUint;
use sha2::{Digest as _, Sha512};

#[derive(MontConfig)]
#[modulus = "21888242871839275222246405745257275088548364400416034343698204186575808495617"]
#[generator = "5"]
struct Modulus;

type Field = Fp256<MontBackend<Modulus, 4>>;

/// A private key and the coordinates of its public half.
pub(crate) struct NaiveKey {
    number: BigUint,
    public: [Element; 2],
    order: BigUint,
}

impl NaiveKey {
    /// The key that is this number.
    pub(crate) fn new(decimal: &str) -> Self {
        let number = BigUint::from_str(decimal).expect("digits");
        let order = BigUint::from_str(ORDER).expect("digits");
        let public = times_base(&number);
        Self { number, public, order }
    }

    /// The nonce's point and the proof.
    pub(crate) fn sign(&self, message: Element) -> [Element; 3] {
        let mut hash = Sha512::new();
        hash.update(padded(self.number.to_bytes_le()));
        hash.update(padded(integer(message).to_bytes_le()));
        let nonce = BigUint::from_bytes_le(&hash.finalize()) % &self.order;
        let [x, y] = times_base(&nonce);
        let [a, b] = self.public;
        let challenge = integer(poseidon_dense(6, &[x, y, a, b, message]));
        let proof = (nonce + &self.number * challenge) % (&self.order * 8_u32);
        [x, y, element(Field::from(proof))]
    }
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(32, 0);
    bytes
}

fn integer(element: Element) -> BigUint {
    BigUint::from_bytes_be(&element.to_be_bytes())
}

fn element(number: Field) -> Element {
    let bytes = BigUint::from(number.into_bigint()).to_bytes_le();
    let mut bytes = <[u8; 32]>::try_from(padded(bytes)).expect("32 bytes");
    bytes.reverse();
    Element::from_be_bytes(&bytes).expect("it is below the same prime")
}

/// x·z, y·z and z.
#[derive(Clone, Copy)]
struct Projective(Field, Field, Field);

impl Projective {
    /// "add-2008-bbjlp" of the Explicit-Formulas Database.
    fn add(self, other: Self) -> Self {
        let a = self.2 * other.2;
        let b = a.square();
        let (c, d) = (self.0 * other.0, self.1 * other.1);
        let e = D * c * d;
        let (f, g) = (b - e, b + e);
        let x = a * f * ((self.0 + self.1) * (other.0 + other.1) - c - d);
        Self(x, a * g * (d - A * c), f * g)
    }
}

fn times_base(number: &BigUint) -> [Element; 2] {
    let base = Projective(X, Y, Field::one());
    let mut sum = Projective(Field::zero(), Field::one(), Field::one());
    for index in (0..number.bits()).rev() {
        sum = sum.add(sum);
        if number.bit(index) {
            sum = sum.add(base);
        }
    }
    let inverse = sum.2.inverse().expect("no point has z = 0");
    [element(sum.0 * inverse), element(sum.1 * inverse)]
}

const A: Field = MontFp!("168700");
const D: Field = MontFp!("168696");
const X: Field =
    MontFp!("16540640123574156134436876038791482806971768689494387082833631921987005038935");
const Y: Field =
    MontFp!("20819045374670962167435360035096875258406992893633759881276124905556507972311");
const ORDER: &str = "2736030358979909402780800718157159386076813972158567259200215660948447373041";
