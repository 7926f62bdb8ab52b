//! What the runtimes are tried with: a stand-in provider, a proxy that opens TLS for it with a
//! throw-away authority, and the environment `exec` would give. Nothing of it is anybody's own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cli::CliError;
use crate::cli::ca::Ephemeral;
use crate::cli::directory::Directory;
use crate::cli::exec::credentials::Credentials;
use crate::cli::exec::environment::{self, Variables};
use crate::cli::exec::running::Running;
use crate::cli::exec::trust::Trust;
use crate::cli::in_process::{Beside, InProcess};
use crate::cli::keys::create_private;
use crate::config::Config;
use crate::keys::{Algorithm, PrivateKey};
use crate::moment::unix_ms;
use crate::server::Role;
use crate::snapshot::{Snapshot, Surroundings};
use crate::standin::StandIn;

/// The host that runtimes are sent to. No resolver knows names below `test` (RFC 6761), so that
/// nothing arrives but through the proxy.
pub(super) const HOST: &str = "doctor.countersign.test";

/// Everything that runs.
pub(super) struct Scene {
    /// The caller's environment.
    pub(super) caller: Variables,
    /// What `exec` would make of it.
    pub(super) full: Variables,
    accepted: Arc<AtomicU64>,
    _proxy: InProcess,
    trust: Trust,
}

impl Scene {
    /// Makes key and authority, starts stand-in and proxy.
    pub(super) async fn set(mut caller: Variables) -> Result<Self, CliError> {
        let directory = Directory::make("doctor")?;
        let key = PrivateKey::generate(Algorithm::ECDSA_P256);
        create_private(&directory.join("key.pem"), key.to_text().as_bytes())?;
        let path = directory.join("proxy.toml");
        // Bound to nothing yet: only to have the scheme with its key.
        let draft = Config::parse(&configuration("127.0.0.1:1"), &path)?;
        let draft = Snapshot::build(&draft, &Surroundings::default(), None).await?;
        let route = draft.routes.all().next().expect("the configuration has a route");
        let keys = route.keys.iter().map(|key| (key.slot.clone(), key.signer.public_key().clone()));
        let scheme = route.scheme.signing().expect("the scheme signs requests");
        let stand_in = StandIn::new(Arc::clone(&route.entry), Arc::clone(scheme), keys.collect());
        let accepted = Arc::clone(&stand_in.accepted);
        let address = stand_in.start(unix_ms).await?;
        let config = Config::parse(&configuration(&address.to_string()), &path)?;
        let (ca, token) =
            (Ephemeral::of(&config)?.expect("the route has a host"), Credentials::for_one_run());
        let tokens = Some(token.tokens());
        let beside = Beside { authority: Some(ca.authority), tokens, ..Beside::default() };
        let proxy = InProcess::start(&config, Arc::default(), beside).await?;
        let forward = proxy.address(Role::Forward).expect("the forward listener has an address");
        environment::without_keys(&mut caller, &config);
        let trusting = caller.clone();
        let trust =
            tokio::task::spawn_blocking(move || Trust::make(Some(ca.root), &trusting, directory));
        let trust = trust.await.map_err(|error| {
            CliError::failed(format!("the trust files were not made: {error}"), "report this")
        })??;
        let running = Running { forward, gateway: None };
        let (full, _) =
            environment::of_program(caller.clone(), &config, running, Some(&token), &trust);
        Ok(Self { caller, full, accepted, _proxy: proxy, trust })
    }

    /// The caller's environment without anything that `exec` sets.
    pub(super) fn base(&self) -> Variables {
        let own = |name: &std::ffi::OsString| self.full.get(name) == self.caller.get(name);
        let kept = self.caller.iter().filter(|(name, _)| own(name));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// How many requests have arrived with a good signature.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Where a runtime's own file goes.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.trust.directory.join(name)
    }
}

fn configuration(stand_in: &str) -> String {
    format!(
        r#"[listen]
forward = "127.0.0.1:0"

[stores.files]
kind = "file"
dir = "."

[keys.doctor]
store = "files"
entry = "key.pem"

[routes.doctor]
host = "{HOST}"
scheme = "sinohope"
keys = {{ signer = "doctor" }}
upstream = "stand_in"

[upstreams.stand_in]
url = "http://{stand_in}"
"#
    )
}
