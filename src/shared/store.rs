//! The store as it is reached: one server, those that Sentinel names, or a cluster. A connection that
//! failed is made anew.

use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo as _, RedisConnectionInfo, RedisError, RedisResult, TlsCertificates,
    TlsMode, cmd, from_redis_value,
};

use super::connection::Connection;
use super::found::{Found, REACH, late};
use super::kept;
use super::password::{Cells, Passwords};
use super::script::{COMMANDS, KEY, lanes, look, read};
use crate::config::Shared;
use crate::nonces::{Reply, Round};
use crate::problem::Problem;
use crate::secret::SecretCell;

/// A store, connected or not.
#[derive(Debug)]
pub struct Store {
    shared: Shared,
    certificates: Option<TlsCertificates>,
    passwords: Passwords,
    connection: Option<Connection>,
}

impl Store {
    /// The store of a configuration; nothing is asked of it yet.
    ///
    /// # Errors
    ///
    /// When the file of authorities cannot be read.
    pub fn new(shared: &Shared) -> Result<Self, Problem> {
        let certificates = shared.ca.as_deref().map(authorities).transpose()?;
        let (passwords, connection) = (Passwords::default(), None);
        Ok(Self { shared: shared.clone(), certificates, passwords, connection })
    }

    /// Where its passwords are put.
    pub(crate) fn passwords(&self) -> Passwords {
        self.passwords.clone()
    }

    /// The same store, with a connection of its own.
    pub(super) fn another(&self) -> Self {
        let (shared, certificates) = (self.shared.clone(), self.certificates.clone());
        Self { shared, certificates, passwords: self.passwords.clone(), connection: None }
    }

    /// How many replicas have to have what was written.
    pub(super) fn replicas(&self) -> usize {
        self.shared.replicas
    }

    /// The connection, made where there is none.
    ///
    /// # Errors
    ///
    /// Why there cannot be one.
    pub(super) async fn connected(&mut self) -> Result<Connection, Problem> {
        self.reach().await?;
        Ok(self.connection.clone().expect("it was reached"))
    }

    /// Lets go of a connection on which this happened.
    pub(super) fn lost(&mut self, error: &RedisError) -> Problem {
        self.leave();
        self.failed(error)
    }

    /// Connects, where it is not connected.
    ///
    /// # Errors
    ///
    /// Why that cannot be.
    pub(super) async fn reach(&mut self) -> Result<(), Problem> {
        if self.connection.is_none() {
            let made = tokio::time::timeout(CONNECTED, self.connect()).await;
            let made = made.map_err(|_| late(CONNECTED))?;
            self.connection = Some(made.map_err(|error| self.failed(&error))?);
        }
        Ok(())
    }

