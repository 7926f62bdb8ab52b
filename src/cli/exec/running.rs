//! Whether the configuration's own proxy runs already.
//!
//! Its admin listener is asked, and what answers is believed to be countersign, with this
//! configuration, only if it is ready, names the configuration's digest, listens where the
//! configuration says, and is of a user who may: anybody can bind a port that is free, and say all
//! this. Programs are then sent to the configured forward listener, which has to take connections.

use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Uid, geteuid};
use serde_json::Value;
use tokio::net::TcpStream;

use super::conversation::{Conversation, local, whole};
use super::credentials::Credentials;
use super::tally::Tally;
use crate::cli::CliError;
use crate::config::{Config, Endpoint};
use crate::peer::Peer;
use crate::snapshot::Snapshot;

/// The addresses of a proxy that runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::cli) struct Running {
    pub(in crate::cli) forward: SocketAddr,
    pub(in crate::cli) gateway: Option<SocketAddr>,
}

/// What answers at the configuration's admin listener.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// Nothing that could be used.
    Nothing,
    /// Countersign, and not with this configuration.
    Other,
    /// What says it is the configuration's own proxy, of somebody who could as well be lying.
    Strange(Peer),
    /// The configuration's own proxy.
    Own(Running),
}

impl Found {
    /// Why what runs is not used.
    pub(super) fn passed_over(self, config: &Config) -> Option<String> {
        let admin = config.listen.admin.as_ref()?;
        match self {
            Self::Nothing | Self::Own(_) => None,
            Self::Other => {
                let path = config.path.display();
                Some(format!(
                    "what runs at {admin} has not the configuration in {path}, so it is not used"
                ))
            }
            Self::Strange(Peer::User(user)) => Some(format!(
                "what runs at {admin} is user {user}'s, so it is not used; if the proxy runs as that \
                 user, write user = \"{user}\" below [listen]"
            )),
            Self::Strange(peer) => Some(format!("what runs at {admin} is not used, as {peer}")),
        }
    }
}

/// Looks for it.
///
/// # Errors
///
/// When it runs and does not take the credentials.
pub(super) async fn find(
    config: &Config,
    credentials: Option<&Credentials>,
) -> Result<Found, CliError> {
    let asked = tokio::time::timeout(PATIENCE, ask(config, credentials)).await;
    match (asked.ok().flatten(), credentials) {
        (Some((_, false)), Some(credentials)) => Err(credentials.refused()),
        (Some((found, _)), _) => Ok(found),
        (None, _) => Ok(Found::Nothing),
    }
}

/// What runs, and whether it takes the credentials.
async fn ask(config: &Config, credentials: Option<&Credentials>) -> Option<(Found, bool)> {
    let (admin, forward) = (config.listen.admin.as_ref()?, local(config.listen.forward?));
    let gateway = match config.listen.gateway {
        Some(Endpoint::Tcp(address)) => Some(local(address)),
        Some(Endpoint::Unix(_)) | None => None,
    };
    let running = Running { forward, gateway };
    let mut admin = Conversation::open(admin).await?;
    let ready = admin.get("/readyz", None).await?;
    if !ready.status().is_success() {
        return None;
    }
    let answer: Value = serde_json::from_slice(&whole(ready).await?).ok()?;
    let found = recognise(&answer, &Snapshot::digest(config), running);
    if found != Found::Own(running) {
        return Some((found, true));
    }
    if !may_run(admin.peer(), config) {
        return Some((Found::Strange(admin.peer()), true));
    }
    TcpStream::connect(forward).await.ok()?;
    let admitted = match credentials {
        Some(_) => admin.get("/metrics", credentials).await?.status().is_success(),
        None => true,
    };
    Some((found, admitted))
}

