//! Replicas with one key, whose nonces and turns they lease from a Redis: as they arrive, through kills,
//! pauses, a store that forgets, and one that is away.

mod faults;
mod load;
mod long;
mod numbers;
mod reached;
mod turns;
mod waiting;

use crate::nonces;
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

/// A directory whose Kraken has increasing nonces, leased of a store, with a line for its route.
pub(crate) fn kraken(origin: &Origin, redis: &str, ordered: &str, lines: &str) -> Home {
    let tables = format!("{lines}[shared]\nredis = \"{redis}\"\n[nonces]\nreplica = \"shared\"\n");
    nonces::home(origin, &tables, ordered)
}

/// How many lanes have an owner.
fn owned(redis: &Redis) -> usize {
    redis.lanes().iter().filter(|(_, [owner, ..])| owner != "-").count()
}
