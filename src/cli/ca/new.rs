//! `ca new`: a CA for the routed hosts, its key where the configuration looks for it. Nothing that
//! exists is overwritten.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::reach::{hosts_of, write_reach};
use crate::cli::keys::{create_private, create_public};
use crate::cli::relative::relative;
use crate::cli::{CliError, ConfigFile};
use crate::config::Config;
use crate::moment::unix_ms;
use crate::secret::Secret;
use crate::tls::{CaCertificate, NewAuthority};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
What clients trust is a root whose key is thrown away; what signs is an intermediate below it. Both
are constrained to the hosts of the routes, so that the key that is kept is worth those and no others
to a thief. X.509 knows no narrower constraint than a name and all below it. A new host takes a new
root; `countersign check` says so.

Where [intercept] is written, certificate and key go where it looks for them: ca_cert is the root
alone, ca_key the intermediate's key with its certificate. Where that is in a store that is no
directory: countersign ca new --key-out - | your-secret-manager")]
pub(super) struct NewArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Write ca.pem and ca-key.pem into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the key, with its certificate, into this file; - prints both, and nothing else, to
    /// standard output
    #[arg(long, value_name = "FILE")]
    key_out: Option<PathBuf>,
    /// For how many days it is valid
    #[arg(long, default_value_t = DAYS, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Make one that may vouch for every host: whoever steals its key can pose as any
    #[arg(long)]
    unconstrained: bool,
}

/// Two years: short enough to be made anew now and then.
pub(super) const DAYS: u32 = 730;

pub(super) fn run(args: &NewArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let config = Config::load(args.config.path())?;
    let hosts = if args.unconstrained { Vec::new() } else { hosts_of(&config) };
    if hosts.is_empty() && !args.unconstrained {
        let what = format!("no route of {} has a host", config.path.display());
        return Err(CliError::failed(what, "give a route a host: the CA is made for those"));
    }
    let certificate = certificate_place(args, &config);
    let key = key_place(args, &config)?;
    let new = NewCa { certificate: &certificate, key: key.as_deref(), hosts: &hosts };
    let (pem, mut said) = new.write(args.days)?;
    if config.intercept.is_none() {
        write_lines(&config, &certificate, key.as_deref(), &mut said)?;
    }
    writeln!(said, "\nclients have to trust it: countersign ca export --help")?;
    if key.is_some() {
        return Ok(out.write_all(&said)?);
    }
    let _closed = io::stderr().write_all(&said);
    Ok(out.write_all(pem.expose())?)
}

/// A CA that is to be made.
pub(in crate::cli) struct NewCa<'a> {
    pub(in crate::cli) certificate: &'a Path,
    /// The file of the key, unless it goes elsewhere.
    pub(in crate::cli) key: Option<&'a Path>,
    /// All hosts there are, when empty.
    pub(in crate::cli) hosts: &'a [String],
}

impl NewCa<'_> {
    /// Makes it with the usual validity; gives what there is to say about it.
    pub(in crate::cli) fn make(&self) -> Result<Vec<u8>, CliError> {
        self.write(DAYS).map(|(_, said)| said)
    }

    /// Writes both files, or none; gives the key, and what there is to say.
    fn write(&self, days: u32) -> Result<(Secret, Vec<u8>), CliError> {
        for file in self.key.into_iter().chain([self.certificate]) {
            if fs::symlink_metadata(file).is_ok() {
                let what = format!("{} exists already", file.display());
                let fix = "move it away, or write elsewhere with --out: it may be in use";
                return Err(CliError::failed(what, fix));
            }
            make_parent(file)?;
        }
        let new = NewAuthority { hosts: self.hosts, unix_ms: unix_ms(), days };
        let made = new.make().map_err(|error| CliError::failed(error.what, error.fix))?;
        if let Some(file) = self.key {
            create_private(file, made.issuing.expose())?;
        }
        if let Err(error) = create_public(self.certificate, made.root.as_bytes()) {
            // Nobody has the key yet, and it would be in the way of the next try.
            let _gone = self.key.map(fs::remove_file);
            return Err(error);
        }
        let said = self.said(&made.root)?;
        Ok((made.issuing, said))
    }

    fn said(&self, pem: &str) -> Result<Vec<u8>, CliError> {
        let ca = CaCertificate::read(pem.as_bytes())
            .map_err(|error| CliError::failed(format!("the new CA {error}"), error.fix))?;
        let mut said = Vec::new();
        if let Some(file) = self.key {
            let file = file.display();
            writeln!(said, "made {file} (ecdsa_p256, its certificate; mode 0600; back it up)")?;
        }
        writeln!(
            said,
            "made {} (root CA for HTTPS, its key thrown away; until {})",
            self.certificate.display(),
            ca.validity().1
        )?;
        write_reach(&ca, &mut said)?;
        Ok(said)
    }
}

