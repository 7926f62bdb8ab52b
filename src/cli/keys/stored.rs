//! Keys in a store of the configuration: made there, put there, shown.

use std::path::{Path, PathBuf};

use crate::cli::config_file::DEFAULT;
use crate::cli::error::CliError;
use crate::cli::runtime;
use crate::config::{Config, ConfigErrors};
use crate::keys::{Algorithm, KeySpec, KeyStore, PrivateKey, PublicKey};

/// Where a key goes, in place of a file.
#[derive(Debug, clap::Args)]
pub(super) struct Stored {
    /// A store of the configuration, which the key will not leave.
    #[arg(long, value_name = "NAME", requires = "entry", conflicts_with_all = ["out", "encrypt"])]
    store: Option<String>,
    /// What the key is called there: for kind \"pkcs11\" a label, or object=…;id=%01.
    #[arg(long, requires = "store")]
    entry: Option<String>,
    /// The configuration that has the store [default: proxy.toml]
    #[arg(long, value_name = "FILE", requires = "store")]
    config: Option<PathBuf>,
}

impl Stored {
    /// Makes a key there.
    pub(super) fn create(
        &self,
        algorithm: Algorithm,
        bits: Option<usize>,
    ) -> Result<PublicKey, CliError> {
        let (store, entry) = self.open()?;
        Ok(runtime()?.block_on(store.create(entry, algorithm, bits))?)
    }

    /// Puts a key there.
    pub(super) fn import(&self, key: PrivateKey) -> Result<PublicKey, CliError> {
        let (store, entry) = self.open()?;
        Ok(runtime()?.block_on(store.import(entry, key))?)
    }

    fn open(&self) -> Result<(KeyStore, &str), CliError> {
        let (Some(store), Some(entry)) = (&self.store, &self.entry) else {
            return Err(CliError::failed("no store is named", "write --store and --entry"));
        };
        Ok((open(store, self.config.as_deref())?, entry))
    }
}

/// The public half of an entry.
pub(super) fn show(
    store: &str,
    config: Option<&Path>,
    entry: &Path,
    algorithm: Option<Algorithm>,
) -> Result<PublicKey, CliError> {
    let store = open(store, config)?;
    let key = KeySpec::of(&entry.to_string_lossy(), algorithm);
    Ok(runtime()?.block_on(store.open(&key))?.public_key().clone())
}

fn open(name: &str, config: Option<&Path>) -> Result<KeyStore, CliError> {
    let path = config.unwrap_or_else(|| Path::new(DEFAULT));
    // Keys come before the routes that use them: what else is wrong does not matter yet.
    let (config, wrong) = Config::attempt(path)?;
    // A store may be a command, which nobody else may choose.
    let distrusted = config.distrusted();
    if !distrusted.is_empty() {
        return Err(ConfigErrors::new(path.to_owned(), distrusted).into());
    }
    match (config.stores.get(name), wrong) {
        (Some(store), _) => Ok((store.kind.open)(&store.settings)),
        (None, Some(wrong)) => Err(wrong.into()),
        (None, None) => Err(CliError::failed(
            format!("{} has no store {name:?}", path.display()),
            format!("add [stores.{name}] to it, or name one that it has"),
        )),
    }
}
