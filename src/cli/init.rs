//! `init`: a commented configuration for the providers named, a key for each, and a CA for their
//! hosts; or the tables of another provider behind a configuration that is there. It asks nothing
//! and overwrites nothing.

mod add;
mod next;
mod placed;
mod required;
mod written;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use self::next::Next;
use self::placed::{Given, Store, assign, given, place};
use self::required::hosted;
use super::ca::NewCa;
use super::config_file::{ConfigFile, DEFAULT};
use super::keys::create_public;
use super::{CliError, Exit};
use crate::scheme::{Entry, Registry};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A key that exists stays where it is, and is named in the configuration: it must be readable by its
owner alone, and may be in any form. To have a copy in another form, see countersign keys import.

  countersign init --provider sinohope --key ~/keys/sinohope.pem
  countersign init --provider sinohope,metasv --key metasv=metasv.wif
  countersign init --add --provider metasv")]
pub(super) struct InitArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// A provider to sign for; several with commas between them, or one after the other
    #[arg(long = "provider", required = true, value_name = "NAME", value_delimiter = ',',
          value_parser = provider())]
    providers: Vec<Arc<Entry>>,
    /// The file of a key that exists, in place of a new one
    #[arg(long = "key", value_name = "[PROVIDER=]FILE", value_parser = given)]
    keys: Vec<Given>,
    /// Add the providers to a configuration that is there; nothing in it is changed
    #[arg(long)]
    add: bool,
    /// Where proxy.toml and keys/ are written [default: .]
    #[arg(long, conflicts_with_all = ["positional", "option"])]
    dir: Option<PathBuf>,
    /// The port of the forward listener; the gateway's is the next, the admin listener's 9 further
    #[arg(long, default_value_t = 8080, conflicts_with = "add",
          value_parser = clap::value_parser!(u16).range(1..=i64::from(u16::MAX - written::ADMIN)))]
    port: u16,
}

/// The names that the registry has, for help and completions too.
pub(super) fn provider() -> impl TypedValueParser<Value = Arc<Entry>> {
    let schemes = Registry::built_in();
    let names: Vec<String> = schemes.names().map(str::to_owned).collect();
    let found = move |name: String| schemes.find(&name).map(Arc::clone);
    let names = PossibleValuesParser::new(names);
    names.map(move |name| found(name).expect("it is one of the registry's names"))
}

pub(super) fn run(args: &InitArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let mut providers = args.providers.clone();
    providers.sort_by(|one, other| one.name.cmp(&other.name));
    providers.dedup_by(|one, other| one.name == other.name);
    let config = match &args.dir {
        // "./proxy.toml" is a longer way to say the same.
        Some(dir) => dir.strip_prefix(".").unwrap_or(dir).join(DEFAULT),
        None => args.config.path().to_owned(),
    };
    let schemes = Registry::built_in();
    if let Some(entry) = config.to_str().and_then(|name| schemes.find(name)) {
        let what = format!("{} is a provider, and stands where the file's name does", entry.name);
        return Err(CliError::new(Exit::Usage, what).fix("name providers with --provider a,b"));
    }
    let files = assign(&args.keys, &providers)?;
    if args.add {
        return add::run(&config, &providers, &files, out);
    }
    let ca = config.with_file_name("ca.pem");
    let add = "add to it with --add, or write elsewhere with --dir";
    for (file, fix) in [(&config, add), (&ca, "write elsewhere with --dir")] {
        if file.exists() {
            let what = format!("{} exists already", file.display());
            return Err(CliError::new(Exit::Failed, what).fix(fix));
        }
    }
    let store = Store { name: "files".into(), dir: config.with_file_name("keys") };
    // Said at the end: with the output closed, there would be keys and no configuration.
    let mut said = Vec::new();
    let keys = place(&providers, &files, &store, &config, &mut said)?;
    let hosts: Vec<String> = hosted(&providers).map(|entry| entry.host.to_string()).collect();
    if !hosts.is_empty() {
        let key = store.dir.join("ca-key.pem");
        said.extend(NewCa { certificate: &ca, key: Some(&key), hosts: &hosts }.make()?);
        said.push(b'\n');
    }
    // Whatever the umask says: what others may write is not read.
    create_public(&config, written::whole(args.port, &providers, &keys, &config).as_bytes())?;
    out.write_all(&said)?;
    writeln!(out, "wrote {}", config.display())?;
    let local = |port| Some(format!("127.0.0.1:{port}"));
    Next {
        config: &config,
        secrets: &store.dir,
        ca: Some(&ca),
        steps: keys.iter().filter_map(|key| key.step(&store.dir)).collect(),
        forward: local(args.port),
        gateway: local(args.port + written::GATEWAY),
    }
    .say(&providers, out)
}
