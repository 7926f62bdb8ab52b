//! The digest of a configuration: equal when two processes would do the same with a request.
//!
//! It covers what was resolved, not how it was written, and the certificates and public keys that
//! are read from files. Of keys and secrets it covers store and entry, never a byte of theirs: it
//! is shown to whoever may ask whether the proxy is ready, and a hash of something short can be
//! guessed. Where it listens is not in it, as port 0 becomes another one; nor what it logs and what its process gives up.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{Hash as _, Hasher};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::config::{Config, Listen, LogFormat, Process, Route};

/// SHA-256 in lower-case hex, for this version of the program on this kind of machine.
pub(super) fn digest(config: &Config) -> String {
    let mut state = State(Sha256::new());
    env!("CARGO_PKG_VERSION").hash(&mut state);
    for path in read(config) {
        fs::read(path).ok().hash(&mut state);
    }
    placed(config).hash(&mut state);
    base16ct::lower::encode_string(&state.0.finalize())
}

/// The files that a configuration names and everybody may know.
fn read(config: &Config) -> impl Iterator<Item = &PathBuf> {
    let authority = config.intercept.iter().map(|intercept| &intercept.ca_cert);
    let upstreams = config.upstreams.values().flat_map(|upstream| {
        let client = upstream.client.as_ref().map(|client| &client.cert);
        upstream.ca.iter().chain(&upstream.via_ca).chain(client)
    });
    let halves = config.routes.values().flat_map(Route::halves);
    let params = halves.flat_map(|route| route.files.values().flatten());
    let shared = config.shared.iter().filter_map(|shared| shared.ca.as_ref());
    authority.chain(upstreams).chain(params).chain(shared)
}

/// The same configuration wherever it was read from: a path says the same in every working
/// directory, and what is not in the digest is nothing.
fn placed(config: &Config) -> Config {
    let mut placed = config.clone();
    placed.path = PathBuf::new();
    placed.scheme_files.clear();
    placed.listen = Listen { forward: None, gateway: None, admin: None, user: None };
    (placed.log.level, placed.log.format) = (String::new(), LogFormat::Text);
    placed.process = Process::default();
    for store in placed.stores.values_mut() {
        if let Some(directory) = store.kind.directory(&mut store.settings) {
            *directory = absolute(Path::new(directory)).into();
        }
        for directory in store.settings.secret_directories() {
            *directory = absolute(Path::new(directory)).into();
        }
    }
    let authority = placed.intercept.iter_mut().map(|intercept| &mut intercept.ca_cert);
    let upstreams = placed.upstreams.values_mut().flat_map(|upstream| {
        let client = upstream.client.as_mut().map(|client| &mut client.cert);
        upstream.ca.iter_mut().chain(&mut upstream.via_ca).chain(client)
    });
    let routes = placed.routes.values_mut().flat_map(|route| {
        // Whether a default is written down makes no difference.
        route.fields.clear();
        let next = route.next.as_mut().map(|next| {
            next.route.fields.clear();
            &mut next.route.files
        });
        let audit = route.decide.as_mut().map(|decide| &mut decide.audit);
        let files = [&mut route.files].into_iter().chain(next);
        files.flat_map(BTreeMap::values_mut).flatten().chain(audit)
    });
    let audit = placed.audit.iter_mut().map(|audit| &mut audit.file);
    let shared = placed.shared.iter_mut().filter_map(|shared| shared.ca.as_mut());
    let audit = audit.chain(shared);
    for path in authority.chain(upstreams).chain(routes).chain(audit).chain(&mut placed.state) {
        *path = absolute(path);
    }
    placed
}

/// From the root on, with the directory as it is behind links; the file itself may not exist yet.
fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().and_then(|parent| fs::canonicalize(parent).ok());
    match (directory, path.file_name()) {
        (Some(directory), Some(name)) => directory.join(name),
        _ => path,
    }
}

/// Hashing as the standard library has it, into SHA-256.
struct State(Sha256);

impl Hasher for State {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("nobody asks for the short form")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
[listen]
forward = "127.0.0.1:8080"
[stores.files]
kind = "file"
dir = "keys"
[stores.hsm]
kind = "pkcs11"
module = "/usr/lib/module.so"
pin = "file:keys/pin"
[keys]
other = "pkcs11:object=a?module-path=/usr/lib/module.so&pin-value=3141"
[keys.k]
store = "files"
entry = "k.pem"
[routes.r]
host = "api.sinohope.com"
scheme = "sinohope"
keys = { signer = "k" }
upstream = "u"
[upstreams.u]
url = "https://api.sinohope.com"
ca = "ca.pem"
"#;

    fn of(text: &str, path: &Path) -> String {
        digest(&Config::parse(text, path).unwrap_or_else(|errors| panic!("{errors}")))
    }

    #[test]
    fn what_is_done_with_a_request_is_in_it_and_how_it_is_written_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("proxy.toml");
        let plain = of(CONFIG, &path);
        for (from, to, same) in [
            ("[listen]", "# a remark\n[listen]", true),
            ("keys = {", "path = \"/\"\nkeys = {", true),
            ("8080", "8081", true),
            ("[stores", "[log]\nlevel = \"debug\"\n[stores", true),
            ("\"keys\"", "\"./keys\"", true),
            ("\"keys\"", "\"sandbox\"", false),
            ("k.pem", "l.pem", false),
            ("keys/pin", "keys/other", false),
            // Who is shown a hash of it can try them all.
            ("3141", "5926", true),
            ("https://api", "https://sandbox", false),
            ("ca.pem", "other.pem", false),
            ("[stores", "[limits]\ntunnels = 7\n[stores", false),
            ("[stores", "[access]\nunrouted = \"pass\"\n[stores", false),
            ("[stores", "[access]\npass_private = [\"10.0.0.0/8\"]\n[stores", false),
        ] {
            let text = CONFIG.replacen(from, to, 1);
            assert_ne!(text, CONFIG, "{from}");
            assert_eq!(of(&text, &path) == plain, same, "{from} → {to}");
        }
        fs::write(directory.path().join("ca.pem"), "another authority").expect("a file");
        assert_ne!(of(CONFIG, &path), plain, "a file that is read has changed");
    }

    #[test]
    fn from_where_a_configuration_is_read_makes_no_difference() {
        let directory = tempfile::tempdir().expect("a directory");
        let real = directory.path().join("real");
        fs::create_dir(&real).expect("a directory");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        let plain = of(CONFIG, &real.join("proxy.toml"));
        assert_eq!(of(CONFIG, &link.join("copy.toml")), plain);
        assert_ne!(of(CONFIG, &directory.path().join("proxy.toml")), plain, "other keys");
    }
}
