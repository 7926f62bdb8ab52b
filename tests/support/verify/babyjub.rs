//! Loopring's signature, by the formulas: affine points, double and add, a dense matrix, big
//! integers throughout. Slow, and nothing in it is secret.

use blake2::Blake2b;
use blake2::digest::Digest;
use blake2::digest::consts::U32;
use num_bigint::BigUint;

/// A point of the curve.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: BigUint,
    pub(crate) y: BigUint,
}

/// A signature as it is on the wire.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Signed {
    r: Point,
    s: BigUint,
}

impl Signed {
    /// Rx, Ry and S in base 10.
    pub(crate) fn from_decimals(parts: &[&str]) -> Result<Self, String> {
        let [x, y, s] = parts else { return Err(format!("{} numbers", parts.len())) };
        if parts.iter().any(|part| part.len() > 1 && part.starts_with('0')) {
            return Err("a number begins with zero".into());
        }
        Ok(Self { r: Point { x: number(x)?, y: number(y)? }, s: number(s)? })
    }

    /// `0x` and three times 64 digits.
    pub(crate) fn from_hex(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 192);
        let digits = digits.ok_or("the signature has no 194 characters")?;
        if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err("the signature is in upper case".into());
        }
        let (x, y, s) = (&digits[..64], &digits[64..128], &digits[128..]);
        Ok(Self { r: Point { x: hex(x)?, y: hex(y)? }, s: hex(s)? })
    }
}

/// Whether S*B = R + t*A.
pub(crate) fn verify(key: &Point, message: &BigUint, signature: &Signed) -> Result<(), String> {
    let Signed { r, s } = signature;
    if !on_curve::holds(key) || !on_curve::holds(r) {
        return Err("a point is not on the curve".into());
    }
    let hashed = [&r.x, &r.y, &key.x, &key.y, message].map(Clone::clone);
    let challenge = poseidon(6, 52, &hashed);
    if multiply(&base(), s) != add(r, &multiply(key, &challenge)) {
        return Err("the Baby Jubjub signature is not valid".into());
    }
    Ok(())
}

/// The public key of a private one.
pub(crate) fn public_key(private: &BigUint) -> Point {
    multiply(&base(), private)
}

/// Digits in base 10.
pub(crate) fn number(text: &str) -> Result<BigUint, String> {
    parse(text, 10)
}

/// Digits in base 16, without a prefix.
pub(crate) fn hex(text: &str) -> Result<BigUint, String> {
    parse(text, 16)
}

fn parse(text: &str, radix: u32) -> Result<BigUint, String> {
    let digits = text.chars().all(|c| c.is_digit(radix));
    let number = BigUint::parse_bytes(text.as_bytes(), radix).filter(|_| digits);
    let number = number.ok_or_else(|| format!("{text:?} is no number of base {radix}"))?;
    if number >= on_curve::prime() {
        return Err(format!("{text} is not below the prime"));
    }
    Ok(number)
}

pub(crate) mod on_curve {
    use super::{BigUint, Point};

    pub(crate) fn prime() -> BigUint {
        decimal("21888242871839275222246405745257275088548364400416034343698204186575808495617")
    }

    pub(crate) fn holds(point: &Point) -> bool {
        let (p, Point { x, y }) = (prime(), point);
        let left = (A * x * x + y * y) % &p;
        let right = (BigUint::from(1_u8) + D * x * x * y * y) % &p;
        *x < p && *y < p && left == right
    }

    pub(super) fn decimal(text: &str) -> BigUint {
        text.parse().expect("it is written here")
    }

    pub(super) const A: u32 = 168_700;
    pub(super) const D: u32 = 168_696;
}

use on_curve::{A, D, decimal, prime};

fn base() -> Point {
    Point {
        x: decimal("16540640123574156134436876038791482806971768689494387082833631921987005038935"),
        y: decimal("20819045374670962167435360035096875258406992893633759881276124905556507972311"),
    }
}

fn add(one: &Point, two: &Point) -> Point {
    let p = prime();
    let all = D * &one.x * &two.x * &one.y * &two.y % &p;
    let plus = (1_u8 + &all).modinv(&p).expect("the addition is complete");
    let minus = (1_u8 + &p - &all).modinv(&p).expect("the addition is complete");
    let x = (&one.x * &two.y + &one.y * &two.x) % &p;
    // Once more p times p, so that it stays positive.
    let y = (&one.y * &two.y + &p * &p * A - A * &one.x * &two.x) % &p;
    Point { x: x * plus % &p, y: y * minus % &p }
}

fn multiply(point: &Point, by: &BigUint) -> Point {
    let mut sum = Point { x: BigUint::from(0_u8), y: BigUint::from(1_u8) };
    for bit in (0..by.bits()).rev() {
        sum = add(&sum, &sum);
        if by.bit(bit) {
            sum = add(&sum, point);
        }
    }
    sum
}

/// The hash of the provider, with 6 full rounds and so many partial ones.
pub(crate) fn poseidon(width: usize, partial: usize, inputs: &[BigUint]) -> BigUint {
    let p = prime();
    let constants = chain("poseidon_constants", 6 + partial);
    let seeds = chain("poseidon_matrix_0000", 2 * width);
    let cell = |row: usize, column: usize| {
        let difference = &p + &seeds[row] - &seeds[width + column];
        (difference % &p).modinv(&p).expect("the seeds are different")
    };
    let matrix: Vec<Vec<BigUint>> =
        (0..width).map(|row| (0..width).map(|column| cell(row, column)).collect()).collect();
    let mut state = inputs.to_vec();
    state.resize(width, BigUint::from(0_u8));
    for (round, constant) in constants.iter().enumerate() {
        for (lane, value) in state.iter_mut().enumerate() {
            *value = (&*value + constant) % &p;
            if lane == 0 || round < 3 || round >= 3 + partial {
                *value = value.pow(5) % &p;
            }
        }
        let mixed = |row: &Vec<BigUint>| {
            let products = row.iter().zip(&state).map(|(cell, value)| cell * value);
            products.sum::<BigUint>() % &p
        };
        state = matrix.iter().map(mixed).collect();
    }
    state.swap_remove(0)
}

fn chain(label: &str, count: usize) -> Vec<BigUint> {
    let mut bytes = label.as_bytes().to_vec();
    let mut next = || {
        bytes = Blake2b::<U32>::digest(&bytes).to_vec();
        BigUint::from_bytes_le(&bytes) % prime()
    };
    (0..count).map(|_| next()).collect()
}
