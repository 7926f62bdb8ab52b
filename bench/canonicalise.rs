//! What building and hashing a scheme's canonical text costs, and turning a signature into
//! headers afterwards: the pure halves of signing, without a key.
//!
//! The bodies show where hashing begins to cost more than the signature itself.

#[path = "self_check.rs"]
mod self_check;

use std::sync::Arc;

use bytes::Bytes;
use countersign::keys::{Algorithm, PrivateKey, Signature};
use countersign::moment::{Moment, Nonce};
use countersign::request::{Body, Outgoing};
use countersign::route::Origin;
use countersign::scheme::{Binding, Head, Registry, Rest, Scheme, Signatures};
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use http::{HeaderMap, HeaderValue, Method};

// Counts allocations too: a few nanoseconds on each, and a report of those that are too many.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A GET: the query is decoded, sorted and encoded anew.
#[divan::bench(args = [0, 4, 16])]
fn sinohope_get(bencher: Bencher<'_, '_>, parameters: usize) {
    let query = query(parameters);
    let head = head(Method::GET, &format!("/v1/waas/mpc/wallet/list?{query}"));
    canonicalise(bencher, &bound("sinohope", Algorithm::ECDSA_P256), &head, &Bytes::new());
}

/// A POST: the body is read as UTF-8, copied without spaces and line feeds, and hashed.
#[divan::bench(args = [0, 1 << 10, 64 << 10, 1 << 20])]
fn sinohope_post(bencher: Bencher<'_, '_>, length: usize) {
    let head = head(Method::POST, "/v1/waas/mpc/transfer");
    let bencher = bencher.counter(BytesCount::new(length));
    canonicalise(bencher, &bound("sinohope", Algorithm::ECDSA_P256), &head, &body(length));
}

/// Path, time stamp and nonce; the permutation of the nonce is most of it.
#[divan::bench]
fn metasv(bencher: Bencher<'_, '_>) {
    let head = head(Method::GET, BLOCK);
    canonicalise(bencher, &bound("metasv", Algorithm::ECDSA_SECP256K1), &head, &Bytes::new());
}

/// Query and body as one sorted array, and the hash reduced to the field.
#[divan::bench(args = [0, 1 << 10, 64 << 10, 1 << 20])]
fn loopring_kv(bencher: Bencher<'_, '_>, length: usize) {
    let head = head(Method::POST, &format!("/api/v2/x?{}", query(4)));
    let scheme = bound("loopring", Algorithm::EDDSA_BABYJUB);
    let bencher = bencher.counter(BytesCount::new(length));
    let text = String::from_utf8(body(length).to_vec()).expect("the entries are text");
    let body = if length == 0 { String::new() } else { format!("{{\"text\": {text:?}}}") };
    canonicalise(bencher, &scheme, &head, &Bytes::from(body));
}

/// Thirteen fields, and Poseidon of width 14, which is most of it.
#[divan::bench]
fn loopring_order(bencher: Bencher<'_, '_>) {
    let head = head(Method::POST, "/api/v2/order");
    let params = [("canonical", "none"), ("body", "order")];
    let scheme = bound_with("loopring", Algorithm::EDDSA_BABYJUB, &params);
    canonicalise(bencher, &scheme, &head, &Bytes::from_static(ORDER));
}

/// A batch of as many orders as there may be: 32 KiB, and a hash for each.
#[divan::bench(sample_count = 20)]
fn loopring_batch(bencher: Bencher<'_, '_>) {
    let head = head(Method::POST, "/api/v2/batchOrders");
    let params = [("canonical", "none"), ("body", "order")];
    let scheme = bound_with("loopring", Algorithm::EDDSA_BABYJUB, &params);
    let order = str::from_utf8(ORDER).expect("the order is text");
    let body = format!("{{\"orders\":[{}]}}", [order; 128].join(","));
    canonicalise(bencher, &scheme, &head, &Bytes::from(body));
}

/// DER in hex, and three headers.
#[divan::bench]
fn sinohope_assemble(bencher: Bencher<'_, '_>) {
    let head = head(Method::GET, "/v1/waas/mpc/wallet/list");
    assemble(bencher, &bound("sinohope", Algorithm::ECDSA_P256), &head);
}

/// DER in base64, the nonce once more, and four headers.
#[divan::bench]
fn metasv_assemble(bencher: Bencher<'_, '_>) {
    let head = head(Method::GET, BLOCK);
    assemble(bencher, &bound("metasv", Algorithm::ECDSA_SECP256K1), &head);
}

/// What the self-check adds to a GET: the head is taken from the request as it is handed over, the
/// text made again, hashed, and compared.
#[divan::bench]
fn self_check_sinohope_get(bencher: Bencher<'_, '_>) {
    let head = head(Method::GET, &format!("/v1/waas/mpc/wallet/list?{}", query(4)));
    self_check(bencher, &bound("sinohope", Algorithm::ECDSA_P256), &head, &Bytes::new());
}

/// The same of a POST, with its body.
#[divan::bench(args = [1 << 10, 64 << 10])]
fn self_check_sinohope_post(bencher: Bencher<'_, '_>, length: usize) {
    let head = head(Method::POST, "/v1/waas/mpc/transfer");
    self_check(bencher, &bound("sinohope", Algorithm::ECDSA_P256), &head, &body(length));
}

/// The same of MetaSV's three parts.
#[divan::bench]
fn self_check_metasv(bencher: Bencher<'_, '_>) {
    let head = head(Method::GET, BLOCK);
    self_check(bencher, &bound("metasv", Algorithm::ECDSA_SECP256K1), &head, &Bytes::new());
}

