//! What replicas tell each other of callbacks, as the store keeps it: who answers an id, and what came
//! of it. What is written there, and what is believed of it, is the pipeline's to say.

use std::time::Duration;

use redis::{Cmd, FromRedisValue as _, Value};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::found::late;
use super::kept::{self, expire, get};
use super::store::{Store, confirmed};
use crate::problem::Problem;

/// The answers in a store, which is connected to when somebody asks.
#[derive(Debug)]
pub struct Answers {
    store: Mutex<Store>,
    /// How many replicas have to have a claim.
    replicas: usize,
}

impl Answers {
    /// Those of this store.
    pub(super) fn of(store: Store) -> Self {
        Self { replicas: store.replicas(), store: Mutex::new(store) }
    }

    /// A name that no other claim has.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers.
    pub(crate) fn claimant(&self) -> Result<String, Problem> {
        let mut name = [0; 16];
        match aws_lc_rs::rand::fill(&mut name) {
            Ok(()) => Ok(base16ct::lower::encode_string(&name)),
            Err(_) => Err(Problem::new("the system has no random numbers", "try again")),
        }
    }

    /// Writes a claim where nothing stands, and says what stands there then, which is kept for so long
    /// from now. A claim that fewer replicas have than are asked for is none: a failover would lose it.
    ///
    /// # Errors
    ///
    /// Why that is not known.
    pub(crate) async fn claim(
        &self,
        (name, keep): (&str, Duration),
        claim: &str,
    ) -> Result<Vec<u8>, Problem> {
        let mut commands = vec![kept::claim(name, claim, keep), get(name), expire(name, keep)];
        commands.extend((self.replicas > 0).then(|| confirmed(self.replicas)));
        let values = self.run(&commands).await?;
        let found = values.get(1).and_then(text);
        let found = found.ok_or_else(|| Problem::new("shared.redis keeps no claim", KEEPS))?;
        let had = values.get(3).and_then(|had| u64::from_redis_value_ref(had).ok()).unwrap_or(0);
        if had < self.replicas as u64 && found == claim.as_bytes() {
            self.run(&[kept::delete(name)]).await?;
            let what = "fewer replicas than shared.replicas have confirmed a claim";
            return Err(Problem::new(what, "connect the replicas of shared.redis"));
        }
        Ok(found)
    }

    /// What stands there.
    ///
    /// # Errors
    ///
    /// Why that is not known.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Problem> {
        Ok(self.run(&[get(name)]).await?.first().and_then(text))
    }

    /// Writes this there, for so long.
    ///
    /// # Errors
    ///
    /// Why it may not stand there.
    pub(crate) async fn write(
        &self,
        (name, keep): (&str, Duration),
        text: &str,
    ) -> Result<(), Problem> {
        self.run(&[kept::set(name, text, keep)]).await.map(drop)
    }

    /// Keeps what stands there for so long from now.
    ///
    /// # Errors
    ///
    /// Why it may end before.
    pub(crate) async fn keep(&self, name: &str, keep: Duration) -> Result<(), Problem> {
        self.run(&[expire(name, keep)]).await.map(drop)
    }

    /// Runs commands, each of which may be run twice: a connection that has long been still is often
    /// found to be gone when it is used.
    async fn run(&self, commands: &[Cmd]) -> Result<Vec<Value>, Problem> {
        let mut ran = self.run_once(commands).await;
        if ran.is_err() {
            ran = self.run_once(commands).await;
        }
        ran
    }

    async fn run_once(&self, commands: &[Cmd]) -> Result<Vec<Value>, Problem> {
        let sent = async {
            let mut connection = self.store.lock().await.connected().await?;
            let sent = connection.send(commands).await;
            match sent {
                Ok(values) => Ok(values),
                Err(error) => Err(self.store.lock().await.lost(&error)),
            }
        };
        if let Ok(sent) = timeout(LIMIT, sent).await {
            return sent;
        }
        // Whoever has it now is about to connect anew.
        if let Ok(mut store) = self.store.try_lock() {
            store.leave();
        }
        Err(late(LIMIT))
    }
}

fn text(value: &Value) -> Option<Vec<u8>> {
    Option::<Vec<u8>>::from_redis_value_ref(value).ok().flatten()
}

/// How long the store may take, tried twice: a node gives up after 10 s, and a service has 7 of them.
const LIMIT: Duration = Duration::from_millis(700);
const KEEPS: &str = "see that it has room, and keeps what has a time to live";
