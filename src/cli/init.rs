//! `init`: a commented proxy.toml for the providers named, a key for each, and a CA for their
//! hosts. It asks nothing and overwrites nothing.

use std::fmt::Write as _;
use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::ca::NewCa;
use super::keys::create_private;
use super::{CliError, Exit};
use crate::keys::{Algorithm, PrivateKey};
use crate::scheme::{self, Entry, KeySlot, ParamDoc, REGISTRY, SecretSlot};

#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
    /// A provider to sign for; several with commas between them, or one after the other
    #[arg(long = "provider", required = true, value_name = "NAME", value_delimiter = ',',
          value_parser = provider())]
    providers: Vec<&'static Entry>,
    /// Where proxy.toml and keys/ are written
    #[arg(long, default_value = ".")]
    dir: PathBuf,
}

/// The names that the registry has, for help and completions too.
fn provider() -> impl TypedValueParser<Value = &'static Entry> {
    let names = PossibleValuesParser::new(REGISTRY.iter().map(|entry| entry.name));
    names.map(|name| scheme::find(&name).expect("it is one of the registry's names"))
}

pub(super) fn run(args: &InitArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let mut providers = args.providers.clone();
    providers.sort_by_key(|entry| entry.name);
    providers.dedup_by_key(|entry| entry.name);
    // "./proxy.toml" is a longer way to say the same.
    let dir = args.dir.strip_prefix(".").unwrap_or(&args.dir);
    let config = dir.join("proxy.toml");
    let ca = dir.join("ca.pem");
    for file in [&config, &ca] {
        if file.exists() {
            let what = format!("{} exists already", file.display());
            return Err(CliError::new(Exit::Failed, what).fix("write elsewhere with --dir"));
        }
    }
    let keys = dir.join("keys");
    // A mode cannot be set on a directory that is there already: its files' modes guard the keys.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&keys);
    made.map_err(|error| CliError::at(&keys, &error))?;
    // Said at the end: with the output closed, there would be keys and no configuration.
    let mut said = Vec::new();
    for entry in &providers {
        for slot in entry.keys {
            make_key(&keys, entry, slot, &mut said)?;
        }
    }
    let hosts: Vec<String> = hosted(&providers).map(|entry| entry.host.to_owned()).collect();
    if !hosts.is_empty() {
        let key = keys.join("ca-key.pem");
        said.extend(NewCa { certificate: &ca, key: Some(&key), hosts: &hosts }.make()?);
        said.push(b'\n');
    }
    std::fs::write(&config, configuration(&providers))
        .map_err(|error| CliError::at(&config, &error))?;
    out.write_all(&said)?;
    writeln!(out, "wrote {}", config.display())?;
    next_steps(&config, &ca, &providers, out)
}

/// The providers that programs ask by their hosts; the others ask us.
fn hosted<'a>(providers: &[&'a Entry]) -> impl Iterator<Item = &'a Entry> {
    providers.iter().copied().filter(|entry| !entry.is_envelope())
}

fn make_key(
    dir: &Path,
    entry: &Entry,
    slot: &KeySlot,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let path = dir.join(file_name(entry, slot));
    let key = PrivateKey::generate(first(slot));
    create_private(&path, key.to_text().as_bytes())?;
    let (public, form) = (key.public_key(), entry.public_form);
    writeln!(out, "made {} ({}, mode 0600; back it up)", path.display(), public.algorithm())?;
    writeln!(out, "  fingerprint  {}", public.fingerprint())?;
    if let Some(form) = form {
        writeln!(out, "  register this public key with {} ({}):", entry.name, form.name)?;
        let written = (form.write)(&public);
        writeln!(out, "  {}", written.trim_end().replace('\n', "\n  "))?;
    }
    Ok(writeln!(out)?)
}

/// One key to a provider is the rule, and then it has the provider's name.
fn key_name(entry: &Entry, slot: &KeySlot) -> String {
    if entry.keys.len() == 1 { entry.name.into() } else { format!("{}-{}", entry.name, slot.name) }
}

fn first(slot: &KeySlot) -> Algorithm {
    *slot.algorithms.first().expect("a slot takes some algorithm")
}

fn file_name(entry: &Entry, slot: &KeySlot) -> String {
    format!("{}.{}", key_name(entry, slot), first(slot).file_extension())
}

/// The file. It holds what is needed and says where the rest is described.
fn configuration(providers: &[&Entry]) -> String {
    let mut text = String::from(HEAD);
    if hosted(providers).next().is_some() {
        text.push_str(INTERCEPT);
    }
    for entry in providers {
        for slot in entry.keys {
            let (name, algorithm) = (key_name(entry, slot), first(slot));
            let file = file_name(entry, slot);
            let _infallible = writeln!(
                text,
                "[keys.{name}]\nstore = \"files\"\nentry = \"{file}\"\nalgorithm = \"{algorithm}\"\n"
            );
        }
    }
    for entry in providers {
        for slot in entry.secrets {
            let (name, file) = (secret_name(entry, slot), slot.file);
            let table =
                format!("[secrets.{name}]\nstore = \"files\"\nentry = \"{file}\"\nwatch = true\n");
            let table = if slot.required { table } else { commented(&table) };
            let _infallible = writeln!(text, "{table}");
        }
    }
    text.push_str(ROUTES);
    for entry in providers {
        route(entry, &mut text);
    }
    text
}

