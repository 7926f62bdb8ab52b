//! A directory for a proxy to run from: its configuration, and keys that only the owner can read.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::vectors::{load, text};
use super::verify::lower_hex;

/// The directory; removed when the last hand on it is dropped.
///
/// In `keys/` are Sinohope's test keys as `sinohope.pem` (P-256), `sinohope-k256.pem` and
/// `sinohope.hex` (P-256, as the provider's SDKs keep it), MetaSV's as `metasv.hex` (test-a) and
/// `metasv.wif` (test-b), and Loopring's as `loopring.txt` (123456, in decimal).
#[derive(Clone, Debug)]
pub(crate) struct Home(Arc<TempDir>);

impl Home {
    /// With this text as `proxy.toml`.
    pub(crate) fn new(config: &str) -> Self {
        let home = Self(Arc::new(TempDir::new().expect("a directory can be made")));
        home.write("proxy.toml", config);
        DirBuilder::new().mode(0o700).create(home.path("keys")).expect("a directory can be made");
        let (sinohope, metasv) = (load("sinohope"), load("metasv"));
        let p256 = text(&sinohope, "/keys/test-p256/pkcs8_der_hex");
        let k256 = text(&sinohope, "/keys/test-k256/pkcs8_der_hex");
        home.write("keys/sinohope.pem", &pem(p256));
        home.write("keys/sinohope-k256.pem", &pem(k256));
        home.write("keys/sinohope.hex", p256);
        home.write("keys/metasv.hex", text(&metasv, "/keys/test-a/private_key_hex"));
        home.write("keys/metasv.wif", text(&metasv, "/keys/test-b/private_key_wif"));
        home.write("keys/loopring.txt", "123456\n");
        home.write("keys/loopring.api_key", "test-api-key\n");
        let cobo = load("cobo");
        for (name, key) in [("node", "tss_node"), ("server", "callback_server")] {
            let private = text(&cobo, &format!("/keys/{key}/private_pkcs8_pem"));
            home.write(&format!("keys/cobo-{name}.pem"), private);
            let public = text(&cobo, &format!("/keys/{key}/public_spki_pem"));
            home.write(&format!("cobo-{name}-public.pem"), public);
        }
        home
    }

    /// Where a file of this name is.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file that nobody else may read, in place of one that is there.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(content.as_bytes()));
        written.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    }
}

/// PKCS#8, from hex to PEM.
fn pem(der: &str) -> String {
    let der = lower_hex("pkcs8_der_hex", der).expect("the vectors are lower-case hex");
    let base64 = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}
