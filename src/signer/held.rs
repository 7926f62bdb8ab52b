//! What a configuration becomes: keys that were opened and tried, grants, and certificates.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use super::grants::Grants;
use crate::config::signer::{Listen, SignerConfig};
use crate::config::{ConfigErrors, Key, Store};
use crate::keys::{KeySpec, KeyStore, PublicKey, Signer, read_private};
use crate::problem::Problem;
use crate::tls::mutual_server;

/// Everything that a request is answered with. A reload makes another.
#[derive(Debug)]
pub(crate) struct Held {
    keys: BTreeMap<String, Arc<dyn Signer>>,
    pub(super) grants: Grants,
    /// Certificates, where the listener is an address.
    pub(super) tls: Option<Arc<ServerConfig>>,
}

impl Held {
    /// Opens every key and has it sign a test.
    ///
    /// # Errors
    ///
    /// Every problem at once.
    pub(crate) async fn open(config: &SignerConfig) -> Result<Self, ConfigErrors> {
        let (mut keys, mut errors) = (BTreeMap::new(), Vec::new());
        for (name, key) in &config.keys {
            let Some(store) = config.stores.get(&key.store) else { continue };
            match opened(name, key, store).await {
                Ok(signer) => {
                    keys.insert(name.clone(), signer);
                }
                Err(problem) => errors.push(problem.of(format_args!("keys.{name}:")).at(key.at)),
            }
        }
        let tls = certificates(&config.listen);
        let tls = tls.map_err(|problem| errors.push(problem)).unwrap_or_default();
        let errors = ConfigErrors::new(config.path.clone(), errors);
        let grants = Grants::new(config.grants.values());
        if errors.errors.is_empty() { Ok(Self { keys, grants, tls }) } else { Err(errors) }
    }

    /// A key.
    pub(super) fn key(&self, name: &str) -> Option<&Arc<dyn Signer>> {
        self.keys.get(name)
    }

    /// The public half of every key, by its name.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&String, &PublicKey)> {
        self.keys.iter().map(|(name, key)| (name, key.public_key()))
    }
}

async fn opened(name: &str, key: &Key, store: &Store) -> Result<Arc<dyn Signer>, Problem> {
    let open = (store.kind.open)(&store.settings);
    let why = match (store.kind.name, &open) {
        ("exec", _) => Some("runs commands, which the signer's sandbox forbids"),
        (_, KeyStore::Signers(_)) => Some("signs elsewhere, and a signer holds its keys itself"),
        (_, KeyStore::Bytes(_)) => None,
    };
    if let Some(why) = why {
        let what = format!("is in a store of kind \"{}\", which {why}", store.kind.name);
        let fix = "keep the key in a store of kind \"file\", \"systemd\" or \"env\"; or name that \
                   store in proxy.toml";
        return Err(Problem::new(what, fix));
    }
    let spec = KeySpec {
        name: name.to_owned(),
        entry: key.entry.clone(),
        algorithm: key.algorithm,
        candidates: key.candidates.clone(),
        encoding: key.encoding,
    };
    let signer = open.open(&spec).await?;
    let public = signer.public_key();
    let failed = |what: String, fix: &str| Err(Problem::new(what, fix).of(&key.entry));
    let wanted = key.public.as_deref().map(|bytes| PublicKey::of(public.algorithm(), bytes));
    if wanted.is_some_and(|wanted| wanted.as_ref() != Some(public)) {
        let what = format!("is the key {}, not the one in `public`", public.fingerprint());
        return failed(what, "correct `public`, or name the entry that belongs to it");
    }
    let content = public.algorithm().probe();
    match tokio::time::timeout(TRIAL, signer.sign(content)).await {
        Ok(Ok(signature)) if public.verifies(content, &signature) => Ok(signer),
        Ok(Ok(_)) => failed("signs, but its signature does not verify".into(), "replace the key"),
        Ok(Err(error)) => failed(error.to_string(), "replace the key"),
        Err(_) => failed(format!("has not signed within {TRIAL:?}"), "see whether its store works"),
    }
}

fn certificates(listen: &Listen) -> Result<Option<Arc<ServerConfig>>, Problem> {
    let Listen::Tls(_, [cert, key, ca]) = listen else { return Ok(None) };
    let read = |path: &std::path::PathBuf| {
        fs::read(path).map_err(|error| {
            Problem::new(error.to_string(), "name a file that this process may read")
                .of(format_args!("{}:", path.display()))
        })
    };
    mutual_server(&read(ca)?, &read(cert)?, &read_private(key)?).map(Some)
}

/// How long a key may take over its test.
const TRIAL: Duration = Duration::from_secs(5);
