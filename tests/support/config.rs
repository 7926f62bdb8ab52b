//! The text of configurations: what every test needs, once.

use std::path::Path;

/// Listeners on free ports, the keys of [`super::home::Home`], and these tables.
pub(crate) fn proxy(tables: &[String]) -> String {
    format!("{LISTENERS_AND_STORE}{}", tables.concat())
}

/// Signs for api.sinohope.com with the vectors' key `test-p256` and sends to `origin`.
///
/// `ca` is the authority of an origin that shows a certificate for that host.
pub(crate) fn sinohope(origin: &str, ca: Option<&Path>) -> String {
    let trust = trust("api.sinohope.com", ca);
    format!(
        r#"
[keys.sinohope]
store = "files"
entry = "sinohope.pem"

[routes.sinohope]
host = "api.sinohope.com"
scheme = "sinohope"
keys = {{ signer = "sinohope" }}
upstream = "sinohope_origin"

[upstreams.sinohope_origin]
url = "{origin}"
{trust}"#
    )
}

/// Signs for apiv2.metasv.com with the vectors' key `test-a` and sends to `origin`.
///
/// `ca` is the authority of an origin that shows a certificate for that host.
pub(crate) fn metasv(origin: &str, ca: Option<&Path>) -> String {
    let trust = trust("apiv2.metasv.com", ca);
    format!(
        r#"
[keys.metasv]
store = "files"
entry = "metasv.hex"
algorithm = "ecdsa_secp256k1"

[routes.metasv]
host = "apiv2.metasv.com"
scheme = "metasv"
keys = {{ signer = "metasv" }}
upstream = "metasv_origin"

[upstreams.metasv_origin]
url = "{origin}"
{trust}"#
    )
}

fn trust(server_name: &str, ca: Option<&Path>) -> String {
    let Some(ca) = ca else {
        return String::new();
    };
    format!("ca = \"{}\"\nserver_name = \"{server_name}\"\n", ca.display())
}

const LISTENERS_AND_STORE: &str = r#"
[listen]
forward = "127.0.0.1:0"
gateway = "127.0.0.1:0"
admin = "127.0.0.1:0"

[stores.files]
kind = "file"
dir = "keys"
"#;
