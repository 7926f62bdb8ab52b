//! File descriptors for what the configuration allows.

use crate::config::Limits;
use crate::descriptors::raise;
use crate::server::{ADMIN_CONNECTIONS, UNAUTHENTICATED};

/// Raises the limit, and says where it is too low all the same.
pub(super) fn provide(limits: &Limits) {
    let (wanted, may) = (wanted(limits), raise());
    let Some(may) = may.filter(|may| *may < wanted) else { return };
    tracing::warn!(
        fix = "start it with a hard limit of so many (ulimit -Hn, LimitNOFILE= of systemd), or lower these limits",
        "limits.connections and limits.tunnels may take {wanted} file descriptors, and the process \
         may have {may}"
    );
}

/// As many as are open at once at most: a tunnel has two, and a connection may wait for one upstream.
fn wanted(limits: &Limits) -> u64 {
    let Limits { connections, tunnels, .. } = *limits;
    let pairs = (connections as u64).saturating_add(tunnels as u64).saturating_mul(2);
    pairs.saturating_add((UNAUTHENTICATED + ADMIN_CONNECTIONS) as u64 + OTHERS)
}

/// Listeners, files, connections to stores.
const OTHERS: u64 = 64;
