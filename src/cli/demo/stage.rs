//! The demo's scene: keys, CA, configuration, stand-ins, proxy, all in a directory that goes away.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::callbacks;
use crate::cli::CliError;
use crate::cli::ca::Ephemeral;
use crate::cli::directory::Directory;
use crate::cli::in_process::{Beside, InProcess};
use crate::cli::keys::{create_private, create_public};
use crate::config::Config;
use crate::keys::PrivateKey;
use crate::moment::unix_ms;
use crate::route::Route;
use crate::scheme::Entry;
use crate::server::Role;
use crate::snapshot::{Snapshot, Surroundings};
use crate::standin::StandIn;

/// Everything that runs.
pub(super) struct Stage {
    /// The stand-ins, by route.
    pub(super) providers: BTreeMap<String, String>,
    /// The forward listener's URL.
    pub(super) forward: String,
    /// The gateway's URL.
    pub(super) gateway: String,
    /// The URL of the second proxy, which asks as a node does.
    pub(super) node: String,
    /// The configuration file.
    pub(super) config: PathBuf,
    /// The certificate that clients have to trust.
    pub(super) ca: PathBuf,
    hosts: BTreeMap<String, String>,
    _proxies: (InProcess, Option<InProcess>),
    _directory: Directory,
}

impl Stage {
    /// Makes the keys, starts the stand-ins, then the proxy with a configuration that leads to
    /// them.
    pub(super) async fn set(schemes: &[Arc<Entry>]) -> Result<Self, CliError> {
        let directory = Directory::make("demo")?;
        let called_back = schemes.iter().any(|entry| entry.is_envelope());
        if called_back {
            callbacks::make_keys(&directory)?;
        }
        let config = directory.join("proxy.toml");
        // Bound to nothing yet: only to have the schemes with their keys.
        let draft = Config::parse(&configuration(schemes, &BTreeMap::new()), &config)?;
        make_keys(&directory, &draft)?;
        let made = Ephemeral::of(&draft)?.expect("the demo's routes have hosts");
        let ca = directory.join("ca.pem");
        create_public(&ca, made.root.as_bytes())?;
        let draft = Snapshot::build(&draft, &Surroundings::default(), None).await?;
        let mut providers = BTreeMap::new();
        let mut hosts = BTreeMap::new();
        for route in draft.routes.all() {
            let url = if route.entry.is_envelope() {
                callbacks::service(&directory.join(format!("{}.sock", route.name)))?
            } else {
                format!("http://{}", stand_in(route).start(unix_ms).await?)
            };
            providers.insert(route.name.to_string(), url);
            let host = route.host.as_ref().map(ToString::to_string).unwrap_or_default();
            hosts.insert(route.name.to_string(), host);
        }
        let text = configuration(schemes, &providers);
        create_private(&config, text.as_bytes())?;
        let parsed = Config::parse(&text, &config)?;
        let beside = Beside { authority: Some(made.authority), ..Beside::default() };
        let proxy = InProcess::start(&parsed, Arc::default(), beside).await?;
        let url = |role| proxy.address(role).map(|at| format!("http://{at}")).unwrap_or_default();
        let (forward, gateway) = (url(Role::Forward), url(Role::Gateway));
        let asking = match called_back {
            true => Some(callbacks::node(&directory, &gateway).await?),
            false => None,
        };
        let node = asking.as_ref().and_then(|asking| asking.address(Role::Gateway));
        let node = node.map(|at| format!("http://{at}"));
        Ok(Self {
            providers,
            forward,
            gateway,
            node: node.unwrap_or_default(),
            config,
            ca,
            hosts,
            _proxies: (proxy, asking),
            _directory: directory,
        })
    }

    /// The host a route is for.
    pub(super) fn host(&self, route: &str) -> &str {
        self.hosts.get(route).map_or("", String::as_str)
    }

    /// The URL of a route's stand-in.
    pub(super) fn provider(&self, route: &str) -> &String {
        self.providers.get(route).unwrap_or(&self.forward)
    }
}

/// Keys for the slots they are bound to, and tokens: for an hour, or of yesterday.
fn make_keys(directory: &Directory, config: &Config) -> Result<(), CliError> {
    for route in config.routes.values() {
        for slot in &route.scheme.keys {
            let bound = route.keys.get(slot.name.as_ref()).and_then(|name| config.keys.get(name));
            let (Some(key), Some(algorithm)) = (bound, slot.algorithms.first()) else { continue };
            let path = directory.join(&key.entry);
            // Routes share keys, and some are there because their public half was needed before.
            if !path.exists() {
                create_private(&path, PrivateKey::generate(*algorithm).to_text().as_bytes())?;
            }
        }
    }
    let now = unix_ms() / 1000;
    for (name, secret) in &config.secrets {
        let expiry = if name.ends_with("_expired") { now - 86_400 } else { now + 3_600 };
        create_private(&directory.join(&secret.entry), token(expiry).as_bytes())?;
    }
    Ok(())
}

/// A token that expires then, in seconds since 1970, as an issuer of no importance writes it.
fn token(expiry: u64) -> String {
    let part = |json: String| URL_SAFE_NO_PAD.encode(json);
    let header = part(r#"{"alg":"RS256","typ":"JWT"}"#.to_owned());
    let claims = part(format!(r#"{{"iss":"demo","exp":{expiry}}}"#));
    format!("{header}.{claims}.{}", part("no signature".to_owned()))
}

fn stand_in(route: &Route) -> StandIn {
    let keys =
        route.keys.iter().map(|key| (key.slot.clone(), key.signer.public_key().clone())).collect();
    let scheme = route.scheme.signing().expect("the demo's providers take signed requests");
    StandIn::new(Arc::clone(&route.entry), Arc::clone(scheme), keys)
}

/// The demo's configuration: what each of the schemes says of its part. Without `providers` the
/// routes lead nowhere yet.
fn configuration(schemes: &[Arc<Entry>], providers: &BTreeMap<String, String>) -> String {
    let mut text = CONFIGURATION.to_owned();
    let nowhere = "http://127.0.0.1:1".to_owned();
    for entry in schemes {
        let tables = &entry.demo.tables;
        text.push_str(tables);
        let names =
            tables.lines().filter_map(|line| line.strip_prefix("[routes.")?.strip_suffix(']'));
        for name in names {
            let url = providers.get(name).unwrap_or(&nowhere);
            text.push_str(&format!("\n[upstreams.{name}]\nurl = \"{url}\"\n"));
        }
    }
    text
}

const CONFIGURATION: &str = r#"[listen]
forward = "127.0.0.1:0"
gateway = "127.0.0.1:0"

[stores.files]
kind = "file"
dir = "."
"#;
