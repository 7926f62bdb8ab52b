//! The provider's own numbers, and rules that hold for all numbers.

use serde_json::Value;

use super::*;
use crate::keys::{Digest, LocalSigner, PublicKey as AnyPublicKey, Signature, Signer as _};

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
        let proof = key.sign(message).unwrap();
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
    let signer = LocalSigner::new(&crate::keys::PrivateKey::EddsaBabyJub(key)).unwrap();
    let message = Element::from(5);
    let Signature::BabyJub { rx, ry, s } =
        signer.sign(&Digest(message.to_be_bytes())).await.unwrap()
    else {
        panic!("it is the signature of another algorithm");
    };
    let AnyPublicKey::EddsaBabyJub(public) = signer.public_key() else { panic!() };
    let number = |bytes| Element::from_be_bytes(bytes).unwrap();
    let proof = Proof { x: number(&rx), y: number(&ry), s: number(&s) };
    assert!(public.verifies(message, &proof));
    for digest in [[0xff; 32], PRIME] {
        let error = signer.sign(&Digest(digest)).await.unwrap_err();
        assert!(error.to_string().ends_with("is no element of the curve's field"), "{error}");
    }
}

/// 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001.
const PRIME: [u8; 32] = [
    0x30, 0x64, 0x4e, 0x72, 0xe1, 0x31, 0xa0, 0x29, 0xb8, 0x50, 0x45, 0xb6, 0x81, 0x81, 0x58, 0x5d,
    0x28, 0x33, 0xe8, 0x48, 0x79, 0xb9, 0x70, 0x91, 0x43, 0xe1, 0xf5, 0x93, 0xf0, 0x00, 0x00, 0x01,
];
