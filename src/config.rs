//! The resolved configuration: what will run. [`file`] is what was written, `resolve` the way from
//! one to the other; past this module nothing is optional without meaning and nothing can be
//! inconsistent.
//!
//! Resolving does no I/O beyond reading the one file: keys and certificates are opened when a
//! snapshot is built.

mod believed;
mod file;
mod process;
mod resolve;
pub(crate) mod settings;
mod shared;
pub mod signer;
mod units;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use file::direct;
use http::{HeaderValue, Method};
use ipnet::IpNet;
pub use process::{Process, Runtime, Sandbox};
pub use shared::{RedisUrl, Shared};
pub use units::{
    Endpoint, HostPattern, ParentProxy, ProxyScheme, ProxyUrl, UpstreamAddress, UpstreamUrl,
};

use crate::audit::Mode;
pub use crate::document::ConfigErrors;
use crate::inspect::Keep;
use crate::keys::{Algorithm, Encoding, Need, StoreKind, StoreSettings, StoreVariables, needs};
use crate::moment::Part;
pub use crate::problem::{Location, Problem};
use crate::scheme::{Entry, Policy};

/// A configuration without contradictions.
#[derive(Clone, Debug, Hash)]
pub struct Config {
    /// The file it came from, for messages.
    pub path: PathBuf,
    /// `[listen]`.
    pub listen: Listen,
    /// `[access]`.
    pub access: Access,
    /// `[intercept]`, where it is written.
    pub intercept: Option<Intercept>,
    /// `[limits]`.
    pub limits: Limits,
    /// `[timeouts]`.
    pub timeouts: Timeouts,
    /// `[signing] self_check`.
    pub self_check: SelfCheck,
    /// How many requests are held for those who ask later.
    pub keep: Keep,
    /// `[nonces] replica`.
    pub replica: Part,
    /// `[nonces] state`, a directory that is absolute or relative to the working directory.
    pub state: Option<PathBuf>,
    /// Where it is written.
    pub state_at: Option<Location>,
    /// `[shared]`, where it is written.
    pub shared: Option<Shared>,
    /// `[stores.NAME]`.
    pub stores: BTreeMap<String, Store>,
    /// `[keys.NAME]`.
    pub keys: BTreeMap<String, Key>,
    /// `[secrets.NAME]`.
    pub secrets: BTreeMap<String, SecretEntry>,
    /// `[upstreams.NAME]`.
    pub upstreams: BTreeMap<String, Upstream>,
    /// `[routes.NAME]`.
    pub routes: BTreeMap<String, Route>,
    /// `[audit]`, where it is written.
    pub audit: Option<AuditFile>,
    /// `[process]`.
    pub process: Process,
    /// `[log]`.
    pub log: Log,
    /// `[schemes.NAME]`: the text of each file.
    pub schemes: BTreeMap<String, String>,
    /// Where each is, and is named.
    pub scheme_files: BTreeMap<String, (PathBuf, Location)>,
    /// What is read and should be written in another way, such as a setting's name of before.
    pub warnings: Vec<Problem>,
}

/// Where requests arrive.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Listen {
    /// Clients set `HTTP_PROXY` to this.
    pub forward: Option<SocketAddr>,
    /// `/<route>/rest` goes to that route.
    pub gateway: Option<Endpoint>,
    /// Probes and metrics.
    pub admin: Option<Endpoint>,
    /// The user whose proxy is believed to be behind `admin`, beside the caller's own and root's.
    pub user: Option<u32>,
}

