//! What a signature costs, and what is done once so that it costs no more: the libraries' own calls,
//! the chosen one behind the boxed future of a signer or on another thread, reading a key, placing a
//! nonce, verifying.

#[path = "sign/libraries.rs"]
mod libraries;
#[path = "sign/naive.rs"]
#[expect(unexpected_cfgs, reason = "what the derive writes asks for a feature of its own crate")]
mod naive;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use countersign::keys::babyjub::{Element, WIDTHS, poseidon, poseidon_dense, warm};
use countersign::keys::{Algorithm, Content, Digest, PrivateKey, Signature, Signer};
use countersign::moment::{Moments, NONCES, Nonce, Permutation, Replica};
use divan::{Bencher, black_box};
use naive::NaiveKey;

fn main() {
    divan::main();
}

/// As the pipeline asks: through the trait object, into a boxed future that is ready at once; for
/// RSA, of 3072 bits, when another thread has signed.
#[divan::bench(args = Algorithm::ALL)]
fn through_signer(bencher: Bencher<'_, '_>, algorithm: &Algorithm) {
    let signer = signer(*algorithm);
    bencher.bench_local(|| {
        block_on(signer.sign(black_box(CONTENT))).expect("the key signs every digest")
    });
}

/// On one of the threads for slow keys: handed over, and waited for.
#[divan::bench(args = Algorithm::RSA_PKCS1_SHA256.sizes())]
fn rsa_through_pool(bencher: Bencher<'_, '_>, bits: &usize) {
    let signer = rsa(*bits).signer().expect("it signs");
    bencher.bench_local(|| {
        block_on(signer.sign(black_box(CONTENT))).expect("the key signs every digest")
    });
}

/// A Loopring request, once its text is hashed.
#[divan::bench]
fn loopring_request(bencher: Bencher<'_, '_>) {
    let signer = babyjub();
    bencher.bench_local(|| block_on(signer.sign(black_box(CONTENT))).expect("it signs elements"));
}

/// The same with nothing precomputed, and not in constant time.
#[divan::bench]
fn loopring_request_naive(bencher: Bencher<'_, '_>) {
    let key = NaiveKey::new(BABYJUB);
    let message = Element::from_be_bytes(&DIGEST.0).expect("it is below the prime");
    bencher.bench_local(|| key.sign(black_box(message)));
}

/// A Loopring order: its thirteen fields are hashed, and the hash is signed.
#[divan::bench]
fn loopring_order(bencher: Bencher<'_, '_>) {
    let signer = babyjub();
    warm(14);
    bencher.bench_local(|| {
        let digest = Digest(poseidon(14, black_box(&fields(14))).to_be_bytes());
        block_on(signer.sign(Content::digest(&digest))).expect("it signs elements")
    });
}

/// The same with nothing precomputed.
#[divan::bench]
fn loopring_order_naive(bencher: Bencher<'_, '_>) {
    let key = NaiveKey::new(BABYJUB);
    warm(14);
    bencher.bench_local(|| key.sign(poseidon_dense(14, black_box(&fields(14)))));
}

/// The hash alone.
#[divan::bench(args = WIDTHS)]
fn poseidon_of_width(bencher: Bencher<'_, '_>, width: usize) {
    warm(width);
    bencher.bench_local(|| poseidon(width, black_box(&fields(width))));
}

/// The hash alone, as it is defined.
#[divan::bench(args = WIDTHS)]
fn poseidon_of_width_naive(bencher: Bencher<'_, '_>, width: usize) {
    warm(width);
    bencher.bench_local(|| poseidon_dense(width, black_box(&fields(width))));
}

/// The future alone: a box made, polled once and freed, around an answer that is there.
#[divan::bench]
fn boxed_future_alone(bencher: Bencher<'_, '_>) {
    let signature = Signature::Ecdsa { r: [1; 32], s: [2; 32] };
    bencher.bench_local(|| {
        let boxed: countersign::keys::BoxFuture<'_, Signature> =
            Box::pin(std::future::ready(black_box(&signature).clone()));
        block_on(black_box(boxed))
    });
}

/// Text to a signer that is ready: what every request would pay if keys were not kept open.
#[divan::bench(args = Algorithm::ALL)]
fn open_key(bencher: Bencher<'_, '_>, algorithm: &Algorithm) {
    let key = PrivateKey::generate(*algorithm);
    let text = key.to_text();
    // The threads for slow keys are not started each time.
    let _kept = key.signer().expect("a key on the curve");
    bencher.bench_local(|| {
        let key = PrivateKey::parse(black_box(text.as_bytes()), Some(*algorithm), None);
        key.expect("our own text").signer().expect("a key on the curve")
    });
}

/// The clock, and a place in its millisecond.
#[divan::bench]
fn nonce_place(bencher: Bencher<'_, '_>) {
    let moments = Moments::new(Replica::ALONE);
    bencher.bench_local(|| moments.next());
}

/// The same from two threads that move one counter.
#[divan::bench(threads = [2])]
fn nonce_place_contended(bencher: Bencher<'_, '_>) {
    let moments = Moments::new(Replica::ALONE);
    bencher.bench(|| moments.next());
}

/// The permutation that hides the order of places: four rounds of SHA-256.
#[divan::bench]
fn nonce_permute(bencher: Bencher<'_, '_>) {
    let permutation = Permutation::new(&[7; 33]);
    bencher.bench_local(|| black_box(Nonce::Placed(NONCES / 3)).under(&permutation));
}

/// With a public key, as the stand-in providers and `verify` do.
#[divan::bench(args = Algorithm::ALL)]
fn verify(bencher: Bencher<'_, '_>, algorithm: &Algorithm) {
    let signer = signer(*algorithm);
    let signature = block_on(signer.sign(CONTENT)).expect("the key signs every digest");
    let public = signer.public_key();
    bencher.bench_local(|| {
        assert!(public.verifies(black_box(CONTENT), &signature), "the signature is its own");
    });
}

fn rsa(bits: usize) -> PrivateKey {
    let key = PrivateKey::generate_sized(Algorithm::RSA_PKCS1_SHA256, bits);
    key.expect("RSA keys have this size")
}

fn signer(algorithm: Algorithm) -> Arc<dyn Signer> {
    PrivateKey::generate(algorithm).signer().expect("a key on the curve")
}

/// A signer whose naive twin signs the same.
fn babyjub() -> Arc<dyn Signer> {
    let key = PrivateKey::parse(BABYJUB.as_bytes(), Some(Algorithm::EDDSA_BABYJUB), None);
    let signer = key.expect("it is a key").signer().expect("it signs");
    let message = Element::from_be_bytes(&DIGEST.0).expect("it is below the prime");
    let [rx, ry, s] = NaiveKey::new(BABYJUB).sign(message).map(Element::to_be_bytes);
    let signed = block_on(signer.sign(CONTENT)).expect("it signs elements");
    assert_eq!(signed, Signature::BabyJub { rx, ry, s }, "both do the same work");
    signer
}

fn fields(width: usize) -> Vec<Element> {
    (1..width as u64).map(Element::from).collect()
}

/// Runs a future. Most never wait: their keys sign on the caller's thread.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return output;
    }
    let waker = Waker::from(Arc::new(Caller(thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// The thread to wake.
struct Caller(Thread);

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A key of Baby Jubjub that protects nothing.
const BABYJUB: &str =
    "1242957328515765470505817310060337585626176314364086438653683782645761561015";

/// An element of Baby Jubjub's field, as its keys want digests to be.
const DIGEST: Digest = Digest([0x2c; 32]);
const CONTENT: Content<'_> = Content::Digest { digest: &DIGEST, sha256_of: None };
