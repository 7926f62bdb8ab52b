//! `[shared]`: the Redis in which replicas keep what they share.

use std::path::PathBuf;

use crate::document::ValueFault;
use crate::problem::Location;

/// Where it is, and how it is asked.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Shared {
    /// Its servers.
    pub redis: RedisUrl,
    /// The authorities in PEM that its certificates are of, where they are not the system's.
    pub ca: Option<PathBuf>,
    /// The user; Redis' default one where there is none.
    pub user: Option<String>,
    /// The `[secrets]` entry with the user's password.
    pub password: Option<String>,
    /// The name that Sentinel has for the servers: `redis` are Sentinels then.
    pub sentinel: Option<String>,
    /// The user that Sentinels are shown.
    pub sentinel_user: Option<String>,
    /// The `[secrets]` entry with the password of Sentinels.
    pub sentinel_password: Option<String>,
    /// Whether the servers are a cluster.
    pub cluster: bool,
    /// How many replicas have to have what was written.
    pub replicas: usize,
    /// Where `redis` is written.
    pub at: Location,
}

/// `redis://host:6379/0`, with one or more servers.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RedisUrl {
    /// Whether TLS is spoken: `rediss`.
    pub tls: bool,
    /// Hosts and ports.
    pub servers: Vec<(String, u16)>,
    /// The number of the database.
    pub database: i64,
}

impl RedisUrl {
    /// Reads one. What is wrong is not shown: it may be a URL with a password.
    pub(super) fn parse(text: &str) -> Result<Self, ValueFault> {
        let fault = |what: &str| ValueFault::new(what, "or \"rediss://a:6379,b:6379/0\"");
        let (tls, rest) = match text.split_once("://") {
            Some(("redis", rest)) => (false, rest),
            Some(("rediss", rest)) => (true, rest),
            _ => return Err(fault("begins with neither redis:// nor rediss://")),
        };
        if rest.contains('@') {
            return Err(fault(
                "has a user or a password, which are settings of their own: user, password",
            ));
        }
        let (servers, database) = rest.split_once('/').unwrap_or((rest, ""));
        let database = if database.is_empty() { Ok(0) } else { database.parse::<u16>() };
        let database = database.map_err(|_| fault("ends in no number of a database"))?;
        let server = |server: &str| {
            let (host, port) = match server.rsplit_once(':') {
                Some((host, port)) if !host.ends_with(':') && !port.contains(']') => {
                    (host, port.parse().ok()?)
                }
                _ => (server, PORT),
            };
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let right = !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && b != b'?');
            right.then(|| (host.to_owned(), port))
        };
        let servers: Option<Vec<_>> = servers.split(',').map(server).collect();
        let servers = servers.ok_or_else(|| fault("has a server that is no host with a port"))?;
        Ok(Self { tls, servers, database: database.into() })
    }
}

/// Redis' port.
const PORT: u16 = 6379;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_servers_and_no_password() {
        for (text, tls, servers, database) in [
            ("redis://a", false, &[("a", 6379)][..], 0),
            ("rediss://a:1,b.test:2/3", true, &[("a", 1), ("b.test", 2)], 3),
            ("redis://[::1]:7/", false, &[("::1", 7)], 0),
            ("redis://[::1]", false, &[("::1", 6379)], 0),
        ] {
            let read = RedisUrl::parse(text).unwrap();
            let found: Vec<_> = read.servers.iter().map(|(h, p)| (h.as_str(), *p)).collect();
            assert_eq!((read.tls, found.as_slice(), read.database), (tls, servers, database));
        }
        for bad in [
            "a:6379",
            "http://a",
            "redis://",
            "redis://a:x",
            "redis://a,",
            "redis://a/x",
            "redis://a?b",
        ] {
            assert!(RedisUrl::parse(bad).is_err(), "{bad}");
        }
        let fault = RedisUrl::parse("redis://user:hunter2@a").unwrap_err();
        assert!(!format!("{fault:?}").contains("hunter2") && fault.what.contains("password"));
    }
}