/// The route of a provider, with all that must be there and what else there could be.
fn route(entry: &Entry, text: &mut String) {
    let (name, host, summary) = (entry.name, entry.host, entry.summary);
    let place = if entry.is_envelope() {
        // docs/decide.md has what can stand in its place.
        format!("upstream = \"{name}_service\"")
    } else {
        format!("host = \"{host}\"")
    };
    let _infallible =
        writeln!(text, "\n# {summary}\n[routes.{name}]\n{place}\nscheme = \"{name}\"");
    let keys = entry.keys.iter().map(|slot| (slot.name, key_name(entry, slot)));
    let secrets = required_secrets(entry).map(|slot| (slot.name, secret_name(entry, slot)));
    for (table, slots) in [("keys", slots(keys)), ("secrets", slots(secrets))] {
        if !slots.is_empty() {
            let _infallible = writeln!(text, "{table} = {{ {slots} }}");
        }
    }
    if required_secrets(entry).next().is_none() {
        for slot in entry.secrets {
            let (secret, doc) = (secret_name(entry, slot), slot.doc);
            let _infallible = writeln!(text, "# secrets.{} = \"{secret}\"   # {doc}", slot.name);
        }
    }
    // Empty where only the reader knows: `check` says so, and no guess goes unnoticed.
    for param in entry.params {
        let chosen = entry.example.params.iter().find(|(name, _)| *name == param.name);
        let (mark, value) = match chosen {
            Some((_, value)) => ("", *value),
            None if param.required => ("", param.default),
            None if param.default.is_empty() => continue,
            None => ("#", param.default),
        };
        let _infallible = writeln!(text, "{mark}params.{} = \"{value}\"", param.name);
    }
    if entry.is_envelope() {
        let _infallible = writeln!(text, "\n[upstreams.{name}_service]\nurl = \"http://{host}\"");
    }
    if !entry.example.routes.is_empty() {
        let _infallible = write!(text, "\n{}", commented(entry.example.routes));
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

fn slots(pairs: impl Iterator<Item = (&'static str, String)>) -> String {
    pairs.map(|(slot, name)| format!("{slot} = \"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// The secrets a provider's route is wrong without. Others are a choice that is not made here.
fn required_secrets(entry: &Entry) -> impl Iterator<Item = &'static SecretSlot> {
    entry.secrets.iter().filter(|slot| slot.required)
}

fn required_params(entry: &Entry) -> impl Iterator<Item = &'static ParamDoc> {
    entry.params.iter().filter(|param| param.required)
}

fn secret_name(entry: &Entry, slot: &SecretSlot) -> String {
    format!("{}_{}", entry.name, slot.name)
}

const HEAD: &str = "\
# countersign's configuration. Every setting is described in proxy.toml.example.
#
#   countersign check      reads this file, opens every key, starts nothing
#   countersign run        serves

[listen]
forward = \"127.0.0.1:8080\"   # http_proxy=http://127.0.0.1:8080
gateway = \"127.0.0.1:8081\"   # http://127.0.0.1:8081/<route>/path
admin = \"127.0.0.1:8089\"     # /healthz, /readyz, /metrics

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

fn next_steps(
    config: &Path,
    ca: &Path,
    providers: &[&Entry],
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let keys = config.with_file_name("keys");
    let (config, ca) = (config.display(), ca.display());
    writeln!(out, "\nnext:")?;
    for entry in providers {
        for slot in required_secrets(entry) {
            let path = keys.join(slot.file);
            writeln!(
                out,
                "  put the {} for {} into {}, mode 0600",
                slot.name,
                entry.name,
                path.display()
            )?;
        }
        for param in required_params(entry) {
            writeln!(out, "  write {} in [routes.{}]: {}", param.name, entry.name, param.doc)?;
        }
    }
    writeln!(out, "  countersign check {config}")?;
    let called = providers.iter().filter(|entry| !entry.is_envelope());
    let called: Vec<_> =
        called.map(|entry| format!("{}s://{}/…", entry.protocol, entry.host)).collect();
    if !called.is_empty() {
        let called = called.join(", ");
        writeln!(out, "  countersign exec --config {config} -- your-program   # calls {called}")?;
    }
    writeln!(out, "or, for many programs:\n  countersign run {config}")?;
    for entry in providers {
        let (name, host) = (entry.name, entry.host);
        if entry.is_envelope() {
            writeln!(out, "  callers ask http://127.0.0.1:8081/{name}/…; http://{host} answers")?;
            continue;
        }
        if entry.protocol == "ws" {
            writeln!(out, "  your-program   # calls ws://127.0.0.1:8081/{name}/…")?;
            continue;
        }
        writeln!(out, "  http_proxy=http://127.0.0.1:8080 your-program   # calls http://{host}/…")?;
        writeln!(out, "  curl http://127.0.0.1:8081/{name}/…")?;
        writeln!(out, "  curl --cacert {ca} --proxy http://127.0.0.1:8080 https://{host}/…")?;
    }
    Ok(())
}