/// Who may send requests.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Access {
    /// The `[secrets]` entry with client tokens, lines of `name:sha256-of-token`.
    pub tokens: Option<String>,
    /// The `[secrets]` entry with tokens that are good for metrics alone.
    pub metrics_tokens: Option<String>,
    /// Users of this machine whose requests need no token, where none are asked for, beside the
    /// proxy's own and root.
    pub users: Vec<LocalUser>,
    /// Addresses that may connect. Connections through a Unix socket always may.
    pub from: Vec<IpNet>,
    /// Values of `Origin` that may use the gateway from a browser.
    pub origins: Vec<HeaderValue>,
    /// Names, with port where it matters, by which clients may call the gateway and the admin
    /// listener, beside the listeners' own.
    pub hosts: Vec<String>,
    /// What happens to a request for a host that no route names.
    pub unrouted: Unrouted,
    /// Networks that such a request may reach though they are private.
    pub pass_private: Vec<IpNet>,
}

/// A user of this machine, or all of them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LocalUser {
    /// Whoever it is.
    Any,
    /// The one with this number.
    Number(u32),
}

/// The default for hosts without a route on the forward listener: refuse or pass.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Unrouted {
    /// It is refused: a mistyped host must not leave unsigned.
    Refuse,
    /// It is forwarded as it is; CONNECT becomes a blind tunnel.
    Pass,
}

/// Parts of a request that its signature does not bind: passed or refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Unbound {
    /// They are sent as they are.
    Pass,
    /// A request that bears some is refused.
    Refuse,
}

/// Whose clock time stamps are by.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Clock {
    /// This machine's.
    Machine,
    /// The provider's, as its answers show it.
    Provider,
}

/// What is held against what was signed before a request is sent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SelfCheck {
    /// Nothing.
    Off,
    /// The canonical strings, made again.
    Digest,
    /// These, and the signatures.
    Signature,
}

/// TLS interception: what HTTPS is ended with for hosts that have a route.
#[derive(Clone, Debug, Hash)]
pub struct Intercept {
    /// A PEM file: the root that clients trust, or the authority's own certificate and those that
    /// signed it.
    pub ca_cert: PathBuf,
    /// The `[secrets]` entry with the authority's private key in PEM, and its certificate unless
    /// that is in `ca_cert`.
    pub ca_key: String,
    /// How long a certificate for a host is valid.
    pub leaf_lifetime: Duration,
    /// How many hosts' certificates are kept.
    pub leaf_cache: usize,
    /// Where `ca_cert` is written.
    pub ca_cert_at: Location,
    /// Where `ca_key` is written.
    pub ca_key_at: Location,
}

/// Resource limits: what a request may cost.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Limits {
    /// Bytes of a body that a scheme reads.
    pub signed_body: u64,
    /// Bytes of all bodies that are held at once; never less than [`Self::signed_body`].
    pub held_bodies: u64,
    /// Connections open at once, on the forward listener and the gateway together.
    pub connections: usize,
    /// Connections of one address of which no request was admitted yet.
    pub unauthenticated: usize,
    /// WebSockets and blind tunnels open at once, beside these.
    pub tunnels: usize,
    /// Bytes of a request head.
    pub header: usize,
}

/// How long each phase may last.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Timeouts {
    /// A request head may take this long, from its first byte; the first on a connection, from the
    /// connection's.
    pub request_head: Duration,
    /// A body that is held whole must be there within this time.
    pub request_body: Duration,
    /// A streamed body, of a request or a response, may stand still this long.
    pub body_idle: Duration,
    /// A WebSocket or a blind tunnel may be silent this long in both directions.
    pub tunnel_idle: Duration,
    /// A signature.
    pub sign: Duration,
    /// How long a request that is to be signed waits for the log, and for a required audit.
    pub log: Duration,
    /// Name resolution, TCP and TLS handshake to the upstream.
    pub connect: Duration,
    /// The upstream's response head, counted from the last byte of the request.
    pub response_head: Duration,
    /// An unused upstream connection is closed after this.
    pub pool_idle: Duration,
    /// A client's connection may be silent this long between requests.
    pub client_idle: Duration,
    /// How long new requests are still taken after SIGTERM.
    pub drain_linger: Duration,
    /// How long a stop waits for requests under way, after that.
    pub drain: Duration,
}

