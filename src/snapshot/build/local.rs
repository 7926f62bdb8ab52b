//! Upstreams of this machine: whether who answers there can be told.

use super::builder::Builder;
use crate::config::{Problem, UpstreamAddress};
use crate::strict_modes::check_socket;

impl Builder<'_> {
    /// Says what is doubtful about upstreams of this machine. A socket that is not there yet, or is
    /// being made, is no reason not to start: it is looked at before each connection.
    pub(super) fn warn_of_local(&mut self) {
        for (name, upstream) in &self.config.upstreams {
            let Some(UpstreamAddress::Unix(path)) = &upstream.url else { continue };
            if let Err(problem) = check_socket(path, upstream.socket_uid) {
                let what =
                    format!("upstreams.{name}: nothing will be sent there: {}", problem.what);
                self.warnings.push(Problem::new(what, problem.fix).at(upstream.at));
            }
        }
        for (name, route) in self.config.routes.iter().filter(|(_, r)| r.scheme.is_envelope()) {
            let Some(upstream) = &route.upstream else { continue };
            let Some(found) = self.config.upstreams.get(upstream) else { continue };
            let url = found.url.as_ref().and_then(UpstreamAddress::url);
            let Some(url) = url.filter(|url| !url.https && url.is_loopback()) else { continue };
            let what = format!(
                "routes.{name}: what answers at {url} decides, and any user of this machine can \
                 listen there before the service does"
            );
            let fix = format!(
                "have it listen at a Unix socket, and write url = \"unix:/path\" below \
                 [upstreams.{upstream}]"
            );
            self.warnings.push(Problem::new(what, fix).at(found.at));
        }
    }
}