fn make_parent(file: &Path) -> Result<(), CliError> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    let Some(dir) = dir.filter(|dir| !dir.exists()) else { return Ok(()) };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| CliError::at(dir, &error))
}

fn certificate_place(args: &NewArgs, config: &Config) -> PathBuf {
    match (&args.out, &config.intercept) {
        (Some(dir), _) => dir.join("ca.pem"),
        (None, Some(intercept)) => intercept.ca_cert.clone(),
        (None, None) => directory(config).join("ca.pem"),
    }
}

/// Where the key goes; `None` for standard output.
fn key_place(args: &NewArgs, config: &Config) -> Result<Option<PathBuf>, CliError> {
    if let Some(file) = &args.key_out {
        return Ok((file.as_os_str() != "-").then(|| file.clone()));
    }
    if let Some(dir) = &args.out {
        return Ok(Some(dir.join(KEY)));
    }
    let secret = config.intercept.as_ref().and_then(|i| config.secrets.get(&i.ca_key));
    let Some(secret) = secret else {
        let dir = file_stores(config).next().map(|(_, dir)| dir);
        let dir = dir.unwrap_or_else(|| directory(config).join("keys"));
        return Ok(Some(dir.join(KEY)));
    };
    let store = &config.stores[&secret.store];
    store.file(&secret.entry).map(Some).ok_or_else(|| {
        let place = store.place(&secret.entry);
        let what = format!("the CA's key is looked for in {place}, and this writes files");
        let fix = "add --key-out -, and put what is printed into that variable";
        CliError::failed(what, fix)
    })
}

/// The lines that a configuration without `[intercept]` needs.
fn write_lines(
    config: &Config,
    certificate: &Path,
    key: Option<&Path>,
    said: &mut Vec<u8>,
) -> Result<(), CliError> {
    let base = directory(config);
    writeln!(said, "\nadd to {}:\n", config.path.display())?;
    let certificate = relative(base, certificate)?;
    writeln!(said, "[intercept]\nca_cert = {certificate:?}\nca_key = \"intercept_ca\"\n")?;
    let Some(key) = key else {
        return Ok(writeln!(
            said,
            "[secrets.intercept_ca]\nstore = \"…\"   # where you put the key\nentry = \"…\""
        )?);
    };
    let (dir, entry) = (key.parent().unwrap_or(base), key.file_name().unwrap_or_default());
    let store = file_stores(config).find(|(_, own)| *own == dir).map(|(name, _)| name);
    if store.is_none() {
        let dir = relative(base, dir)?;
        writeln!(said, "[stores.intercept]\nkind = \"file\"\ndir = {dir:?}\n")?;
    }
    let (store, entry) = (store.unwrap_or("intercept"), entry.to_string_lossy());
    writeln!(said, "[secrets.intercept_ca]\nstore = {store:?}\nentry = {entry:?}")?;
    Ok(())
}

/// Stores whose entries are files, and where these are.
fn file_stores(config: &Config) -> impl Iterator<Item = (&str, PathBuf)> {
    config
        .stores
        .iter()
        .filter(|(_, store)| !store.unnamed)
        .filter_map(|(name, store)| Some((name.as_str(), store.directory()?)))
}

/// Where the configuration's relative paths start.
fn directory(config: &Config) -> &Path {
    config.path.parent().unwrap_or_else(|| Path::new(""))
}

const KEY: &str = "ca-key.pem";
