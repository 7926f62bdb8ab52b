//! The configuration `init` writes: the tables of each provider, with what must be there and what
//! else there could be.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::placed::{PASSPHRASE, Placed};
use super::required::{hosted, required_secrets, service};
use crate::scheme::{Entry, SecretSlot};

/// A whole file. `port` is that of the forward listener, the others follow it.
pub(super) fn whole(port: u16, providers: &[Arc<Entry>], keys: &[Placed], config: &Path) -> String {
    let (gateway, admin) = (port + GATEWAY, port + ADMIN);
    let mut text = HEAD
        .replace("{forward}", &port.to_string())
        .replace("{gateway}", &gateway.to_string())
        .replace("{admin}", &admin.to_string());
    text.push_str(STORE);
    if hosted(providers).next().is_some() {
        text.push_str(INTERCEPT);
    }
    stores_and_keys(keys, &mut text);
    secrets(providers, "files", &mut text);
    text.push_str(ROUTES);
    providers.iter().for_each(|entry| route(entry, config, &mut text));
    text
}

/// What is put behind a file that is there: new tables alone. `store` is where secrets are; with
/// `made`, it is not there yet.
pub(super) fn addition(
    providers: &[Arc<Entry>],
    keys: &[Placed],
    config: &Path,
    (store, made): (&str, bool),
) -> String {
    let mut text = String::from("\n");
    if made {
        text.push_str(STORE);
    }
    stores_and_keys(keys, &mut text);
    secrets(providers, store, &mut text);
    // A route begins with an empty line of its own.
    text.truncate(text.trim_end().len());
    text.push_str(if text.is_empty() { "" } else { "\n" });
    providers.iter().for_each(|entry| route(entry, config, &mut text));
    text
}

fn stores_and_keys(keys: &[Placed], text: &mut String) {
    for Placed { own_store, .. } in keys {
        let Some(own) = own_store else { continue };
        let (name, dir) = (&own.name, &own.dir);
        let _infallible = writeln!(text, "[stores.{name}]\nkind = \"file\"\ndir = {dir:?}");
        if own.encrypted {
            let _infallible = writeln!(text, "passphrase_env = \"{PASSPHRASE}\"");
        }
        text.push('\n');
    }
    for Placed { name, store, file, algorithm, .. } in keys {
        let _infallible = writeln!(
            text,
            "[keys.{name}]\nstore = \"{store}\"\nentry = {file:?}\nalgorithm = \"{algorithm}\"\n"
        );
    }
}

fn secrets(providers: &[Arc<Entry>], store: &str, text: &mut String) {
    for entry in providers {
        for slot in &entry.secrets {
            let (name, file) = (secret_name(entry, slot), &slot.file);
            let table = format!(
                "[secrets.{name}]\nstore = \"{store}\"\nentry = \"{file}\"\nwatch = true\n"
            );
            let table = if slot.required { table } else { commented(&table) };
            let _infallible = writeln!(text, "{table}");
        }
    }
}

/// The route of a provider, with all that must be there and what else there could be.
fn route(entry: &Entry, config: &Path, text: &mut String) {
    let (name, host, summary) = (&entry.name, &entry.host, &entry.summary);
    let place = if entry.is_envelope() {
        // docs/decide.md has what can stand in its place.
        format!("upstream = \"{name}_service\"")
    } else {
        format!("host = \"{host}\"")
    };
    let _infallible =
        writeln!(text, "\n# {summary}\n[routes.{name}]\n{place}\nscheme = \"{name}\"");
    let keys = entry.keys.iter().map(|slot| (slot.name.as_ref(), Placed::name(entry, slot)));
    let secrets =
        required_secrets(entry).map(|slot| (slot.name.as_ref(), secret_name(entry, slot)));
    for (table, slots) in [("keys", slots(keys)), ("secrets", slots(secrets))] {
        if !slots.is_empty() {
            let _infallible = writeln!(text, "{table} = {{ {slots} }}");
        }
    }
    if required_secrets(entry).next().is_none() {
        for slot in &entry.secrets {
            let (secret, doc) = (secret_name(entry, slot), &slot.doc);
            let _infallible = writeln!(text, "# secrets.{} = \"{secret}\"   # {doc}", slot.name);
        }
    }
    // Empty where only the reader knows: `check` says so, and no guess goes unnoticed.
    for param in &entry.params {
        let chosen = entry.example.params.iter().find(|(name, _)| *name == param.name);
        let (mark, value) = match chosen {
            Some((_, value)) => ("", value),
            None if param.required => ("", &param.default),
            None if param.default.is_empty() => continue,
            None => ("#", &param.default),
        };
        let _infallible = writeln!(text, "{mark}params.{} = \"{value}\"", param.name);
    }
    if entry.is_envelope() {
        let url = service(entry, config);
        let _infallible = writeln!(
            text,
            "\n# The service speaks HTTP at this socket. At a port of this machine anybody could answer.\n\
             [upstreams.{name}_service]\nurl = {url:?}"
        );
    }
    if !entry.example.routes.is_empty() {
        let _infallible = write!(text, "\n{}", commented(&entry.example.routes));
    }
}

/// TOML that is there to be read; what is a comment already stays as it is.
fn commented(toml: &str) -> String {
    let line = |line: &str| match line {
        "" => "\n".to_owned(),
        line if line.starts_with('#') => format!("{line}\n"),
        line => format!("# {line}\n"),
    };
    toml.lines().map(line).collect()
}

fn slots<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> String {
    pairs.map(|(slot, name)| format!("{slot} = \"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// The name of a secret under `[secrets]`.
pub(super) fn secret_name(entry: &Entry, slot: &SecretSlot) -> String {
    format!("{}_{}", entry.name, slot.name)
}

/// How far the ports of the other listeners are from that of the forward listener.
pub(super) const GATEWAY: u16 = 1;
pub(super) const ADMIN: u16 = 9;

const HEAD: &str = "\
# countersign's configuration. Every setting is described by `countersign example`.
#
#   countersign check      reads this file, opens every key, starts nothing
#   countersign run        serves

[listen]
forward = \"127.0.0.1:{forward}\"   # http_proxy=http://127.0.0.1:{forward}
gateway = \"127.0.0.1:{gateway}\"   # http://127.0.0.1:{gateway}/<route>/path
admin = \"127.0.0.1:{admin}\"     # /healthz, /readyz, /metrics

";

const STORE: &str = "\
[stores.files]
kind = \"file\"
dir = \"keys\"                 # beside this file; readable by you alone

";

const INTERCEPT: &str = "\
# Programs that call https:// are shown a certificate of this CA, which they have to
# trust: countersign ca export --help. It can vouch for the hosts below and no others.
[intercept]
ca_cert = \"ca.pem\"
ca_key = \"intercept_ca\"

[secrets.intercept_ca]
store = \"files\"
entry = \"ca-key.pem\"

";

const ROUTES: &str = "\
# A request takes the route of its host. What the program writes as http://HOST/...
# leaves over TLS, signed. Point it elsewhere (a sandbox) with an [upstreams] table.
";
