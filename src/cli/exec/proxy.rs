//! The proxy that a program is sent to: the one that runs, or one that ends with the program.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;
use http::header::PROXY_AUTHORIZATION;
use ipnet::IpNet;

use super::credentials::Credentials;
use super::environment;
use super::running::{self, Found, Running};
use super::signals::Signals;
use super::tally::{Tally, counted};
use crate::access::Credentials as Shown;
use crate::cli::CliError;
use crate::cli::in_process::{Beside, InProcess};
use crate::cli::state;
use crate::config::{Config, Endpoint, Listen, Unrouted};
use crate::inspect::Recorder;
use crate::refusal::Code;
use crate::server::Role;
use crate::tls::Authority;

/// The proxy that the program is sent to.
pub(super) enum Proxy {
    /// It runs by itself, and had counted this much.
    Running(Running, Option<Tally>),
    /// It ends with the program, which has a token of its own where none was given.
    Own { proxy: InProcess, running: Running, token: Option<Credentials> },
}

impl Proxy {
    /// Uses the one that was found, or starts one: with this authority, where the configuration
    /// names none.
    pub(super) async fn use_or_start(
        found: Found,
        config: &Config,
        credentials: Option<&Credentials>,
        (authority, recorder): (Option<Authority>, Option<Arc<Recorder>>),
    ) -> Result<Self, CliError> {
        if let Found::Own(running) = found {
            return Ok(Self::Running(running, running::tally(config, credentials).await));
        }
        let token = credentials.is_none().then(Credentials::for_one_run);
        let tokens = token.as_ref().map(Credentials::tokens);
        let beside = Beside { authority, tokens, recorder };
        let proxy =
            InProcess::start(&on_free_ports(config), state::nonces(config)?, beside).await?;
        if let Some(credentials) = credentials {
            let shown = HeaderMap::from_iter([(PROXY_AUTHORIZATION, credentials.header())]);
            let known = proxy.snapshot().access.owner(&Shown::of(&shown));
            known.map_err(|_| credentials.refused())?;
        }
        let forward = proxy.address(Role::Forward).expect("the forward listener has an address");
        let gateway = proxy.address(Role::Gateway);
        let running = Running { forward, gateway };
        Ok(Self::Own { proxy, running, token })
    }

    /// Where it is.
    pub(super) fn running(&self) -> Running {
        match self {
            Self::Running(running, _) | Self::Own { running, .. } => *running,
        }
    }

    /// What the program shows it: what was given, or the token for this run.
    pub(super) fn shown<'a>(&'a self, given: Option<&'a Credentials>) -> Option<&'a Credentials> {
        match self {
            Self::Running(..) => given,
            Self::Own { token, .. } => token.as_ref().or(given),
        }
    }

    /// Which proxy it is, whom it signs for, and what becomes of other hosts.
    pub(super) fn announcement(&self, config: &Config) -> String {
        let (whose, forward) = match self {
            Self::Running(running, _) => ("the proxy that runs", running.forward),
            Self::Own { running, .. } => ("a proxy for this program alone", running.forward),
        };
        let hosts: Vec<_> = environment::routed(config).map(ToString::to_string).collect();
        let hosts = match hosts.len() {
            0 => "no host".to_owned(),
            1..=MOST_HOSTS => hosts.join(", "),
            count => format!("{count} hosts"),
        };
        let others = match config.access.unrouted {
            Unrouted::Refuse => "refused (access.unrouted = \"pass\" lets them through)",
            Unrouted::Pass => "passed on unsigned",
        };
        let plain = match (self, &config.intercept) {
            (Self::Running(..), None) => " (http:// only: [intercept] adds https://, or --own)",
            (Self::Running(..), Some(_)) | (Self::Own { .. }, _) => "",
        };
        format!("{whose}, at {forward}, signs for {hosts}{plain}; other hosts are {others}")
    }

    /// Ends what was started: requests under way may finish, unless a signal comes. Says, where it
    /// is asked to, what came of the program's requests, as the program may not have.
    pub(super) async fn finish(
        self,
        config: &Config,
        credentials: Option<&Credentials>,
        asked: bool,
        signals: &mut Signals,
    ) -> Vec<String> {
        let has_gateway = self.running().gateway.is_some();
        let (tally, refusals) = match self {
            Self::Own { proxy, .. } => {
                let metrics = Arc::clone(proxy.metrics());
                let hurry = async {
                    signals.ending().await;
                };
                proxy.finish(hurry).await;
                let metrics = metrics.expose(crate::metrics::Form::OpenMetrics);
                (Some(Tally::of(&metrics).line(false, has_gateway)), refusals(&metrics))
            }
            Self::Running(_, before) if asked => {
                let tally = running::tally_since(config, credentials, before).await;
                (tally.map(|tally| tally.line(true, has_gateway)), Vec::new())
            }
            Self::Running(..) => return Vec::new(),
        };
        if !asked {
            return Vec::new();
        }
        let unknown =
            "how many requests came through is not known: the proxy does not say any more";
        let tally = tally.unwrap_or_else(|| unknown.to_owned());
        [tally].into_iter().chain(refusals).collect()
    }
}

/// How many hosts fit a line.
const MOST_HOSTS: usize = 4;

/// The refusals among metrics: a line for each code, with what to do.
fn refusals(metrics: &str) -> Vec<String> {
    let of_code = |code: Code| {
        let series = format!("countersign_refusals_total{{code=\"{}\"}} ", code.name());
        let count = metrics.lines().find_map(|line| line.strip_prefix(&series))?;
        let (requests, facts) = (counted(count.parse().ok()?, "request"), code.facts());
        Some(format!("refused {requests}, {}: {}", facts.name, facts.remedy))
    };
    Code::all().filter_map(of_code).collect()
}

/// The configuration for a proxy that only this machine, and only for now, has to find.
pub(in crate::cli) fn on_free_ports(config: &Config) -> Config {
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut own = config.clone();
    own.listen = Listen {
        forward: Some(free),
        gateway: config.listen.gateway.as_ref().map(|_| Endpoint::Tcp(free)),
        admin: config.listen.admin.as_ref().map(|_| Endpoint::Tcp(free)),
        user: None,
    };
    // Programs of others can be given the token.
    own.access.users = Vec::new();
    own.access.from = vec![IpNet::from(IpAddr::from(Ipv4Addr::LOCALHOST))];
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_their_codes() {
        let metrics = "# TYPE countersign_refusals counter\n\
            countersign_refusals_total{code=\"host_not_routed\"} 1\n\
            countersign_refusals_total{code=\"body_incomplete\"} 3\n\
            countersign_connections 0\n";
        let lines = refusals(metrics);
        assert_eq!(lines.len(), 2, "{lines:?}");
        let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
        assert!(has("refused 1 request, host_not_routed: Add a [routes.NAME]"), "{lines:?}");
        assert!(has("refused 3 requests, body_incomplete: Send the whole body"), "{lines:?}");
        assert!(refusals("countersign_connections 0\n").is_empty());
    }
}
