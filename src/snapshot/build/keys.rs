//! Keys and secrets: opened, compared, and each key tried with a self-test.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::builder::{Builder, Keys, Secrets, Stores};
use crate::config::{self, Problem};
use crate::keys::{KeySpec, KeyStore, PublicKey, Signer, unquoted};
use crate::secret::SecretCell;
use crate::snapshot::LiveKey;
use crate::snapshot::watching::{Stamp, Watched};

impl Builder<'_> {
    pub(super) fn stores(&self) -> Stores {
        let open = |store: &config::Store| (store.kind.open)(&store.settings);
        self.config.stores.iter().map(|(name, store)| (name.clone(), open(store))).collect()
    }

    /// Every key, and what is told of them.
    pub(super) async fn keys(&mut self, stores: &Stores) -> (Keys, Vec<LiveKey>) {
        let (mut keys, mut live) = (Keys::new(), Vec::new());
        for (name, key) in &self.config.keys {
            let written = self.config.stores.get(&key.store);
            let (Some(store), Some(written)) = (stores.get(&key.store), written) else { continue };
            let entry = key.entry.clone();
            let (algorithm, encoding) = (key.algorithm, key.encoding);
            let candidates = key.candidates.clone();
            let spec = KeySpec { name: name.clone(), entry, algorithm, candidates, encoding };
            let limit = self.config.timeouts.sign;
            match tested(store, &spec, key.public.as_deref(), limit).await {
                Ok((signer, took)) => {
                    live.push(LiveKey {
                        name: name.clone(),
                        public_key: signer.public_key().clone(),
                        place: written.place(&key.entry),
                        stays: matches!(store, KeyStore::Signers(_)),
                        took,
                    });
                    keys.insert(name.clone(), signer);
                }
                Err(error) => {
                    self.errors.push(error.of(format_args!("keys.{name}:")).at(key.at));
                }
            }
        }
        (keys, live)
    }

    /// Every secret, and those that are to be watched.
    pub(super) async fn secrets(&mut self, stores: &Stores) -> (Secrets, Vec<Watched>) {
        let (mut secrets, mut watched) = (Secrets::new(), Vec::new());
        for (name, secret) in &self.config.secrets {
            let Some(store) = stores.get(&secret.store) else { continue };
            let path = self.watched_path(secret);
            // Before the file is read: what changes afterwards is then seen as a change.
            let seen = path.as_deref().map(Stamp::of);
            let bytes = match store.read(&secret.entry).await {
                Ok(bytes) => bytes.trimmed(),
                Err(error) => {
                    self.errors.push(error.of(format_args!("secrets.{name}:")).at(secret.at));
                    continue;
                }
            };
            if unquoted(bytes.expose()).is_some() {
                let what = format!("secrets.{name} is in quotation marks, which are sent with it");
                let fix = "remove them from the entry, unless the provider gave them";
                self.warnings.push(Problem::new(what, fix).at(secret.at));
            }
            let (writer, cell) = SecretCell::renewable(bytes);
            secrets.insert(name.clone(), cell);
            if let (Some(path), Some(seen)) = (path, seen) {
                let (name, store) = (name.clone(), store.clone());
                let entry = secret.entry.clone();
                watched.push(Watched { name, store, entry, path, seen, writer, unsettled: true });
            }
        }
        (secrets, watched)
    }

    /// The file of a secret that is to be watched.
    fn watched_path(&self, secret: &config::SecretEntry) -> Option<PathBuf> {
        let store = self.config.stores.get(&secret.store)?;
        secret.watch.then(|| store.file(&secret.entry)).flatten()
    }
}

/// Opens a key, compares its public half, and has it sign: a key that cannot is found now, not
/// by the first request. Says how long that took.
async fn tested(
    store: &KeyStore,
    spec: &KeySpec,
    public: Option<&[u8]>,
    limit: Duration,
) -> Result<(Arc<dyn Signer>, Duration), Problem> {
    let signer = store.open(spec).await?;
    let key = signer.public_key();
    let failed = |what: String, fix: &str| Err(Problem::new(what, fix).of(&spec.entry));
    if public.is_some_and(|public| !is_public_key(key, public)) {
        let what = format!("is the key {}, not the one in `public`", key.fingerprint());
        return failed(what, "correct `public`, or name the entry that belongs to it");
    }
    let content = key.algorithm().probe();
    let started = Instant::now();
    match tokio::time::timeout(limit, signer.sign(content)).await {
        Ok(Ok(signature)) if key.verifies(content, &signature) => Ok((signer, started.elapsed())),
        Ok(Ok(_)) => failed("signs, but its signature does not verify".into(), "replace the key"),
        Ok(Err(error)) => failed(error.to_string(), "replace the key"),
        Err(_) => {
            let fix = "see whether its store works, or asks somebody; or raise timeouts.sign";
            failed(format!("has not signed within {limit:?}"), fix)
        }
    }
}

/// Whether `encoded`, an SPKI or a point, is this key.
fn is_public_key(key: &PublicKey, encoded: &[u8]) -> bool {
    PublicKey::of(key.algorithm(), encoded).as_ref() == Some(key)
}