/// The same of a body that goes through Poseidon, whose inputs are compared.
#[divan::bench]
fn self_check_loopring_order(bencher: Bencher<'_, '_>) {
    let head = head(Method::POST, "/api/v2/order");
    let params = [("canonical", "none"), ("body", "order")];
    let scheme = bound_with("loopring", Algorithm::EDDSA_BABYJUB, &params);
    self_check(bencher, &scheme, &head, &Bytes::from_static(ORDER));
}

fn self_check(bencher: Bencher<'_, '_>, scheme: &Arc<dyn Scheme>, head: &Head, body: &Bytes) {
    let scheme = scheme.as_ref();
    let mut head = head.clone();
    for (name, value) in [("user-agent", "bench/1.0"), ("accept", "application/json")] {
        head.headers.insert(name, HeaderValue::from_static(value));
    }
    let outgoing = dressed(scheme, &head, body);
    let to_sign = outgoing.canonicalise(scheme, &MOMENT).expect("the request can be signed");
    let mut signatures = Signatures::default();
    for preimage in &to_sign.preimages {
        let signature = match preimage.slot.as_ref() {
            "eddsa" => Signature::BabyJub { rx: [1; 32], ry: [2; 32], s: [3; 32] },
            _ => Signature::Ecdsa { r: [0xa5; 32], s: [0x5a; 32] },
        };
        signatures.insert(preimage.slot.clone(), signature);
    }
    self_check::timed(bencher, scheme, (outgoing, &MOMENT), (to_sign, signatures));
}

fn canonicalise(bencher: Bencher<'_, '_>, scheme: &Arc<dyn Scheme>, head: &Head, body: &Bytes) {
    let (scheme, mut outgoing) = (scheme.as_ref(), dressed(scheme.as_ref(), head, body));
    bencher.bench_local(|| {
        let to_sign = black_box(&mut outgoing).canonicalise(scheme, black_box(&MOMENT));
        to_sign.expect("the request can be signed")
    });
}

fn assemble(bencher: Bencher<'_, '_>, scheme: &Arc<dyn Scheme>, head: &Head) {
    let (scheme, outgoing) = (scheme.as_ref(), dressed(scheme.as_ref(), head, &Bytes::new()));
    let mut signatures = Signatures::default();
    // A first bit that is set makes DER put a zero in front, as half of all signatures do.
    signatures.insert("signer", Signature::Ecdsa { r: [0xa5; 32], s: [0x5a; 32] });
    bencher.bench_local(|| {
        let edits =
            black_box(&outgoing).edits(scheme, black_box(&MOMENT), Rest::default(), &signatures);
        edits.expect("the signature fits into headers")
    });
}

/// A request as the proxy dresses it, with its body in hand.
fn dressed(scheme: &dyn Scheme, head: &Head, body: &Bytes) -> Outgoing {
    let origin = Origin::of(&head.host, true).expect("the host is an authority");
    let dressed = Outgoing::dress(head.clone(), Body::Held(body.clone()), origin, Some(scheme));
    dressed.expect("the parts make a request")
}

/// A scheme with a new key and the default of each parameter.
fn bound(name: &str, algorithm: Algorithm) -> Arc<dyn Scheme> {
    bound_with(name, algorithm, &[])
}

fn bound_with(name: &str, algorithm: Algorithm, params: &[(&str, &str)]) -> Arc<dyn Scheme> {
    let schemes = Registry::built_in();
    let entry = schemes.find(name).expect("the scheme is in the registry");
    let mut binding = Binding::default();
    let slot = entry.keys.first().expect("the scheme has a key");
    binding.keys.insert(slot.name.to_string(), PrivateKey::generate(algorithm).public_key());
    binding.params = entry.defaults();
    for (name, value) in params.iter().copied() {
        binding.params.insert(name.into(), value.into());
    }
    let bound = entry.bind(&binding).expect("the binding is complete");
    Arc::clone(bound.signing().expect("the scheme signs requests"))
}

fn head(method: Method, target: &str) -> Head {
    let target = target.parse().expect("a path and query");
    Head { method, host: "api.example.com".into(), target, headers: HeaderMap::new() }
}

/// Names in an order that must be changed, values that must be encoded.
fn query(parameters: usize) -> String {
    let pair = |index| format!("name{:02}=value%20{index}%2Fx", parameters - index);
    (0..parameters).map(pair).collect::<Vec<_>>().join("&")
}

/// JSON of this length, with the spaces that the scheme leaves out; nothing for 0.
fn body(length: usize) -> Bytes {
    const ENTRY: &str =
        "{\"to\": \"0x52908400098527886E0F7030069857D2E4169EE7\", \"amount\": 1},\n";
    let text = ENTRY.bytes().cycle().take(length);
    Bytes::from_iter(text)
}

const BLOCK: &str = "/block/000000000000000007dded8e2a733c654a006520409cdb0d6cdf642a1328c330";

const ORDER: &[u8] = b"{\"exchangeId\":2,\"orderId\":5,\"accountId\":1234,\"tokenSId\":2,\
    \"tokenBId\":3,\"amountS\":\"5000000000000000000\",\"amountB\":\"15000000\",\
    \"allOrNone\":\"false\",\"buy\":\"false\",\"validSince\":1582094327,\
    \"validUntil\":1587278341,\"maxFeeBips\":50,\"label\":211}";

const MOMENT: Moment = Moment { unix_ms: 1_700_000_000_000, nonce: Nonce::Placed(1_234_567_890) };
