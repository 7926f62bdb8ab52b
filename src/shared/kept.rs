//! What the store runs for what callbacks were answered: its keys and commands.

use std::time::Duration;

use redis::{Cmd, cmd};

/// The keys that a user needs.
pub(super) const KEYS: &str = "countersign:answers:*";

/// The key of a name. In a cluster it is where leases are, for its braces say so.
fn key(name: &str) -> String {
    format!("countersign:answers:{{countersign:nonces}}:{name}")
}

/// Writes where nothing stands.
pub(super) fn claim(name: &str, text: &str, keep: Duration) -> Cmd {
    let mut claim = set(name, text, keep);
    claim.arg("NX");
    claim
}

/// Writes, whatever stands there.
pub(super) fn set(name: &str, text: &str, keep: Duration) -> Cmd {
    let mut set = cmd("SET");
    set.arg(key(name)).arg(text).arg("PX").arg(millis(keep));
    set
}

/// Reads.
pub(super) fn get(name: &str) -> Cmd {
    let mut get = cmd("GET");
    get.arg(key(name));
    get
}

/// Keeps what stands there for so long from now.
pub(super) fn expire(name: &str, keep: Duration) -> Cmd {
    let mut expire = cmd("PEXPIRE");
    expire.arg(key(name)).arg(millis(keep));
    expire
}

/// Takes it away.
pub(super) fn delete(name: &str) -> Cmd {
    let mut delete = cmd("DEL");
    delete.arg(key(name));
    delete
}

/// What is tried by who only looks; it leaves nothing behind.
pub(super) fn look() -> [Cmd; 4] {
    let (look, keep) = ("look", Duration::from_secs(1));
    [set(look, "", keep), get(look), expire(look, keep), delete(look)]
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