/// Where keys are kept.
#[derive(Clone, Debug, Hash)]
pub struct Store {
    /// The row of its kind.
    pub kind: &'static StoreKind,
    /// What the file says beside the kind. Directories are absolute or relative to the working
    /// directory.
    pub settings: StoreSettings,
    /// Whether it stands for a key URI: its name is not the user's.
    pub unnamed: bool,
    /// Where the table is written, or the URI.
    pub at: Location,
}

impl Store {
    /// Where an entry is, for messages.
    pub fn place(&self, entry: &str) -> String {
        (self.kind.place)(&self.settings, entry)
    }

    /// The file that an entry is in, where it is in one.
    pub fn file(&self, entry: &str) -> Option<PathBuf> {
        (self.kind.file)(&self.settings, entry)
    }

    /// What it takes to open an entry.
    pub fn needs(&self, entry: &str) -> Vec<Need> {
        needs(self.kind, &self.settings, entry)
    }

    /// The directory that it is, where it is one.
    pub fn directory(&self) -> Option<PathBuf> {
        self.kind.directory(&mut self.settings.clone()).map(|directory| directory.clone().into())
    }

    /// The variables that a program must not see beside the proxy.
    pub fn variables(&self) -> StoreVariables {
        let mut variables = (self.kind.variables)(&self.settings);
        variables.named.extend(self.settings.secret_variables());
        variables
    }
}

/// A key, by the name routes use.
#[derive(Clone, Debug, Hash)]
pub struct Key {
    /// A name in [`Config::stores`].
    pub store: String,
    /// The entry in that store.
    pub entry: String,
    /// What kind of key it is, where the entry does not say.
    pub algorithm: Option<Algorithm>,
    /// What it may be, where it is written as a URI: what every slot takes that names it.
    pub candidates: Vec<Algorithm>,
    /// How the entry's bytes are written.
    pub encoding: Encoding,
    /// The public key it must have: hex of an SPKI or of a SEC 1 point.
    pub public: Option<Vec<u8>>,
    /// Where the entry is written.
    pub at: Location,
}

/// Bytes a request carries or the proxy reads; they sign nothing.
#[derive(Clone, Debug, Hash)]
pub struct SecretEntry {
    /// A name in [`Config::stores`].
    pub store: String,
    /// The entry in that store.
    pub entry: String,
    /// Whether the entry is read again when its file changes. Only in a file store.
    pub watch: bool,
    /// Where the entry is written.
    pub at: Location,
}

/// How a route's requests are sent: where to, through what, whom to trust there and who to be.
#[derive(Clone, Debug, Hash)]
pub struct Upstream {
    /// Scheme, address, port, base path, or a socket; without one, requests go to `https://` and the
    /// host they were matched by.
    pub url: Option<UpstreamAddress>,
    /// Another user whose the socket may be.
    pub socket_uid: Option<u32>,
    /// The proxy that every connection goes through.
    pub via: Option<ParentProxy>,
    /// A name in [`Config::secrets`]: `user:password` for the proxy that `via` names.
    pub via_credentials: Option<String>,
    /// A PEM file with the authorities to trust for the proxy's certificate, in place of the
    /// system's.
    pub via_ca: Option<PathBuf>,
    /// The name the upstream's certificate must have, where it is not the host that is dialled.
    pub server_name: Option<String>,
    /// A PEM file with the authorities to trust in place of the system's.
    pub ca: Option<PathBuf>,
    /// What is shown to an upstream that asks for a certificate.
    pub client: Option<Client>,
    /// Whether a key exchange that outlasts quantum computers is offered, which makes the TLS
    /// `ClientHello` longer than a packet.
    pub post_quantum: bool,
    /// How many unused connections are kept.
    pub idle_connections: usize,
    /// A connection that is older gets no new requests.
    pub max_age: Duration,
    /// Where the table is written.
    pub at: Location,
}

