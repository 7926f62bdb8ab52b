//! Upstreams: what they are made from is read, and those that did not change are carried over.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::builder::{Builder, Reached, Secrets, Upstreams};
use super::proxies::{environment, proxy};
use crate::config::{self, ParentProxy, Problem, UpstreamAddress};
use crate::keys::variable;
use crate::route::Origin;
use crate::secret::{Secret, SecretCell};
use crate::tls::ends_s;
use crate::upstream::{
    self, Choice, ClientCertificate, Credentials, Dial, Environment, Fingerprint, HostPort,
    Identity, LocalSocket, Protocol, Proxy, Reach, Settings, Through, Trust, Upstream, remedy, tls,
    tls_with_proxy, trust_only, trust_public,
};

/// What a pool is made from, opened.
#[derive(Default)]
struct Parts {
    dial: Option<Dial>,
    reach: Reach,
    via: Option<ViaParts>,
    /// A PEM file and what it holds.
    ca: Option<(PathBuf, Vec<u8>)>,
    /// A PEM file, what it holds, and the key.
    client: Option<(PathBuf, Vec<u8>, Arc<Secret>)>,
    server_name: Option<String>,
    post_quantum: bool,
    idle_connections: usize,
    max_age: Duration,
}

/// The proxy on the way.
struct ViaParts {
    /// None where the environment says it.
    proxy: Option<(Protocol, HostPort)>,
    credentials: Option<Arc<Secret>>,
    /// A PEM file and what it holds.
    ca: Option<(PathBuf, Vec<u8>)>,
}

impl Builder<'_> {
    pub(super) fn upstreams(&mut self, secrets: &Secrets) -> Upstreams {
        let mut upstreams = Upstreams::new();
        for (name, upstream) in &self.config.upstreams {
            let made = self.upstream(name, upstream, secrets);
            match made {
                Ok(Some(found)) => drop(upstreams.insert(name.clone(), found)),
                // A secret that is not there has had its own error.
                Ok(None) => {}
                Err(error) => {
                    let place = format!("upstreams.{name}:");
                    self.errors.push(error.of(place).at(upstream.at));
                }
            }
        }
        upstreams
    }

    /// The pools for hosts that no upstream speaks of: of routes, and of clients' own choice.
    pub(super) fn unnamed(&mut self) {
        let (idle_connections, max_age) = config::direct();
        for reach in [Reach::Anywhere, Reach::Public(self.config.access.pass_private.clone())] {
            let common = Parts { reach, post_quantum: true, ..Parts::default() };
            if let Err(error) = self.pool(Parts { idle_connections, max_age, ..common }) {
                self.errors.push(error);
            }
        }
    }

    fn upstream(
        &mut self,
        name: &str,
        upstream: &config::Upstream,
        secrets: &Secrets,
    ) -> Result<Option<Reached>, Problem> {
        let origin = upstream.url.as_ref().map(origin).transpose()?;
        let mut parts = Parts {
            dial: dial(upstream),
            server_name: upstream.server_name.clone(),
            post_quantum: upstream.post_quantum,
            idle_connections: upstream.idle_connections,
            max_age: upstream.max_age,
            ..Parts::default()
        };
        if let Some(path) = &upstream.ca {
            parts.ca = Some((path.clone(), read(path, "ca")?));
        }
        if let Some(client) = &upstream.client {
            let chain = read(&client.cert, "client_cert")?;
            self.ends.extend(ends_s(&chain).map(|end| (name.to_owned(), end)));
            let Some(key) = secrets.get(&client.key).map(SecretCell::current) else {
                return Ok(None);
            };
            parts.client = Some((client.cert.clone(), chain, key));
        }
        if let Some(via) = &upstream.via {
            let named = upstream.via_credentials.as_ref();
            let credentials = named.map(|name| secrets.get(name).map(SecretCell::current));
            if matches!(credentials, Some(None)) {
                return Ok(None);
            }
            let ca = match &upstream.via_ca {
                Some(path) => Some((path.clone(), read(path, "via_ca")?)),
                None => None,
            };
            let proxy = match via {
                ParentProxy::Proxy(url) => Some(proxy(url)),
                ParentProxy::Environment => None,
            };
            parts.via = Some(ViaParts { proxy, credentials: credentials.flatten(), ca });
        }
        Ok(Some((self.pool(parts)?, origin)))
    }

    /// Adds a pool with these settings, the previous snapshot's where it had one, and gives its
    /// number.
    fn pool(&mut self, parts: Parts) -> Result<usize, Problem> {
        let settings = self.settings(&parts);
        let known = self.previous.iter().flat_map(|previous| &previous.pools);
        let known = known.into_iter().find(|pool| pool.settings == settings).map(Arc::clone);
        let pool = match known {
            Some(pool) => pool,
            None => self.connected(settings, parts)?,
        };
        self.pools.push(pool);
        Ok(self.pools.len() - 1)
    }

    fn connected(&mut self, settings: Settings, parts: Parts) -> Result<Arc<Upstream>, Problem> {
        let roots = self.trust(parts.ca.as_ref(), "ca")?;
        let identity =
            parts.client.as_ref().map(|(path, chain, key)| Identity::read(path, chain, key));
        let tls = tls(roots, identity.transpose()?, parts.post_quantum);
        let through = self.through(&parts)?;
        let (dialer, cores) = (self.surroundings.dialer.clone(), self.surroundings.cores.count());
        Upstream::new(settings, tls, through, dialer, cores).map(Arc::new)
    }

    /// How connections reach their upstream.
    fn through(&mut self, parts: &Parts) -> Result<Through, Problem> {
        let environment = environment(variable);
        let Some(via) = &parts.via else {
            // What it says is for a remedy only.
            let environment = Arc::new(environment.unwrap_or_default());
            return Ok(Through { environment, ..Through::default() });
        };
        let (choice, environment) = match &via.proxy {
            Some((protocol, place)) => {
                let known = via.credentials.as_deref();
                let known = known.map(|secret| credentials(*protocol, secret)).transpose()?;
                let proxy = Proxy::new(*protocol, place.clone(), known);
                (Choice::Proxy(Arc::new(proxy)), Environment::default())
            }
            None => (Choice::Environment, environment?),
        };
        let wants_tls = match &choice {
            Choice::Proxy(proxy) => proxy.is_tls(),
            Choice::Environment => environment.has_tls(),
            Choice::Direct => false,
        };
        let mut through = Through { choice, environment: Arc::new(environment), tls: None };
        if wants_tls {
            let trust = self.trust(via.ca.as_ref(), "via_ca")?;
            through.tls = Some(tls_with_proxy(trust, parts.post_quantum));
        }
        Ok(through)
    }

    /// Whom to believe: a file's certificates, or the public authorities.
    fn trust(&mut self, ca: Option<&(PathBuf, Vec<u8>)>, setting: &str) -> Result<Trust, Problem> {
        match ca {
            Some((path, pem)) => trust_only(path, pem, setting),
            None => Ok(self.public.get_or_insert_with(trust_public).clone()),
        }
    }

    fn settings(&self, parts: &Parts) -> Settings {
        let timeouts = &self.config.timeouts;
        Settings {
            dial: parts.dial.clone(),
            reach: parts.reach.clone(),
            via: parts.via.as_ref().map(|via| upstream::ParentProxySettings {
                proxy: via.proxy.clone(),
                credentials: via.credentials.as_deref().map(Fingerprint::of),
                ca: via.ca.as_ref().map(|(_, pem)| pem.clone()),
            }),
            ca: parts.ca.as_ref().map(|(_, pem)| pem.clone()),
            client: parts.client.as_ref().map(|(_, chain, key)| ClientCertificate {
                chain: chain.clone(),
                key: Fingerprint::of(key),
            }),
            server_name: parts.server_name.clone(),
            post_quantum: parts.post_quantum,
            idle_connections: parts.idle_connections,
            max_age: parts.max_age,
            connect: timeouts.connect,
            response_head: timeouts.response_head,
            stall: timeouts.body_idle,
            idle: timeouts.pool_idle,
        }
    }
}

