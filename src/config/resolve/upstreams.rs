//! Where requests leave to.

use std::collections::BTreeMap;

use super::{IDLE_CONNECTIONS, Resolver, or, whole};
use crate::config::file::{self, Field, Written};
use crate::config::{Location, Upstream, UpstreamUrl};

impl Resolver<'_> {
    pub(super) fn upstreams(&self) -> BTreeMap<String, Upstream> {
        let upstreams = self.file.upstreams.iter();
        upstreams
            .filter_map(|(name, written)| Some((name.clone(), self.upstream(written)?)))
            .collect()
    }

    fn upstream(&self, written: &file::Upstream) -> Option<Upstream> {
        let Written { value: url, at } = written.url.get()?;
        if url.https {
            self.refuse_plaintext_on_tls(&written.allow_plaintext);
        } else {
            self.check_plaintext(url, *at, &written.allow_plaintext);
            self.refuse_without_tls("ca", &written.ca);
            self.refuse_without_tls("server_name", &written.server_name);
        }
        Some(Upstream {
            url: url.clone(),
            server_name: written.server_name.value().cloned(),
            ca: written.ca.value().map(|ca| self.directory.join(ca)),
            idle_connections: whole(or(&written.idle_connections, IDLE_CONNECTIONS)),
            at: written.at,
        })
    }

    fn check_plaintext(&self, url: &UpstreamUrl, at: Location, allowed: &Field<bool>) {
        let refused = allowed.is_absent() || allowed.value() == Some(&false);
        if refused && !url.is_loopback() {
            let what = "url is plain http to another machine: signed requests could be read there";
            let fix = "write https://, or allow_plaintext = true below it";
            self.report.add(at, what, fix);
        }
    }

    fn refuse_plaintext_on_tls(&self, allowed: &Field<bool>) {
        if let Some(Written { value: true, at }) = allowed.get() {
            let what = "allow_plaintext is true, and url is https";
            self.report.add(*at, what, "remove allow_plaintext, or write http:// in url");
        }
    }

    fn refuse_without_tls(&self, key: &str, field: &Field<String>) {
        if let Some(Written { at, .. }) = field.get() {
            let what = format!("{key} is about certificates, and url is plain http");
            self.report.add(*at, what, format!("remove {key}, or write https:// in url"));
        }
    }
}
