//! What HTTPS is ended with.

use std::time::Duration;

use super::{LEAF_CACHE, LEAF_LIFETIME, Resolver, or, whole};
use crate::config::Intercept;
use crate::document::Written;

impl Resolver<'_> {
    pub(super) fn intercept(&self) -> Option<Intercept> {
        let written = &self.file.intercept;
        if let Some(Written { value, at }) = written.leaf_lifetime.get()
            && *value < SHORTEST
        {
            let what = "intercept.leaf_lifetime is less than a minute";
            self.report.add(*at, what, "write leaf_lifetime = \"7d\", or \"1m\" at least");
        }
        if let Some(Written { value, at }) = written.leaf_cache.get()
            && !(1..=MOST_LEAVES).contains(value)
        {
            let what = format!("intercept.leaf_cache is {value}, and must be 1 to {MOST_LEAVES}");
            self.report.add(*at, what, format!("write leaf_cache = {LEAF_CACHE}"));
        }
        if let Some(key) = written.ca_key.get() {
            self.check_reference("intercept.ca_key", key, "secrets", &self.file.secrets);
        }
        let (ca_cert, ca_key) = (written.ca_cert.get()?, written.ca_key.get()?);
        Some(Intercept {
            ca_cert: self.directory.join(&ca_cert.value),
            ca_key: ca_key.value.clone(),
            leaf_lifetime: or(&written.leaf_lifetime, LEAF_LIFETIME),
            leaf_cache: whole(or(&written.leaf_cache, LEAF_CACHE)),
            ca_cert_at: ca_cert.at,
            ca_key_at: ca_key.at,
        })
    }
}

/// Certificates count in seconds, and a new one is made at half of this.
const SHORTEST: Duration = Duration::from_secs(60);

/// A leaf takes some KiB.
const MOST_LEAVES: u64 = 100_000;
