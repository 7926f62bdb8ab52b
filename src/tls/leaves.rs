//! The cache of leaf certificates for intercepted hosts: minted on demand, single-flight, LRU.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use rcgen::{PublicKeyData as _, SubjectPublicKeyInfo};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{CipherSuite, ServerConfig};
use tokio::sync::OnceCell;

use super::authority::LeafName;
use super::certificate::seconds;
use super::private::NewKey;
use super::{Authority, BACKDATED, MintError, provider};

/// How long leaves live, and how many are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeafSettings {
    /// From the minting to the end of a leaf's validity.
    pub lifetime: Duration,
    /// More hosts than that, and the one that was not asked for the longest is forgotten.
    pub cache: usize,
}

/// TLS settings by host, each with a leaf certificate of its own, signed by the authority: minted
/// on demand, single-flight, LRU.
///
/// All share one key, which is made for the process and is not the authority's. None shares
/// anything else: session tickets are sealed under a secret of each leaf, so that a session with
/// one host cannot be resumed as another, and none outlives the certificate it began with.
pub struct LeafCache {
    authority: Authority,
    settings: LeafSettings,
    key: Arc<dyn SigningKey>,
    public: SubjectPublicKeyInfo,
    /// Milliseconds since the Unix epoch.
    clock: fn() -> u64,
    minted: Counter,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    hosts: HashMap<LeafName, Entry>,
    /// Counts the questions, to tell which host was not asked for the longest.
    asked: u64,
}

struct Entry {
    leaf: Arc<OnceCell<Leaf>>,
    asked: u64,
}

struct Leaf {
    config: Arc<ServerConfig>,
    /// When it can be used, and from when on a new one is made; seconds since the Unix epoch.
    from: i64,
    renewed: i64,
    /// When it is no longer valid.
    ends: i64,
}

impl LeafCache {
    /// Makes the leaves' key; certificates are made as they are asked for, and counted.
    ///
    /// # Errors
    ///
    /// What the library says when it cannot make a key.
    pub fn new(
        authority: Authority,
        settings: LeafSettings,
        clock: fn() -> u64,
        minted: Counter,
    ) -> Result<Self, MintError> {
        let key = NewKey::generate();
        let public = SubjectPublicKeyInfo::from_der(&key.subject_public_key_info())
            .map_err(|error| MintError::Failed(error.to_string()))?;
        let (key, known) = (key.for_tls(), Mutex::default());
        Ok(Self { authority, settings, key, public, clock, minted, known })
    }

    /// When the authority's certificate is no longer valid, in seconds since 1970.
    pub fn authority_expires_s(&self) -> i64 {
        self.authority.certificate().not_after()
    }

    /// When the first of the leaves that are kept is no longer valid, in seconds since 1970. A host that
    /// nobody asks for keeps its leaf, and one that is asked for gets another long before.
    pub fn first_expires_s(&self) -> Option<i64> {
        let known = self.known();
        known.hosts.values().filter_map(|entry| entry.leaf.get()).map(|leaf| leaf.ends).min()
    }

    /// The settings of a TLS server that is `host` to its client: a DNS name or an address, IPv6
    /// without brackets. However many ask at once, a leaf is made once.
    ///
    /// # Errors
    ///
    /// When the authority cannot or may not vouch for the host.
    pub async fn config_for(&self, host: &str) -> Result<Arc<ServerConfig>, MintError> {
        let name = LeafName::read(host)?;
        let cell = self.cell(&name);
        // A failure leaves the cell empty, for the next who asks.
        let leaf = cell.get_or_try_init(async || self.mint(&name)).await;
        if leaf.is_err() {
            self.forget(&name, &cell);
        }
        leaf.map(|leaf| Arc::clone(&leaf.config))
    }

    /// The authority behind them.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Whether these are what such an authority and settings would give. A certificate has one
    /// key, so that the key need not be compared.
    pub fn are_of(&self, authority: &Authority, settings: LeafSettings) -> bool {
        let chain = |authority: &Authority| authority.certificate().chain().to_vec();
        self.settings == settings && chain(&self.authority) == chain(authority)
    }

    /// Where the leaf of a host is, or will be.
    fn cell(&self, name: &LeafName) -> Arc<OnceCell<Leaf>> {
        let now = seconds((self.clock)());
        let mut known = self.known();
        known.asked += 1;
        let asked = known.asked;
        if let Some(entry) = known.hosts.get_mut(name)
            && entry.leaf.get().is_none_or(|leaf| (leaf.from..leaf.renewed).contains(&now))
        {
            entry.asked = asked;
            return Arc::clone(&entry.leaf);
        }
        let leaf = Arc::new(OnceCell::new());
        known.hosts.insert(name.clone(), Entry { leaf: Arc::clone(&leaf), asked });
        if known.hosts.len() > self.settings.cache {
            let oldest = known.hosts.iter().min_by_key(|(_, entry)| entry.asked);
            let oldest = oldest.map(|(name, _)| name.clone());
            oldest.and_then(|name| known.hosts.remove(&name));
        }
        leaf
    }

    fn forget(&self, name: &LeafName, cell: &Arc<OnceCell<Leaf>>) {
        let mut known = self.known();
        if known.hosts.get(name).is_some_and(|entry| Arc::ptr_eq(&entry.leaf, cell)) {
            known.hosts.remove(name);
        }
    }

    fn mint(&self, name: &LeafName) -> Result<Leaf, MintError> {
        let unix_ms = (self.clock)();
        let (leaf, not_after) =
            self.authority.mint(name, &self.public, unix_ms, self.settings.lifetime)?;
        let mut chain = vec![leaf];
        chain.extend(self.authority.certificate().sent().cloned());
        let config = self.server_config(CertifiedKey::new(chain, Arc::clone(&self.key)));
        let config = config.map_err(|error| MintError::Failed(error.to_string()))?;
        self.minted.inc();
        let now = seconds(unix_ms);
        // One that is at its end is used up to its last second.
        let renewed = now + ((not_after - now) / 2).max(1);
        Ok(Leaf { config: Arc::new(config), from: now - BACKDATED, renewed, ends: not_after })
    }

    fn server_config(&self, certified: CertifiedKey) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(serving())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Most clients name AES-256 with SHA-384 first.
        config.ignore_client_order = true;
        config.ticketer = Ticketer::new()?;
        // With tickets nothing has to be remembered here.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(config)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing panics between two changes that belong together.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The provider with [`QUICK`] before all others.
fn serving() -> Arc<CryptoProvider> {
    static SERVING: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let mut serving = CryptoProvider::clone(&provider());
        serving.cipher_suites.sort_by_key(|suite| !QUICK.contains(&suite.suite()));
        Arc::new(serving)
    });
    Arc::clone(&SERVING)
}

/// What a client is spoken with where it can. Processors have instructions for SHA-256 and few for
/// SHA-384, of which a handshake takes so many blocks that it is a quarter of it; and this is no
/// more than the way from a program to its proxy.
const QUICK: [CipherSuite; 2] =
    [CipherSuite::TLS13_AES_128_GCM_SHA256, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256];

impl fmt::Debug for LeafCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.known().hosts.len();
        write!(f, "LeafCache({:?}, {:?}, {hosts} hosts)", self.authority, self.settings)
    }
}
