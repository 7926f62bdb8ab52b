//! One signature in each library that could make it in constant time, by its own call: what the
//! choice of `src/keys/algorithm` was between.
//!
//! Rows of one algorithm are for the same digest or text. P-256 in aws-lc-rs has a random nonce, in
//! the p256 crate one of RFC 6979; both libraries of secp256k1 have the latter. Ed25519, HMAC and RSA
//! have one library in the tree: others of RSA are not constant in time, or half as fast.

use aws_lc_rs::digest::{Digest as Imported, SHA256};
use aws_lc_rs::hmac::{self, HMAC_SHA256, HMAC_SHA512};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use countersign::keys::Algorithm;
use divan::{Bencher, black_box};
use k256::ecdsa::signature::hazmat::PrehashSigner as _;
use secp256k1::{Message, Secp256k1, SecretKey};

use super::DIGEST;

const KEY: [u8; 32] = [0x42; 32];
/// As long as a request's text, for what signs or hashes it whole.
const TEXT: [u8; 300] = [b'x'; 300];

#[divan::bench]
fn p256_aws_lc_rs(bencher: Bencher<'_, '_>) {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("random numbers");
    bencher.bench_local(|| key.sign_digest(&imported()).expect("the key signs every digest"));
}

#[divan::bench]
fn p256_p256(bencher: Bencher<'_, '_>) {
    let key = p256::ecdsa::SigningKey::from_slice(&KEY).expect("below the order");
    bencher.bench_local(|| -> p256::ecdsa::Signature {
        key.sign_prehash(black_box(&DIGEST.0)).expect("the key signs every digest")
    });
}

#[divan::bench]
fn secp256k1_k256(bencher: Bencher<'_, '_>) {
    let key = k256::ecdsa::SigningKey::from_slice(&KEY).expect("below the order");
    bencher.bench_local(|| -> k256::ecdsa::Signature {
        key.sign_prehash(black_box(&DIGEST.0)).expect("the key signs every digest")
    });
}

#[divan::bench]
fn secp256k1_libsecp256k1(bencher: Bencher<'_, '_>) {
    let (context, key) = (Secp256k1::signing_only(), SecretKey::from_byte_array(KEY));
    let key = key.expect("below the order");
    bencher.bench_local(|| context.sign_ecdsa(Message::from_digest(black_box(DIGEST.0)), &key));
}

#[divan::bench]
fn ed25519_aws_lc_rs(bencher: Bencher<'_, '_>) {
    let key = Ed25519KeyPair::from_seed_unchecked(&KEY).expect("every seed is a key");
    bencher.bench_local(|| key.sign(black_box(&TEXT)));
}

#[divan::bench]
fn hmac_sha256_aws_lc_rs(bencher: Bencher<'_, '_>) {
    let key = hmac::Key::new(HMAC_SHA256, &KEY);
    bencher.bench_local(|| hmac::sign(&key, black_box(&TEXT)));
}

#[divan::bench]
fn hmac_sha512_aws_lc_rs(bencher: Bencher<'_, '_>) {
    let key = hmac::Key::new(HMAC_SHA512, &KEY);
    bencher.bench_local(|| hmac::sign(&key, black_box(&TEXT)));
}

#[divan::bench(args = Algorithm::RSA_PKCS1_SHA256.sizes())]
fn rsa_aws_lc_rs(bencher: Bencher<'_, '_>, bits: &usize) {
    let size = match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        _ => KeySize::Rsa4096,
    };
    let key = RsaKeyPair::generate(size).expect("random numbers");
    let mut signature = vec![0; key.public_modulus_len()];
    bencher.bench_local(|| {
        key.sign_digest(&RSA_PKCS1_SHA256, &imported(), &mut signature)
            .expect("the key signs every digest");
    });
}

fn imported() -> Imported {
    Imported::import_less_safe(black_box(&DIGEST.0), &SHA256).expect("32 bytes")
}
