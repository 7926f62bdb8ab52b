//! Replicas with one key, whose nonces are of lanes that they lease from a Redis: as they arrive, through
//! kills, pauses, a store that forgets, and one that is away.

mod faults;
mod load;
mod long;
mod reached;
mod waiting;

use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::Origin;
use crate::support::redis::Redis;

/// A proxy's directory, whose nonces are leased of a store, with these lines for it.
pub(crate) fn home(origin: &Origin, redis: &str, lines: &str) -> Home {
    let shared = format!(
        "[log]\nlevel = \"warn,countersign::shared=info\"\n[shared]\nredis = \"{redis}\"\n{lines}[nonces]\nreplica = \"shared\"\n"
    );
    Home::new(&config::proxy(&[shared, config::metasv(&origin.url(), None)]))
}

/// How many lanes have an owner.
fn owned(redis: &Redis) -> usize {
    redis.lanes().iter().filter(|(_, [owner, ..])| owner != "-").count()
}
