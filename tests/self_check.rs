//! `[signing] self_check`, seen from outside: what a signer that signs wrongly, and a secret that
//! changes while a key signs, come to at each level.

use std::fs;
use std::path::Path;

use crate::signer::conform::Python;
use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, echo};
use crate::support::proxy::Proxy;
use crate::support::stage::{SINOHOPE, get};
use crate::support::vectors::{load, text};
use crate::support::wait::eventually;

/// The signer in Python, with other lines in place of some.
fn signer(home: &Home, name: &str, key: &str, old: &str, new: &str) -> Python {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signer/reference.py");
    let reference = fs::read_to_string(reference).expect("it is there");
    let changed = reference.replacen(old, new, 1);
    assert_ne!(changed, reference, "{old} is not there");
    home.write(name, &changed);
    Python::start(home, name, &[key.to_owned()])
}

fn store(home: &Home, name: &str) -> String {
    let socket = home.path(format!("{name}.sock"));
    format!("[stores.signer]\nkind = \"remote\"\nurl = \"unix:{}\"\n", socket.display())
}

/// A key that passes its self-test and signs something else when it is asked for a route, as one whose
/// arithmetic fails now and then.
#[test]
fn a_signature_over_something_else_leaves_unless_signatures_are_checked() {
    let vectors = load("metasv");
    let number = text(&vectors, "/keys/test-a/private_key_hex");
    let (old, new) = (
        "        if algorithm in CURVES:\n            digest = digest or",
        "        if algorithm in CURVES:\n            digest = bytes(32) if \"route\" in asked else digest or",
    );
    for (level, refused) in [("off", false), ("digest", false), ("signature", true)] {
        let (home, origin) = (Home::new(""), Origin::start(echo()));
        let _signer = signer(&home, "wrong", &format!("k=ecdsa_p256:{number}"), old, new);
        let route = config::sinohope(&origin.url(), None);
        let route = route.replace("store = \"files\"", "store = \"signer\"");
        let route = route.replace("entry = \"sinohope.pem\"", "entry = \"k\"");
        let signing = format!("[signing]\nself_check = \"{level}\"\n");
        let admin = "forward = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n";
        let tables = [route, store(&home, "wrong"), signing];
        home.write("proxy.toml", &config::listening(admin, &tables));
        let proxy = Proxy::start_in(home, &[]);
        let reply = Client::connect(proxy.forward_url()).exchange(get(&format!("{SINOHOPE}/v1")));
        let counted = proxy.probe("/metrics");
        let counted = String::from_utf8_lossy(&counted.body).into_owned();
        let line = format!("countersign_self_check_failures_total {}", u8::from(refused));
        assert!(counted.contains(&line), "{level}: {counted}");
        assert_eq!(origin.arrived().len(), usize::from(!refused), "{level}");
        assert_eq!(reply.status, if refused { 500 } else { 200 }, "{level}");
        if refused {
            assert_eq!(reply.json()["code"], "self_check", "{}", reply.json());
            let said = "the signature does not belong to this request's canonical text";
            eventually("it is in the log", || proxy.output().contains(said));
        }
    }
}

const SECRETS: &str = r#"[keys.okx]
store = "signer"
entry = "m"
algorithm = "hmac_sha256"
[secrets.plain]
store = "files"
entry = "plain"
watch = true
[routes.okx]
host = "www.okx.com"
scheme = "okx"
keys = { signer = "okx" }
secrets = { api_key = "plain", passphrase = "plain" }
upstream = "okx"
[timeouts]
sign = "60s"
"#;

/// The text is made again of what is sent, and so of the secret that is there by then: a check that
/// looked at its own first result would see nothing.
#[test]
fn a_secret_that_changes_while_a_key_signs_is_no_fault_and_not_sent() {
    let (old, new) = (
        "        asked = json.loads(body)\n",
        "        asked = json.loads(body)\n        import os, time\n        \
         while \"route\" in asked and not os.path.exists(sys.argv[1] + \".go\"):\n            \
         open(sys.argv[1] + \".asked\", \"w\").close()\n            time.sleep(0.01)\n",
    );
    for (level, refused) in [("off", false), ("digest", true)] {
        let (home, origin) = (Home::new(""), Origin::start(echo()));
        let _signer = signer(&home, "slow", "m=hmac_sha256:00ff7365637265740a", old, new);
        home.write("keys/plain", "first");
        let upstream = format!("[upstreams.okx]\nurl = \"{}\"\n", origin.url());
        let signing = format!("[signing]\nself_check = \"{level}\"\n");
        let tables = [SECRETS.to_owned(), store(&home, "slow"), upstream, signing];
        home.write("proxy.toml", &config::listening("forward = \"127.0.0.1:0\"\n", &tables));
        let proxy = Proxy::start_in(home.clone(), &[]);
        let mut client = Client::connect(proxy.forward_url());
        client.send(get("http://www.okx.com/api/v5/account/balance"));
        eventually("the key is asked", || home.path("slow.sock.asked").exists());
        home.write("keys/plain", "second");
        eventually("it is taken up", || proxy.output().contains("has changed and is in use"));
        home.write("slow.sock.go", "");
        let reply = client.reply();
        assert_eq!(reply.status, if refused { 503 } else { 200 }, "{level}");
        let arrived = origin.arrived();
        assert_eq!(arrived.len(), usize::from(!refused), "{level}");
        if refused {
            assert_eq!(reply.json()["code"], "credential_unusable", "{}", reply.json());
            // The next one goes with the new secret.
            let next = client.exchange(get("http://www.okx.com/api/v5/account/balance"));
            assert_eq!(next.status, 200);
            assert_eq!(origin.arrived()[0].once("ok-access-passphrase"), Ok("second"));
        }
    }
}
