//! What ending TLS for a host costs: making its certificate, finding the one that is there, many
//! tasks that want one which is not there yet, and the answer to a client's first message.

use std::sync::Arc;

use aws_lc_rs::encoding::AsDer as _;
use countersign::moment::unix_ms;
use countersign::secret::Secret;
use countersign::tls::{Authority, CaCertificate, LeafCache, LeafSettings, NewAuthority, provider};
use divan::{Bencher, black_box};
use prometheus_client::metrics::counter::Counter;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
use tokio::runtime::{Builder, Runtime};

fn main() {
    divan::main();
}

/// A certificate and the TLS settings around it, for a host that nobody asked for before.
#[divan::bench(args = ["P-256", "RSA-2048"])]
fn mint(bencher: Bencher<'_, '_>, ca: &str) {
    let (runtime, leaves, mut number) = (runtime(1), leaves(ca), 0);
    bencher.with_inputs(|| fresh(&mut number)).bench_local_refs(|host| {
        runtime.block_on(leaves.config_for(black_box(host))).expect("a leaf")
    });
}

/// The same once the cache is full, so that each also pushes one out.
#[divan::bench]
fn mint_into_a_full_cache(bencher: Bencher<'_, '_>) {
    let (runtime, leaves, mut number) = (runtime(1), leaves("P-256"), 0);
    for _ in 0..CACHE {
        runtime.block_on(leaves.config_for(&fresh(&mut number))).expect("a leaf");
    }
    bencher.with_inputs(|| fresh(&mut number)).bench_local_refs(|host| {
        runtime.block_on(leaves.config_for(black_box(host))).expect("a leaf")
    });
}

/// A host whose leaf is there, among as many as are kept.
#[divan::bench]
fn hit(bencher: Bencher<'_, '_>) {
    let (runtime, leaves, mut number) = (runtime(1), leaves("P-256"), 0);
    for _ in 0..CACHE {
        runtime.block_on(leaves.config_for(&fresh(&mut number))).expect("a leaf");
    }
    let host = fresh(&mut 7);
    let once = || runtime.block_on(leaves.config_for(black_box(&host))).expect("a leaf");
    bencher.bench_local(once);
}

/// Sixty-four tasks that all want one host: one makes its certificate.
#[divan::bench]
fn herd(bencher: Bencher<'_, '_>) {
    let (runtime, leaves, mut number) = (runtime(2), Arc::new(leaves("P-256")), 0);
    bencher.with_inputs(|| fresh(&mut number)).bench_local_refs(|host| {
        runtime.block_on(async {
            let ask = |_| {
                let (leaves, host) = (Arc::clone(&leaves), host.clone());
                tokio::spawn(async move { leaves.config_for(&host).await.expect("a leaf") })
            };
            let tasks: Vec<_> = (0..64).map(ask).collect();
            for task in tasks {
                black_box(task.await.expect("it does not panic"));
            }
        });
    });
}

/// What tasks cost that want nothing, to be taken off the herd.
#[divan::bench]
fn herd_of_idlers(bencher: Bencher<'_, '_>) {
    let runtime = runtime(2);
    bencher.bench_local(|| {
        runtime.block_on(async {
            let tasks: Vec<_> = (0..64).map(|n| tokio::spawn(async move { n })).collect();
            for task in tasks {
                black_box(task.await.expect("it does not panic"));
            }
        });
    });
}

/// The server's part of a handshake up to its own last message, by the key exchange the client
/// offers. What is left after it, the client's last message and the tickets, is the same for all.
#[divan::bench(args = ["X25519", "X25519MLKEM768"])]
fn answer(bencher: Bencher<'_, '_>, group: &str) {
    let config = runtime(1).block_on(leaves("P-256").config_for("example.com")).expect("a leaf");
    let mut offering = CryptoProvider::clone(&provider());
    offering.kx_groups.retain(|offered| format!("{:?}", offered.name()) == group);
    let client = ClientConfig::builder_with_provider(Arc::new(offering))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("it has a suite for it")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let client = Arc::new(client);
    let hello = || {
        let name = "example.com".try_into().expect("a name");
        let client = ClientConnection::new(Arc::clone(&client), name);
        let mut hello = Vec::new();
        client.expect("a connection").write_tls(&mut hello).expect("memory takes all");
        hello
    };
    bencher.with_inputs(hello).bench_local_refs(|hello| {
        let mut server = ServerConnection::new(Arc::clone(&config)).expect("a connection");
        server.read_tls(&mut hello.as_slice()).expect("memory gives all");
        server.process_new_packets().expect("it is a hello");
        let mut answer = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut answer).expect("memory takes all");
        }
        answer
    });
}

const CACHE: usize = 1024;

fn fresh(number: &mut u64) -> String {
    *number += 1;
    format!("host{number}.example.com")
}

fn runtime(workers: usize) -> Runtime {
    let made = match workers {
        1 => Builder::new_current_thread().build(),
        workers => Builder::new_multi_thread().worker_threads(workers).build(),
    };
    made.expect("a runtime can be made")
}

fn leaves(ca: &str) -> LeafCache {
    let (root, key) = match ca {
        "P-256" => {
            let hosts = ["example.com".to_owned()];
            let new = NewAuthority { hosts: &hosts, unix_ms: unix_ms(), days: 30 };
            let made = new.make().expect("it can be made");
            (made.root, made.issuing)
        }
        _ => rsa(),
    };
    let certificate = CaCertificate::read(root.as_bytes()).expect("it is a CA");
    let authority = Authority::new(certificate, &key).expect("it is its key");
    let lifetime = std::time::Duration::from_secs(7 * 86_400);
    let settings = LeafSettings { lifetime, cache: CACHE };
    LeafCache::new(authority, settings, unix_ms, Counter::default()).expect("a key can be made")
}

/// A root that signs itself, as OpenSSL makes them.
fn rsa() -> (String, Secret) {
    let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048);
    let der = key.expect("a key can be made").as_der().expect("it has a form in DER");
    let document = pkcs8::Document::try_from(der.as_ref()).expect("it is DER");
    let pem = document.to_pem("PRIVATE KEY", pkcs8::LineEnding::LF).expect("DER has a form in PEM");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name.push(DnType::CommonName, "RSA");
    let root = params.self_signed(&KeyPair::from_pem(&pem).expect("it is a key"));
    (root.expect("it can sign").pem(), Secret::new(pem.into_bytes()))
}
