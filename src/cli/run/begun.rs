//! A configuration that begins, at the start or by a reload: what it will count, and what its reader
//! should know.

use crate::config::{Config, ConfigErrors, Unrouted};
use crate::metrics::{Metrics, Outcome};
use crate::moment::unix_ms;
use crate::snapshot::Snapshot;

/// Shows what a configuration will count, from zero, and when it was taken up.
pub(super) fn begin(metrics: &Metrics, snapshot: &Snapshot) {
    let common = [Outcome::Refused(""), Outcome::Abandoned];
    for route in snapshot.routes.all() {
        route.counts.begin(&[Outcome::Signed, Outcome::Rejected]);
        route.counts.begin(&common);
    }
    metrics.unrouted().begin(&common);
    if snapshot.unrouted == Unrouted::Pass {
        metrics.unrouted().begin(&[Outcome::Passed]);
    }
    metrics.taken_up(unix_ms() / 1000);
}

/// Writes what is allowed and should be known into the log.
pub(in crate::cli) fn warn_of(config: &Config, snapshot: &Snapshot) {
    let warnings = ConfigErrors::new(config.path.clone(), snapshot.warnings.clone());
    for line in warnings.to_string().lines() {
        tracing::warn!("{line}");
    }
}
