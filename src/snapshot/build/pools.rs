//! Upstreams: what they are made from is read, and those that did not change are carried over.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::{Builder, Reached, Secrets, Upstreams};
use crate::config::{self, ConfigError, UpstreamUrl};
use crate::outbound::origin_of;
use crate::secret::{Secret, SecretCell};
use crate::upstream::{
    ClientCertificate, Fingerprint, Identity, Origin, Place, Settings, Trust, Upstream, Via,
    authorization, tls, trust_only, trust_public,
};

/// What a pool is made from, opened.
#[derive(Default)]
struct Parts {
    dial: Option<Place>,
    via: Option<(Place, Option<Arc<Secret>>)>,
    /// A PEM file and what it holds.
    ca: Option<(PathBuf, Vec<u8>)>,
    /// A PEM file, what it holds, and the key.
    client: Option<(PathBuf, Vec<u8>, Arc<Secret>)>,
    server_name: Option<String>,
    post_quantum: bool,
    idle_connections: usize,
    max_age: Duration,
}

/// What is wrong, and what to write instead.
struct Trouble {
    what: String,
    fix: &'static str,
}

impl Builder<'_> {
    pub(super) fn upstreams(&mut self, secrets: &Secrets) -> Upstreams {
        let mut upstreams = Upstreams::new();
        for (name, upstream) in &self.config.upstreams {
            let made = self.upstream(upstream, secrets);
            match made {
                Ok(Some(found)) => drop(upstreams.insert(name.clone(), found)),
                // A secret that is not there has had its own error.
                Ok(None) => {}
                Err(Trouble { what, fix }) => {
                    let what = format!("upstreams.{name}: {what}");
                    self.error(upstream.at, what, fix);
                }
            }
        }
        upstreams
    }

    /// The pool for hosts that no upstream speaks of.
    pub(super) fn passing(&mut self) -> Option<Arc<Upstream>> {
        let idle_connections = config::DIRECT_IDLE_CONNECTIONS;
        let max_age = config::MAX_AGE;
        let parts = Parts { idle_connections, max_age, post_quantum: true, ..Parts::default() };
        match self.pool(parts) {
            Ok(pool) => Some(pool),
            Err(Trouble { what, fix }) => {
                self.errors.push(ConfigError { at: None, what, fix: fix.into() });
                None
            }
        }
    }

    fn upstream(
        &mut self,
        upstream: &config::Upstream,
        secrets: &Secrets,
    ) -> Result<Option<Reached>, Trouble> {
        let origin = upstream.url.as_ref().map(origin).transpose()?;
        let mut parts = Parts {
            dial: upstream.url.as_ref().map(place),
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
            parts.via = Some((place(via), credentials.flatten()));
        }
        Ok(Some((self.pool(parts)?, origin)))
    }

    /// A pool with these settings: the previous snapshot's, where it had one.
    fn pool(&mut self, parts: Parts) -> Result<Arc<Upstream>, Trouble> {
        let settings = self.settings(&parts);
        let known = self.previous.iter().flat_map(|previous| &previous.upstreams);
        if let Some(pool) = known.into_iter().find(|pool| pool.settings == settings) {
            return Ok(Arc::clone(pool));
        }
        let roots = match &parts.ca {
            Some((path, pem)) => trust_only(path, pem).map_err(|what| Trouble { what, fix: CA })?,
            None => self.public_roots(),
        };
        let identity = parts.client.as_ref().map(|(path, chain, key)| {
            Identity::read(path, chain, key).map_err(|what| Trouble { what, fix: CLIENT })
        });
        let tls = tls(roots, identity.transpose()?, parts.post_quantum);
        let tls = tls.map_err(|what| Trouble { what, fix: CLIENT })?;
        let credentials = parts.via.as_ref().and_then(|(_, credentials)| credentials.as_deref());
        let authorization = credentials.map(credentials_value).transpose()?;
        let dialer = self.surroundings.dialer.clone();
        let pool = Upstream::new(settings, tls, authorization, dialer);
        pool.map(Arc::new).map_err(|what| Trouble { what, fix: "correct server_name" })
    }

    fn settings(&self, parts: &Parts) -> Settings {
        let timeouts = &self.config.timeouts;
        Settings {
            dial: parts.dial.clone(),
            via: parts.via.as_ref().map(|(place, credentials)| Via {
                place: place.clone(),
                credentials: credentials.as_deref().map(Fingerprint::of),
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
            idle: timeouts.idle,
        }
    }

    fn public_roots(&mut self) -> Trust {
        self.public.get_or_insert_with(trust_public).clone()
    }
}

fn origin(url: &UpstreamUrl) -> Result<Origin, Trouble> {
    let origin = origin_of(&url.authority(), url.https)
        .map_err(|error| Trouble { what: error.to_string(), fix: "correct url" })?;
    Ok(Origin { base_path: url.base_path.clone(), ..origin })
}

fn place(url: &UpstreamUrl) -> Place {
    Place { host: url.host.clone(), port: url.port }
}

fn read(path: &Path, key: &str) -> Result<Vec<u8>, Trouble> {
    let fix = if key == "ca" { CA } else { CLIENT };
    std::fs::read(path)
        .map_err(|error| Trouble { what: format!("{}: {error}", path.display()), fix })
}

fn credentials_value(credentials: &Secret) -> Result<HeaderValue, Trouble> {
    authorization(credentials).map_err(|what| Trouble {
        what: format!("the secret of via_credentials {what}"),
        fix: "put user:password there, on one line",
    })
}

const CA: &str = "name a readable PEM file of certificates with ca = \"…\"";
const CLIENT: &str = "name a readable PEM file with client_cert, the own certificate first, and \
                      the [secrets] entry of its private key with client_key";
