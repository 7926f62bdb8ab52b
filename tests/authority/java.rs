//! Java, which does not apply the constraints of a certificate that it trusts: what a thief of the
//! stored key could do to it.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::made::serve_once;
use super::tools::Pair;
use crate::clients::program;
use crate::support::config::{self, CA_FILE, CA_KEY_FILE, INTERCEPT};
use crate::support::home::Home;
use crate::support::proxy::countersign;
use crate::support::under_test;

/// A name that the thief signs for, and whether Java may believe it; `true` with an authority of the
/// thief's between.
const SERVERS: [(&str, bool, &str); 4] = [
    ("api.sinohope.com", false, "accepted"),
    ("evil.com", false, "refused: "),
    ("127.0.0.1", false, "refused: "),
    ("api.sinohope.com", true, "refused: "),
];

/// How a trust store is made, and how Java is told of it.
const KEYTOOL: [&str; 11] = [
    "keytool",
    "-importcert",
    "-noprompt",
    "-alias",
    "countersign",
    "-file",
    "ca.pem",
    "-keystore",
    "trust.p12",
    "-storepass",
    "changeit",
];
const STORE: [&str; 2] =
    ["-Djavax.net.ssl.trustStore=trust.p12", "-Djavax.net.ssl.trustStorePassword=changeit"];

#[test]
fn java_believes_a_stolen_key_for_the_routed_host_and_no_other() {
    let tables = [config::sinohope("http://127.0.0.1:1", None)];
    let home = Home::new(&(config::proxy(&tables) + INTERCEPT));
    let file = home.path("proxy.toml").display().to_string();
    let made = countersign(&["ca", "new", &file]);
    assert!(made.status.success(), "{made:?}");
    let read = |file: &str| fs::read_to_string(home.path(file)).expect("it was made");
    let stolen = Pair { pem: read(CA_FILE), key: read(CA_KEY_FILE) };
    let java = program("Trust.java").display().to_string();

    let made = Command::new(KEYTOOL[0]).args(&KEYTOOL[1..]).current_dir(home.path("")).output();
    let made = made.expect("there is a Java");
    assert!(made.status.success(), "{made:?}");

    let mut with_store = Command::new("java");
    with_store.args(STORE).arg(&java);
    let mut under_exec = Command::new(under_test());
    under_exec.args(["exec", "--quiet", "--config", &file, "--", "java", &java]);
    for (how, mut command) in [("keystore", with_store), ("exec", under_exec)] {
        for (name, below, _) in SERVERS {
            let signs = if below { &stolen.authority_below() } else { &stolen };
            let (chain, key) = signs.forge(name, |_| {});
            command.arg(format!("{name}={}", serve_once(&server(chain, &key))));
        }
        let output = command.current_dir(home.path("")).output().expect("there is a Java");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said.lines().count(), SERVERS.len(), "{how}: {output:?}");
        for (line, (name, _, expected)) in said.lines().zip(SERVERS) {
            assert!(line.starts_with(expected), "{how}: {name}: {said}");
        }
    }
    // The store was made and named as `ca export --help` says.
    let help = countersign(&["ca", "export", "--help"]).stdout;
    let help = String::from_utf8_lossy(&help).replace('\\', "");
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let java_line = ["java", &STORE.join(" ")].join(" ");
    assert!(words.contains(&KEYTOOL.join(" ")) && words.contains(&java_line), "{help}");
}

fn server(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let builder = ServerConfig::builder_with_provider(countersign::tls::provider());
    let builder = builder.with_safe_default_protocol_versions().expect("the provider has them");
    Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).expect("they fit"))
}
