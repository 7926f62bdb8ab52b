//! What replicas share: that there is something, where it is asked for.

use super::Resolver;
use crate::config::shared::Shared;
use crate::moment::Part;

impl Resolver<'_> {
    pub(super) fn shared(&self) -> Option<Shared> {
        let written = &self.file.shared;
        for (field, password) in [
            ("shared.password", &written.password),
            ("shared.sentinel_password", &written.sentinel_password),
        ] {
            if let Some(password) = password.get() {
                self.check_reference(field, password, "secrets", &self.file.secrets);
            }
        }
        let of_sentinels = written.sentinel_user.get().or_else(|| written.sentinel_password.get());
        if let (Some(shown), true) = (of_sentinels, written.sentinel.is_absent()) {
            let what = "shared has what Sentinels are shown, and names no sentinel";
            self.report.add(shown.at, what, "write sentinel = \"NAME\", or take it out");
        }
        let leases = self.file.nonces.replica.get().filter(|part| part.value == Part::Shared);
        let at = written.at.or_else(|| leases.map(|part| part.at));
        if written.redis.is_absent() && at.is_some() {
            let what = if written.at.is_some() {
                "[shared] names no redis"
            } else {
                "nonces.replica is \"shared\", and there is no [shared]"
            };
            let fix = "write redis = \"rediss://HOST:6379\" below [shared]";
            self.report.add(at, what, fix);
        }
        if let (Some(sentinel), true) = (written.sentinel.get(), written.cluster) {
            let what = "shared has both sentinel and cluster";
            self.report.add(sentinel.at, what, "remove one: a cluster has no Sentinels");
        }
        let redis = written.redis.get()?;
        if redis.value.servers.len() > 1 && written.sentinel.is_absent() && !written.cluster {
            let what = "shared.redis has several servers, and is neither a cluster nor Sentinels";
            let fix = "write cluster = true, sentinel = \"NAME\", or one server";
            self.report.add(redis.at, what, fix);
        }
        Some(Shared {
            redis: redis.value.clone(),
            ca: written.ca.value().map(|ca| self.directory.join(ca)),
            user: written.user.value().cloned(),
            password: written.password.value().cloned(),
            sentinel: written.sentinel.value().cloned(),
            sentinel_user: written.sentinel_user.value().cloned(),
            sentinel_password: written.sentinel_password.value().cloned(),
            cluster: written.cluster,
            replicas: written.replicas,
            at: redis.at,
        })
    }
}
