//! Memory of the running proxy: of keys for TLS there is what signs, and no copy in a buffer that was
//! given back; of a key that is not used any more there is nothing.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem::find_iter;
use p256::SecretKey;
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::support::authority::Authority;
use crate::support::config::{self, CA_FILE, CA_KEY_FILE, INTERCEPT};
use crate::support::home::Home;
use crate::support::proxy::Proxy;
use crate::support::stage::{SINOHOPE, Stage, get};
use crate::support::vectors::{load, text};
use crate::support::wait::eventually;

/// A client certificate for an upstream that nobody asks.
const CLIENT: &str = r#"client_cert = "client.pem"
client_key = "client_key"

[secrets.client_key]
store = "files"
entry = "client-key.pem"
"#;

#[test]
fn keys_for_tls_leave_no_copies_in_memory() {
    let (ca, clients) = (Authority::new(), Authority::new());
    let client = clients.issue(&["proxy.test"], |_| ());
    let upstream = config::metasv("https://127.0.0.1:1", None) + CLIENT;
    let home = Home::new(&(config::proxy(&[upstream]) + INTERCEPT));
    home.write(CA_FILE, &ca.pem());
    home.write(CA_KEY_FILE, &ca.key_pem());
    home.write("client.pem", &client.pem());
    home.write("keys/client-key.pem", &client.key_pem());
    let proxy = Proxy::start_in(home, &[]);
    let memory = memory_of(proxy.pid());
    for (name, pem, key) in
        [("CA", ca.pem(), ca.key_pem()), ("client", client.pem(), client.key_pem())]
    {
        let shown = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
        assert!(count(&memory, &shown) > 0, "{name}: its memory was not looked at");
        let secret = SecretKey::from_pkcs8_pem(&key).expect("a P-256 key");
        let scalar = secret.to_bytes();
        assert_eq!(count(&memory, &scalar), 0, "{name}: the number");
        // Without the line ends that the entry itself has.
        let der = secret.to_pkcs8_der().expect("it has a form").as_bytes().to_vec();
        let at = find_iter(&der, &scalar).next().expect("the key is in it").next_multiple_of(3);
        let base64 = STANDARD.encode(&der[at..at + 24]);
        assert!(!key.contains(&base64), "{key}");
        assert_eq!(count(&memory, base64.as_bytes()), 0, "{name}: in base64");
    }
}

/// The number of a P-256 key as the library computes with it: words, the lowest first.
fn in_words(number: &[u8]) -> Vec<u8> {
    number.iter().rev().copied().collect()
}

#[test]
fn a_key_that_a_reload_takes_away_is_wiped() {
    let stage = Stage::new("");
    let hex = text(&load("sinohope"), "/keys/test-p256/private_scalar_hex").to_owned();
    let number = base16ct::lower::decode_vec(hex).expect("the vectors are lower-case hex");
    let found = || {
        let memory = memory_of(stage.proxy.pid());
        count(&memory, &number) + count(&memory, &in_words(&number))
    };
    assert_eq!(stage.exchange(get(&format!("{SINOHOPE}/x"))).status, 200);
    assert!(found() > 0, "a key that signs is there, or was not looked for in its form");
    let other = stage.configuration("").replace("sinohope.pem", "sinohope-k256.pem");
    stage.proxy.reload(&other, true);
    eventually("it is gone", || found() == 0);
}

fn count(memory: &[Vec<u8>], bytes: &[u8]) -> usize {
    memory.iter().map(|region| find_iter(region, bytes).count()).sum()
}

/// Everything that a process may write to.
fn memory_of(pid: u32) -> Vec<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("this user may trace it");
    let region = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let at = |hex: &str| u64::from_str_radix(hex, 16).expect("an address");
        let length = usize::try_from(at(to) - at(from)).expect("it fits");
        if !rest.starts_with("rw") {
            return None;
        }
        let mut bytes = vec![0; length];
        memory.read_exact_at(&mut bytes, at(from)).ok().map(|()| bytes)
    };
    let regions: Vec<_> = maps.lines().filter_map(region).collect();
    assert!(!regions.is_empty(), "{maps}");
    regions
}
