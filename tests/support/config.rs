//! The text of configurations: what every test needs, once.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};

/// Listeners on free ports, the keys of [`super::home::Home`], and these tables.
pub(crate) fn proxy(tables: &[String]) -> String {
    listening(LISTENERS, tables)
}

/// The same with the lines of `[listen]` given.
pub(crate) fn listening(listeners: &str, tables: &[String]) -> String {
    format!("[listen]\n{listeners}{STORE}{}", tables.concat())
}

/// One pool for all connections of clients, where a test counts those to an upstream: else each core has
/// its own.
pub(crate) const ONE_POOL: &str = "\n[process]\nruntime = \"work_stealing\"\n";

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

/// Answers a Cobo node at the gateway's `/cobo/`, as the vectors' callback server, from the service
/// at `service`. `lines` are more of the route.
pub(crate) fn cobo_callback(service: &str, lines: &str) -> String {
    format!(
        r#"
[keys.cobo_server]
store = "files"
entry = "cobo-server.pem"

[routes.cobo]
scheme = "cobo_callback"
keys = {{ signer = "cobo_server" }}
params.verify_with = "cobo-node-public.pem"
upstream = "cobo_service"
{lines}

[upstreams.cobo_service]
url = "{service}"
"#
    )
}

/// Answers a Cobo node at the gateway's `/cobo/` by rules: `lines` are those of `decide`.
pub(crate) fn cobo_rules(lines: &str) -> String {
    format!(
        r#"
[keys.cobo_server]
store = "files"
entry = "cobo-server.pem"

[routes.cobo]
scheme = "cobo_callback"
keys = {{ signer = "cobo_server" }}
params.verify_with = "cobo-node-public.pem"

[routes.cobo.decide]
audit = "audit.jsonl"
{lines}
"#
    )
}

/// Asks the callback server at `server` as the vectors' node, for callback.example.com.
pub(crate) fn cobo_client(server: &str, lines: &str) -> String {
    format!(
        r#"
[keys.cobo_node]
store = "files"
entry = "cobo-node.pem"

[routes.node]
host = "callback.example.com"
scheme = "cobo_client"
keys = {{ signer = "cobo_node" }}
params.verify_with = "cobo-server-public.pem"
upstream = "cobo_server"
{lines}

[upstreams.cobo_server]
url = "{server}"
"#
    )
}

/// Opens TLS inside CONNECT with the authority in [`CA_FILE`] and [`CA_KEY_FILE`].
pub(crate) const INTERCEPT: &str = r#"
[intercept]
ca_cert = "ca.pem"
ca_key = "ca_key"

[secrets.ca_key]
store = "files"
entry = "ca-key.pem"
"#;
/// Where the authority's certificate is, below a home.
pub(crate) const CA_FILE: &str = "ca.pem";
/// Where its key is.
pub(crate) const CA_KEY_FILE: &str = "keys/ca-key.pem";

/// Signs for the hosts of Loopring with [`super::home::Home`]'s key and sends to `origin`: a route
/// for each endpoint, with these lines beside host, scheme and upstream.
pub(crate) fn loopring(origin: &str, routes: &[(&str, &str, &str)]) -> String {
    let mut text = format!(
        r#"
[keys.loopring]
store = "files"
entry = "loopring.txt"
algorithm = "eddsa_babyjub"

[secrets.loopring_api_key]
store = "files"
entry = "loopring.api_key"

[upstreams.loopring_origin]
url = "{origin}"
"#
    );
    for (name, host, lines) in routes {
        text.push_str(&format!(
            "\n[routes.{name}]\nhost = \"{host}\"\nscheme = \"loopring\"\n\
             upstream = \"loopring_origin\"\n{lines}\n"
        ));
    }
    text
}

/// Asks clients for the tokens of [`client_tokens`], once [`TOKENS_FILE`] has them.
pub(crate) const TOKENS: &str = r#"
[access]
tokens = "client_tokens"

[secrets.client_tokens]
store = "files"
entry = "tokens"
"#;
/// Where they are, below a home.
pub(crate) const TOKENS_FILE: &str = "keys/tokens";

/// What a file of tokens holds for these clients and their tokens.
pub(crate) fn client_tokens(clients: &[(&str, &str)]) -> String {
    let line = |(name, token): &(&str, &str)| {
        let hash = format!("{:?}", digest(&SHA256, token.as_bytes()));
        format!("{name}:{}\n", hash.trim_start_matches("SHA256:"))
    };
    clients.iter().map(line).collect()
}

/// Lines of an upstream: the authority to trust, and the name its certificate is for.
pub(crate) fn trust(server_name: &str, ca: Option<&Path>) -> String {
    let Some(ca) = ca else {
        return String::new();
    };
    format!("ca = \"{}\"\nserver_name = \"{server_name}\"\n", ca.display())
}

/// Passes requests for hosts without a route on, to this machine too.
pub(crate) const PASS: &str =
    "[access]\nunrouted = \"pass\"\npass_private = [\"127.0.0.0/8\", \"::1\", \"0.0.0.0\"]\n";

pub(crate) const LISTENERS: &str = r#"
forward = "127.0.0.1:0"
gateway = "127.0.0.1:0"
admin = "127.0.0.1:0"
"#;
const STORE: &str = r#"
[stores.files]
kind = "file"
dir = "keys"
"#;