fn origin(address: &UpstreamAddress) -> Result<Origin, Problem> {
    let no_host = |_| Problem::new("the host cannot be sent as a header", "correct url");
    match address {
        UpstreamAddress::Url(url) => {
            let origin = Origin::of(&url.authority(), url.https).map_err(no_host)?;
            Ok(Origin { base_path: url.base_path.clone(), ..origin })
        }
        UpstreamAddress::Unix(path) => {
            let origin = Origin::of(SOCKET_HOST, false).map_err(no_host)?;
            Ok(Origin { socket: Some(path.as_path().into()), ..origin })
        }
    }
}

fn dial(upstream: &config::Upstream) -> Option<Dial> {
    Some(match upstream.url.as_ref()? {
        UpstreamAddress::Url(url) => {
            Dial::Host(HostPort { host: url.host.clone(), port: url.port })
        }
        UpstreamAddress::Unix(path) => {
            Dial::Socket(LocalSocket { path: path.clone(), uid: upstream.socket_uid })
        }
    })
}

/// What is sent as `Host` to a socket by a route that has no host: as curl and others do.
const SOCKET_HOST: &str = "localhost";

fn read(path: &Path, setting: &str) -> Result<Vec<u8>, Problem> {
    std::fs::read(path).map_err(|error| {
        Problem::new(error.to_string(), remedy(setting)).of(format_args!("{}:", path.display()))
    })
}

fn credentials(protocol: Protocol, secret: &Secret) -> Result<Credentials, Problem> {
    Credentials::read(protocol, secret)
        .map_err(|problem| problem.of("the secret of via_credentials"))
}