/// Whether a proxy of this user is believed: our own user can read our memory, root everything, and
/// whom the configuration names is the caller's own choice.
pub(in crate::cli) fn may_run(peer: Peer, config: &Config) -> bool {
    let Peer::User(user) = peer else { return false };
    user == geteuid().as_raw() || user == Uid::ROOT.as_raw() || Some(user) == config.listen.user
}

/// What it has counted so far, where it says.
pub(super) async fn tally(config: &Config, credentials: Option<&Credentials>) -> Option<Tally> {
    metrics(config, credentials).await.map(|metrics| Tally::of(&metrics))
}

/// The metrics of the proxy that runs, where it shows them.
pub(in crate::cli) async fn metrics(
    config: &Config,
    credentials: Option<&Credentials>,
) -> Option<String> {
    let asked = async {
        let mut admin = Conversation::open(config.listen.admin.as_ref()?).await?;
        whole(admin.get("/healthz", None).await?).await?;
        if !may_run(admin.peer(), config) {
            return None;
        }
        let answer = admin.get("/metrics", credentials).await?;
        let metrics =
            if answer.status().is_success() { whole(answer).await? } else { return None };
        Some(String::from_utf8_lossy(&metrics).into_owned())
    };
    tokio::time::timeout(PATIENCE, asked).await.ok().flatten()
}

/// What it has counted since then, by all who use it. A request is counted when it is over, which
/// may be a moment after the program has its answer: so as long as more are under way than before,
/// it is asked again.
pub(super) async fn tally_since(
    config: &Config,
    credentials: Option<&Credentials>,
    before: Option<Tally>,
) -> Option<Tally> {
    let before = before?;
    let mut now = tally(config, credentials).await?;
    for _ in 0..MOST_LOOKS {
        if now.open <= before.open {
            break;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
        now = tally(config, credentials).await?;
    }
    now.since(before)
}

/// Whose answer to `/readyz` this is, to somebody who looks for the proxy with this digest at these
/// addresses.
fn recognise(answer: &Value, digest: &str, wanted: Running) -> Found {
    if answer["state"] != "ready" || !answer["routes"].is_array() {
        return Found::Nothing;
    }
    let addresses: Vec<SocketAddr> =
        serde_json::from_value(answer["addresses"].clone()).unwrap_or_default();
    let listens = |at: SocketAddr| addresses.iter().any(|bound| local(*bound) == at);
    let listens = listens(wanted.forward) && wanted.gateway.is_none_or(listens);
    if answer["configuration"] == digest && listens { Found::Own(wanted) } else { Found::Other }
}

/// A proxy on this machine answers at once, or is not to be relied on.
const PATIENCE: Duration = Duration::from_secs(1);
/// Half a second in all: others may keep it busy for ever.
const MOST_LOOKS: u32 = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn only_our_own_answer_for_this_configuration_is_believed() {
        let at = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let wanted = Running { forward: at(8080), gateway: Some(at(8081)) };
        let both = r#""0.0.0.0:8080", "127.0.0.1:8081""#;
        for (state, digest, addresses, found) in [
            ("ready", "d", both, Found::Own(wanted)),
            ("draining", "d", both, Found::Nothing),
            ("ready", "e", both, Found::Other),
            ("ready", "d", r#""0.0.0.0:8080""#, Found::Other),
            ("ready", "d", r#""127.0.0.1:8081", "127.0.0.1:8090""#, Found::Other),
            ("ready", "d", "8080", Found::Other),
        ] {
            let body = format!(
                r#"{{"state": "{state}", "routes": [], "configuration": "{digest}",
                "addresses": [{addresses}]}}"#
            );
            let answer = serde_json::from_str(&body).expect("JSON");
            assert_eq!(recognise(&answer, "d", wanted), found, "{body}");
        }
        for body in ["{}", r#"{"state": "ready"}"#, "[]", "null", "\"ok\""] {
            let answer = serde_json::from_str(body).expect("JSON");
            assert_eq!(recognise(&answer, "d", wanted), Found::Nothing, "{body}");
        }
    }
}