/// A client certificate and its key.
#[derive(Clone, Debug, Hash)]
pub struct Client {
    /// A PEM file with the chain, the own certificate first.
    pub cert: PathBuf,
    /// A name in [`Config::secrets`]: the private key in PEM.
    pub key: String,
}

/// Which requests are signed, how, and with what.
#[derive(Clone, Debug, Hash)]
pub struct Route {
    /// The name that is matched, signed and sent as `Host`. Without one the route is reached
    /// through the gateway only, and the upstream's own host is sent.
    pub host: Option<HostPattern>,
    /// A prefix of the path, on segment borders; `/` matches every path.
    pub path: String,
    /// The methods it takes; empty for all.
    pub methods: Vec<Method>,
    /// The scheme.
    pub scheme: Arc<Entry>,
    /// Slot → name in [`Config::keys`].
    pub keys: BTreeMap<String, String>,
    /// Slot → name in [`Config::secrets`].
    pub secrets: BTreeMap<String, String>,
    /// Every parameter of the scheme as text, defaults filled in.
    pub params: BTreeMap<String, String>,
    /// The paths of the files that a parameter names.
    pub files: BTreeMap<String, Vec<PathBuf>>,
    /// A name in [`Config::upstreams`]; without one, requests go to `https://` and the host.
    pub upstream: Option<String>,
    /// Whether a request goes after the answer to the one before it, of the same key.
    pub ordered: bool,
    /// What becomes of a request with parts that its signature does not bind.
    pub unbound: Unbound,
    /// Whose clock its time stamps are by.
    pub clock: Clock,
    /// Rules that say whether a request is approved, where the scheme answers requests.
    pub decide: Option<Decide>,
    /// What takes over from its keys.
    pub next: Option<Box<Next>>,
    /// Where the table is written, and each of its fields, for errors found while binding:
    /// `host`, `scheme`, `keys.signer`, `params`, `params.remove`.
    pub at: Location,
    /// Where each field is written.
    pub fields: BTreeMap<String, Location>,
}

impl Route {
    /// The route, and what takes over from it.
    pub fn halves(&self) -> impl Iterator<Item = &Self> {
        [self].into_iter().chain(self.next.as_ref().map(|next| &next.route))
    }
}

/// `[routes.NAME.next]`: key rotation.
#[derive(Clone, Debug, Hash)]
pub struct Next {
    /// The route with its next keys, and the secrets and parameters that belong to them; without
    /// rules, which do not change with them.
    pub route: Route,
    /// When they sign.
    pub turns: Turns,
}

/// When the next keys of a route sign: none of its requests before `from`, then a share of them,
/// all after `until`. Times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Turns {
    /// The first moment at which they sign.
    pub from: u64,
    /// From here on they alone sign.
    pub until: u64,
    /// How many of 10,000 requests they sign in between.
    pub share: u32,
}

/// `[routes.NAME.decide]`: a policy that answers in place of a service, or beside it. Routes may
/// share a file of decisions.
#[derive(Clone, Debug, Hash)]
pub struct Decide {
    /// Who answers.
    pub mode: Mode,
    /// The file of decisions, absolute or relative to the working directory.
    pub audit: PathBuf,
    /// What is approved. The scheme reads it itself, so that an amount or an address in it is read
    /// by the code that reads those of requests.
    pub policy: Arc<dyn Policy>,
    /// Where the table is written.
    pub at: Location,
}

/// The audit of signatures.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct AuditFile {
    /// The file, absolute or relative to the working directory.
    pub file: PathBuf,
    /// Whether nothing is sent that is not in it.
    pub required: bool,
    /// Where the table is written.
    pub at: Location,
}

/// Logging: what is written down.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Log {
    /// A level, or a list such as `info,countersign::pipeline=debug`.
    pub level: String,
    /// The form.
    pub format: LogFormat,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