    /// Asks for leases.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub(super) async fn ask(&mut self, round: &Round) -> Result<Reply, Problem> {
        let replicas = self.shared.replicas;
        let mut commands = vec![lanes(round)];
        if replicas > 0 {
            commands.push(confirmed(replicas));
        }
        let values = self.send(&commands).await.map_err(|error| self.failed(&error))?;
        let mut values = values.into_iter();
        let words: RedisResult<Vec<String>> =
            values.next().map_or(Ok(Vec::new()), |value| Ok(from_redis_value(value)?));
        let words = words.map_err(|error| self.failed(&error))?;
        let reply = read(&words, &round.questions);
        let reply = reply
            .ok_or_else(|| Problem::new(format!("shared.redis: {KEY} has not our form"), FORM))?;
        let had: u64 = values.next().and_then(|had| from_redis_value(had).ok()).unwrap_or(0);
        Ok(Reply { confirmed: had >= replicas as u64, ..reply })
    }

    /// Looks whether it is there and may be used as is needed.
    ///
    /// # Errors
    ///
    /// Why it cannot be used.
    pub(crate) async fn look(&mut self) -> Result<Found, Problem> {
        self.reach().await?;
        let mut commands = vec![look(), cmd("INFO")];
        commands.extend(kept::look());
        let looked = tokio::time::timeout(LOOKED, self.send(&commands)).await;
        let values = looked.map_err(|_| late(LOOKED))?.map_err(|error| self.failed(&error))?;
        let info: RedisResult<String> =
            values.into_iter().nth(1).map_or(Ok(String::new()), |v| Ok(from_redis_value(v)?));
        let info = info.unwrap_or_default();
        let line =
            |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let version = match (line("valkey_version"), line("redis_version")) {
            (Some(version), _) => format!("valkey {version}"),
            (None, Some(version)) => format!("redis {version}"),
            (None, None) => "a server that does not say its version".to_owned(),
        };
        let mut doubts = Vec::new();
        if let Some(policy) = line("maxmemory_policy").filter(|policy| *policy != "noeviction")
            && line("maxmemory") != Some("0")
        {
            let what = format!(
                "throws keys away where memory is short (maxmemory-policy {policy}), and what is shared with them"
            );
            doubts.push(Problem::new(
                what,
                "set maxmemory-policy noeviction, or another database server",
            ));
        }
        let had = line("connected_slaves").and_then(|had| had.parse::<usize>().ok());
        if let Some(had) = had.filter(|had| *had < self.shared.replicas) {
            let what =
                format!("has {had} replicas, and shared.replicas is {}", self.shared.replicas);
            doubts.push(Problem::new(what, "connect its replicas, or lower shared.replicas"));
        }
        Ok(Found { version, doubts })
    }

    /// Lets go of the connection.
    pub(super) fn leave(&mut self) {
        self.connection = None;
    }

    async fn send(&mut self, commands: &[Cmd]) -> RedisResult<Vec<redis::Value>> {
        self.connection.as_mut().expect("it was reached before").send(commands).await
    }

    async fn connect(&self) -> RedisResult<Connection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTED))
            .set_response_timeout(Some(LOOKED));
        if self.shared.cluster {
            return self.cluster()?.get_async_connection().await.map(Connection::Cluster);
        }
        if let Some(name) = &self.shared.sentinel {
            let mut sentinels = self.sentinels(name)?.build()?;
            let made = sentinels.get_async_connection_with_config(&config).await;
            return made.map(Connection::One);
        }
        let info = self.servers()?.remove(0);
        let client = match &self.certificates {
            Some(certificates) if self.shared.redis.tls => {
                Client::build_with_tls(info, certificates.clone())?
            }
            _ => Client::open(info)?,
        };
        client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::One)
    }

    fn cluster(&self) -> RedisResult<ClusterClient> {
        let mut builder = ClusterClient::builder(self.servers()?)
            .connection_timeout(CONNECTED)
            .response_timeout(LOOKED);
        if let Some(certificates) = &self.certificates {
            builder = builder.certs(certificates.clone());
        }
        builder.build()
    }

    fn sentinels(&self, name: &str) -> RedisResult<SentinelClientBuilder> {
        let servers = self.addresses();
        let mut builder = SentinelClientBuilder::new(servers, name, SentinelServerType::Master)?
            .set_client_to_redis_db(self.shared.redis.database);
        if let Some(user) = &self.shared.user {
            builder = builder.set_client_to_redis_username(user);
        }
        let passwords = self.cells();
        if let Some(password) = shown(passwords.server) {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(user) = &self.shared.sentinel_user {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = shown(passwords.sentinels) {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if self.shared.redis.tls {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_tls_mode(TlsMode::Secure);
        }
        if let Some(certificates) = &self.certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates.clone());
        }
        Ok(builder)
    }

    fn addresses(&self) -> Vec<ConnectionAddr> {
        let tls = self.shared.redis.tls;
        let address = |(host, port): &(String, u16)| match tls {
            true => ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: false,
                tls_params: None,
            },
            false => ConnectionAddr::Tcp(host.clone(), *port),
        };
        self.shared.redis.servers.iter().map(address).collect()
    }

    fn servers(&self) -> RedisResult<Vec<ConnectionInfo>> {
        let mut settings = RedisConnectionInfo::default().set_db(self.shared.redis.database);
        if let Some(user) = &self.shared.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = shown(self.cells().server) {
            settings = settings.set_password(password);
        }
        let addresses = self.addresses().into_iter();
        let infos = addresses.map(|address| address.into_connection_info());
        infos.map(|info| Ok(info?.set_redis_settings(settings.clone()))).collect()
    }

    /// The passwords of this moment.
    fn cells(&self) -> Cells {
        self.passwords.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn failed(&self, error: &RedisError) -> Problem {
        let user = self.shared.user.as_deref().unwrap_or("default");
        let fix = match (error.kind(), error.code()) {
            (_, Some("NOPERM")) => {
                format!("ACL SETUSER {user} ~{KEY} ~{} {COMMANDS}", kept::KEYS)
            }
            (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS" | "NOAUTH")) => {
                let sentinels = match self.shared.sentinel {
                    Some(_) => {
                        ", and shared.sentinel_user and shared.sentinel_password as Sentinel's has"
                    }
                    None => "",
                };
                format!(
                    "write shared.user and shared.password as the server's ACL has them{sentinels}"
                )
            }
            _ => REACH.into(),
        };
        Problem::new(format!("shared.redis cannot be used: {error}"), fix)
    }
}

/// Waits until so many replicas have what was written, and says how many have.
pub(super) fn confirmed(replicas: usize) -> Cmd {
    let mut wait = cmd("WAIT");
    wait.arg(replicas).arg(CONFIRMED.as_millis() as u64);
    wait
}

/// A password as it is shown.
fn shown(cell: Option<SecretCell>) -> Option<String> {
    let secret = cell?.current().trimmed();
    Some(String::from_utf8_lossy(secret.expose()).into_owned())
}

fn authorities(path: &Path) -> Result<TlsCertificates, Problem> {
    let read = std::fs::read(path).map_err(|error| {
        let what = format!("shared.ca: {} cannot be read: {error}", path.display());
        Problem::new(what, "name a PEM file with the authority of the server's certificate")
    })?;
    Ok(TlsCertificates { client_tls: None, root_cert: Some(read) })
}

/// How long replicas may take to confirm.
const CONFIRMED: Duration = Duration::from_millis(400);
const CONNECTED: Duration = Duration::from_secs(2);
/// How long somebody who only looks waits.
const LOOKED: Duration = Duration::from_secs(3);
const FORM: &str = "stop those that sign with these keys, and delete the key";
