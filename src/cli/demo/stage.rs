//! The demo's scene: keys, configuration, stand-ins, proxy, all in a directory that goes away.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::CliError;
use crate::cli::directory::Directory;
use crate::cli::in_process::InProcess;
use crate::cli::keys::create_private;
use crate::config::Config;
use crate::keys::{Algorithm, PrivateKey};
use crate::moment::unix_ms;
use crate::route::Route;
use crate::server::Role;
use crate::snapshot::{Snapshot, Surroundings};
use crate::standin::StandIn;

/// Everything that runs.
pub(super) struct Stage {
    /// The stand-ins, by route.
    pub(super) providers: BTreeMap<String, SocketAddr>,
    /// The forward listener's URL.
    pub(super) forward: String,
    /// The gateway's URL.
    pub(super) gateway: String,
    /// The configuration file.
    pub(super) config: PathBuf,
    hosts: BTreeMap<String, String>,
    urls: BTreeMap<String, String>,
    _proxy: InProcess,
    _directory: Directory,
}

impl Stage {
    /// Makes the keys, starts the stand-ins, then the proxy with a configuration that leads to
    /// them.
    pub(super) async fn set() -> Result<Self, CliError> {
        let directory = Directory::make("demo")?;
        let keys = [
            ("loopring.json", Algorithm::EddsaBabyJub),
            ("metasv.pem", Algorithm::EcdsaSecp256k1),
            ("sinohope.pem", Algorithm::EcdsaP256),
        ];
        for (name, algorithm) in keys {
            let key = PrivateKey::generate(algorithm);
            create_private(&directory.join(name), key.to_text().as_bytes())?;
        }
        create_private(&directory.join("token.jwt"), b"throw-away-demo-token")?;
        create_private(&directory.join("api_key"), b"throw-away-demo-api-key")?;
        let config = directory.join("proxy.toml");
        // Bound to nothing yet: only to have the schemes with their keys.
        let draft = Config::parse(&configuration(&BTreeMap::new()), &config)?;
        let draft = Snapshot::build(&draft, &Surroundings::default(), None).await?;
        let mut providers = BTreeMap::new();
        let mut hosts = BTreeMap::new();
        for route in draft.routes.all() {
            let address = stand_in(route).start(unix_ms).await?;
            providers.insert(route.name.to_string(), address);
            let host = route.host.as_ref().map(ToString::to_string).unwrap_or_default();
            hosts.insert(route.name.to_string(), host);
        }
        let text = configuration(&providers);
        std::fs::write(&config, &text).map_err(|error| CliError::at(&config, &error))?;
        let proxy = InProcess::start(&Config::parse(&text, &config)?).await?;
        let url = |role| proxy.address(role).map(|at| format!("http://{at}")).unwrap_or_default();
        let (forward, gateway) = (url(Role::Forward), url(Role::Gateway));
        let urls =
            providers.iter().map(|(name, at)| (name.clone(), format!("http://{at}"))).collect();
        Ok(Self {
            providers,
            forward,
            gateway,
            config,
            hosts,
            urls,
            _proxy: proxy,
            _directory: directory,
        })
    }

    /// The host a route is for.
    pub(super) fn host(&self, route: &str) -> &str {
        self.hosts.get(route).map_or("", String::as_str)
    }

    /// The URL of a route's stand-in.
    pub(super) fn provider(&self, route: &str) -> &String {
        self.urls.get(route).unwrap_or(&self.forward)
    }
}

fn stand_in(route: &Route) -> StandIn {
    let keys = route.keys.iter().map(|key| (key.slot, key.signer.public_key().clone())).collect();
    let scheme = route.scheme.signing().expect("the demo's providers take signed requests");
    StandIn::new(route.entry, Arc::clone(scheme), keys)
}

/// The demo's configuration. Without `providers` the routes lead nowhere yet.
fn configuration(providers: &BTreeMap<String, SocketAddr>) -> String {
    let mut text = String::from(CONFIGURATION);
    for name in ["loopring", "loopring_order", "metasv", "metasv_token", "sinohope"] {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let address = providers.get(name).unwrap_or(&nowhere);
        text.push_str(&format!("\n[upstreams.{name}]\nurl = \"http://{address}\"\n"));
    }
    text
}

const CONFIGURATION: &str = r#"[listen]
forward = "127.0.0.1:0"
gateway = "127.0.0.1:0"

[stores.files]
kind = "file"
dir = "."

[keys.sinohope]
store = "files"
entry = "sinohope.pem"

[keys.metasv]
store = "files"
entry = "metasv.pem"

[keys.loopring]
store = "files"
entry = "loopring.json"
algorithm = "eddsa_babyjub"

[secrets.loopring_api_key]
store = "files"
entry = "api_key"

[secrets.metasv_token]
store = "files"
entry = "token.jwt"

[routes.sinohope]
host = "api.sinohope.com"
scheme = "sinohope"
keys = { signer = "sinohope" }
upstream = "sinohope"

[routes.metasv]
host = "apiv2.metasv.com"
scheme = "metasv"
keys = { signer = "metasv" }
upstream = "metasv"

[routes.loopring]
host = "api.loopring.io"
scheme = "loopring"
keys = { eddsa = "loopring" }
secrets = { api_key = "loopring_api_key" }
upstream = "loopring"

[routes.loopring_order]
host = "api.loopring.io"
path = "/api/v2/order"
methods = ["POST"]
scheme = "loopring"
keys = { eddsa = "loopring" }
secrets = { api_key = "loopring_api_key" }
params = { canonical = "none", body = "order" }
upstream = "loopring_order"

[routes.metasv_token]
scheme = "metasv"
secrets = { token = "metasv_token" }
upstream = "metasv_token"
"#;
