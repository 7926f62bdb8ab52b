//! The provider's own numbers, and rules that hold for all numbers.

use ark_ff::{Field as _, One as _};
use k256::elliptic_curve::bigint::U256;
use num_bigint::BigUint;
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest as _, Sha512};

use super::base::{Blinds, point_of};
use super::curve::{Extended, Point};
use super::field::Field;
use super::*;
use crate::keys::{Algorithm, Content, Digest, PublicKey as AnyPublicKey, Signature};

fn section(name: &str) -> Vec<Value> {
    let vectors = include_str!("../../../tests/vectors/loopring.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    vectors[name].as_array().unwrap().clone()
}

fn element(value: &Value) -> Element {
    Element::from_decimal(value.as_str().unwrap()).unwrap()
}

fn private_key(decimal: &Value) -> PrivateKey {
    let number = field::decimal(decimal.as_str().unwrap()).unwrap();
    PrivateKey::from_integer(number.into()).unwrap()
}

#[test]
fn hashes_are_the_providers() {
    let cases = section("poseidon");
    for case in &cases {
        let width = usize::try_from(case["t"].as_u64().unwrap()).unwrap();
        let inputs: Vec<_> = case["inputs"].as_array().unwrap().iter().map(element).collect();
        for hash in [poseidon(width, &inputs), poseidon_dense(width, &inputs)] {
            assert_eq!(hash, element(&case["hash"]), "{case}");
        }
    }
    assert_eq!(cases.len(), 20);
}

#[test]
fn constants_are_the_providers() {
    let cases = section("poseidon_constants");
    for case in &cases {
        let width = usize::try_from(case["t"].as_u64().unwrap()).unwrap();
        let poseidon::Constants { rounds, matrix, .. } = poseidon::constants(width);
        assert_eq!(rounds.len() as u64, case["C_count"].as_u64().unwrap(), "{case}");
        let (rows, last) = (&matrix.0, width - 1);
        for (name, constant) in [
            ("C_first", rounds[0]),
            ("C_second", rounds[1]),
            ("C_last", rounds[rounds.len() - 1]),
            ("M_0_0", rows[0][0]),
            ("M_0_last", rows[0][last]),
            ("M_last_0", rows[last][0]),
            ("M_last_last", rows[last][last]),
        ] {
            assert_eq!(Element(constant), element(&case[name]), "{name} of {case}");
        }
    }
    assert_eq!(cases.len(), WIDTHS.len());
}

#[test]
fn public_keys_are_the_providers() {
    let cases = section("public_keys");
    for case in &cases {
        let public = private_key(&case["private_key"]).public_key();
        assert_eq!(public.x(), element(&case["public_key_x"]), "{case}");
        assert_eq!(public.y(), element(&case["public_key_y"]), "{case}");
        assert_eq!(PublicKey::from_coordinates(public.x(), public.y()), Some(public));
    }
    assert_eq!(cases.len(), 4);
}

#[test]
fn signatures_are_the_providers() {
    let cases = section("eddsa");
    for case in &cases {
        let key = private_key(&case["private_key"]);
        let message = element(&case["message"]);
        let number = field::decimal(case["private_key"].as_str().unwrap()).unwrap();
        let nonce = scalar::nonce(&number, message);
        assert_eq!(*nonce, field::decimal(case["nonce_r"].as_str().unwrap()).unwrap(), "{case}");
        let proof = key.sign(message).unwrap();
        let hashed = [proof.x, proof.y, key.public_key().x(), key.public_key().y(), message];
        assert_eq!(poseidon(6, &hashed), element(&case["challenge_t"]), "{case}");
        assert_eq!(proof.x, element(&case["Rx"]), "{case}");
        assert_eq!(proof.y, element(&case["Ry"]), "{case}");
        assert_eq!(proof.s, element(&case["S"]), "{case}");
        let reduced = Proof { s: element(&case["S_reduced_mod_L"]), ..proof };
        for proof in [proof, reduced] {
            assert!(key.public_key().verifies(message, &proof), "{case}");
        }
    }
    assert_eq!(cases.len(), 5);
}

#[tokio::test]
async fn signers_sign_elements_and_refuse_other_digests() {
    let key = private_key(&"123456".into());
    let public = key.public_key();
    let key = crate::keys::PrivateKey::new(Algorithm::EDDSA_BABYJUB, key);
    let signer = key.signer().unwrap();
    let message = Element::from(5);
    let Signature::BabyJub { rx, ry, s } =
        signer.sign(Content::digest(&Digest(message.to_be_bytes()))).await.unwrap()
    else {
        panic!("it is the signature of another algorithm");
    };
    let number = |bytes| Element::from_be_bytes(bytes).unwrap();
    let proof = Proof { x: number(&rx), y: number(&ry), s: number(&s) };
    assert!(public.verifies(message, &proof));
    for digest in [[0xff; 32], PRIME] {
        let error = signer.sign(Content::digest(&Digest(digest))).await.unwrap_err();
        assert!(error.to_string().ends_with("is no element of the curve's field"), "{error}");
    }
}

#[test]
fn public_keys_are_written_as_their_coordinates() {
    let public = private_key(&"123456".into()).public_key();
    let bytes = [public.x().to_be_bytes(), public.y().to_be_bytes()].concat();
    let read = |bytes: &[u8]| AnyPublicKey::from_point(Algorithm::EDDSA_BABYJUB, bytes);
    let key = read(&bytes).unwrap();
    assert_eq!(key, AnyPublicKey::new(Algorithm::EDDSA_BABYJUB, public));
    assert_eq!((key.spki(), AnyPublicKey::from_spki(&bytes)), (bytes.clone(), None));
    let swapped = [&bytes[32..], &bytes[..32]].concat();
    let longer = [&bytes[..], &[0]].concat();
    for other in [&bytes[..63], &longer, &swapped, &bytes.repeat(2), &[0xff; 64], &[]] {
        assert_eq!(read(other), None, "{} bytes", other.len());
    }
}

#[test]
fn points_that_are_no_keys_are_refused() {
    let (zero, one) = (Element::from(0), Element::from(1));
    let minus_one = Element(-Field::one());
    let base = Extended::from(&Point::BASE);
    let twofold = Point::new(zero, minus_one).unwrap();
    let outside = base.add(&Extended::from(&twofold)).to_point(Field::one());
    for (what, x, y) in [
        ("not on the curve", one, one),
        ("neutral", zero, one),
        ("of order two", zero, minus_one),
        ("of twice the order", outside.x, outside.y),
    ] {
        assert_eq!(PublicKey::from_coordinates(x, y), None, "{what}");
    }
    assert!(Point::new(outside.x, outside.y).is_some(), "it is on the curve");
    assert!(PublicKey::from_coordinates(Point::BASE.x, Point::BASE.y).is_some());
}

#[test]
fn only_keys_below_the_order_are_keys() {
    let order = U256::from_be_slice(&to_32(big(ORDER)));
    for (number, good) in [
        (U256::ZERO, false),
        (U256::ONE, true),
        (order.wrapping_sub(&U256::ONE), true),
        (order, false),
        (U256::from_be_slice(&PRIME).wrapping_add(&U256::from(5_u32)), false),
        (U256::MAX, false),
    ] {
        assert_eq!(PrivateKey::from_integer(number.into()).is_some(), good, "{number}");
    }
}

#[test]
fn multiples_at_the_edges_are_right() {
    let order = U256::from_be_slice(&to_32(big(ORDER)));
    let one = U256::ONE;
    for (number, expected) in [
        (U256::ZERO, NEUTRAL),
        (one, Point::BASE),
        (order.wrapping_sub(&one), negative(Point::BASE)),
        (U256::from(16_u32), sixteenfold(Point::BASE)),
    ] {
        assert_eq!(point_of(&number, &Blinds::draw().unwrap()), expected, "{number}");
    }
}

#[test]
fn another_signature_does_not_verify() {
    let key = private_key(&"123456".into());
    let message = Element::from(7);
    let proof = key.sign(message).unwrap();
    let public = key.public_key();
    assert!(public.verifies(message, &proof));
    assert!(!public.verifies(Element::from(8), &proof), "another message");
    assert!(!private_key(&"123457".into()).public_key().verifies(message, &proof), "another key");
    let more = |element: Element| Element(element.0 + Field::one());
    for (what, proof) in [
        ("another x", Proof { x: more(proof.x), ..proof }),
        ("another y", Proof { y: more(proof.y), ..proof }),
        ("another s", Proof { s: more(proof.s), ..proof }),
        ("the opposite point", Proof { x: Element(-proof.x.0), ..proof }),
        ("the neutral point", Proof { x: Element::from(0), y: Element::from(1), ..proof }),
    ] {
        assert!(!public.verifies(message, &proof), "{what}");
    }
}

#[test]
fn decimal_text_is_digits_below_the_prime() {
    let prime = BigUint::from_bytes_be(&PRIME).to_string();
    let many = "9".repeat(100);
    for text in ["", "-1", "+1", " 1", "1 ", "1_000", "0x1", "1e3", "1.0", "١", &prime, &many] {
        assert_eq!(Element::from_decimal(text), None, "{text:?}");
    }
    for (text, number) in [("0", 0), ("007", 7), ("18446744073709551615", u64::MAX)] {
        assert_eq!(Element::from_decimal(text), Some(Element::from(number)), "{text:?}");
    }
    assert_eq!(Element::from_be_bytes(&PRIME), None);
    assert_eq!(Element::from_be_bytes_reduced(&PRIME), Element::from(0));
}

#[test]
fn nothing_of_a_key_is_printed() {
    assert_eq!(format!("{:?}", private_key(&"123456".into())), "PrivateKey(..)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_sparse_rounds_are_the_dense_ones(bytes in any::<[[u8; 32]; 13]>(), left_out in 0_usize..5) {
        let inputs = bytes.map(|bytes| Element::from_be_bytes_reduced(&bytes));
        for width in WIDTHS {
            let inputs = &inputs[..width - 1 - left_out];
            prop_assert_eq!(poseidon(*width, inputs), poseidon_dense(*width, inputs));
        }
    }

    #[test]
    fn the_table_gives_what_doubling_gives(bytes in any::<[u8; 32]>()) {
        let number = U256::from_be_slice(&below_order(&bytes));
        let doubled = Extended::from(&Point::BASE).times(&number).to_point(Field::one());
        prop_assert_eq!(point_of(&number, &Blinds::none()), doubled);
        prop_assert_eq!(point_of(&number, &Blinds::draw().unwrap()), doubled);
    }

    #[test]
    fn points_add_as_the_curve_says(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
        let point = |bytes| point_of(&U256::from_be_slice(&below_order(bytes)), &Blinds::none());
        let (a, b) = (point(&a), point(&b));
        for (a, b) in [(a, b), (b, a), (a, a), (a, NEUTRAL), (NEUTRAL, b), (a, negative(a))] {
            let sum = Extended::from(&a).add(&Extended::from(&b)).to_point(Field::one());
            prop_assert_eq!(sum, sum_by_definition(a, b));
            prop_assert_eq!(Point::new(sum.x, sum.y), Some(sum));
        }
    }

    #[test]
    fn signatures_verify_and_are_the_arithmetic_of_integers(
        key in any::<[u8; 32]>(),
        message in any::<[u8; 32]>(),
    ) {
        let bytes = below_order(&key);
        let Some(key) = PrivateKey::from_be_bytes(&bytes) else { return Ok(()) };
        let message = Element::from_be_bytes_reduced(&message);
        let proof = key.sign(message).unwrap();
        prop_assert!(key.public_key().verifies(message, &proof));
        prop_assert_eq!(key.sign(message).unwrap(), proof);

        let (number, order) = (BigUint::from_bytes_be(&bytes), big(ORDER));
        let reversed = |mut bytes: [u8; 32]| { bytes.reverse(); bytes };
        let hashed = [reversed(bytes), reversed(message.to_be_bytes())].concat();
        let nonce = BigUint::from_bytes_le(&Sha512::digest(hashed)) % &order;
        let ours = scalar::nonce(&U256::from_be_slice(&bytes), message);
        prop_assert_eq!(BigUint::from_bytes_be(ours.to_be_bytes().as_ref()), nonce.clone());
        let public = key.public_key();
        let challenge = poseidon(6, &[proof.x, proof.y, public.x(), public.y(), message]);
        let challenge = BigUint::from_bytes_be(&challenge.to_be_bytes());
        let s = (nonce + number * challenge) % (order * 8_u32) % BigUint::from_bytes_be(&PRIME);
        prop_assert_eq!(BigUint::from_bytes_be(&proof.s.to_be_bytes()), s);
    }

    #[test]
    fn elements_are_numbers_below_the_prime(bytes in any::<[u8; 32]>()) {
        let (number, prime) = (BigUint::from_bytes_be(&bytes), BigUint::from_bytes_be(&PRIME));
        let reduced = Element::from_be_bytes_reduced(&bytes);
        let expected = &number % &prime;
        prop_assert_eq!(reduced.to_decimal(), expected.to_string());
        prop_assert_eq!(reduced.to_be_bytes(), to_32(expected));
        prop_assert_eq!(Element::from_decimal(&reduced.to_decimal()), Some(reduced));
        prop_assert_eq!(Element::from_be_bytes(&bytes).is_some(), number < prime);
        prop_assert_eq!(Element::from_decimal(&number.to_string()).is_some(), number < prime);
    }
}

/// The addition as the curve's equation gives it, in the coordinates that are written.
fn sum_by_definition(a: Point, b: Point) -> Point {
    let ([x1, y1], [x2, y2]) = ([a.x.0, a.y.0], [b.x.0, b.y.0]);
    let (one, product) = (Field::one(), Field::from(168_696) * x1 * x2 * y1 * y2);
    let inverse = |number: Field| number.inverse().unwrap();
    let x = (x1 * y2 + y1 * x2) * inverse(one + product);
    let y = (y1 * y2 - Field::from(168_700) * x1 * x2) * inverse(one - product);
    Point { x: Element(x), y: Element(y) }
}

fn sixteenfold(point: Point) -> Point {
    (0..4).fold(point, |point, _| sum_by_definition(point, point))
}

fn negative(point: Point) -> Point {
    Point { x: Element(-point.x.0), ..point }
}

fn big(decimal: &str) -> BigUint {
    decimal.parse().unwrap()
}

fn to_32(number: BigUint) -> [u8; 32] {
    let bytes = number.to_bytes_be();
    let mut padded = [0; 32];
    padded[32 - bytes.len()..].copy_from_slice(&bytes);
    padded
}

fn below_order(bytes: &[u8; 32]) -> [u8; 32] {
    to_32(BigUint::from_bytes_be(bytes) % big(ORDER))
}

const NEUTRAL: Point = Point { x: Element(ark_ff::MontFp!("0")), y: Element(ark_ff::MontFp!("1")) };
const ORDER: &str = "2736030358979909402780800718157159386076813972158567259200215660948447373041";

/// 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001.
const PRIME: [u8; 32] = [
    0x30, 0x64, 0x4e, 0x72, 0xe1, 0x31, 0xa0, 0x29, 0xb8, 0x50, 0x45, 0xb6, 0x81, 0x81, 0x58, 0x5d,
    0x28, 0x33, 0xe8, 0x48, 0x79, 0xb9, 0x70, 0x91, 0x43, 0xe1, 0xf5, 0x93, 0xf0, 0x00, 0x00, 0x01,
];
