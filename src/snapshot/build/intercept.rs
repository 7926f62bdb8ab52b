//! The certificate authority that ends HTTPS, and its leaves.

use std::sync::Arc;

use super::builder::{Builder, Secrets};
use crate::config::{Intercept, Problem};
use crate::moment::unix_ms;
use crate::secret::{Secret, SecretCell};
use crate::tls::{Authority, CaCertificate, LeafCache, LeafSettings};

impl Builder<'_> {
    /// The leaves of `[intercept]`: the previous snapshot's, where they would be the same. Without
    /// it, those of the process, if it has any.
    pub(super) fn leaves(&mut self, secrets: &Secrets) -> Option<Arc<LeafCache>> {
        let Some(intercept) = &self.config.intercept else {
            return self.surroundings.leaves.clone();
        };
        let certificate = self.ca_certificate(intercept)?;
        // A secret that is not there has had its own error.
        let key = secrets.get(&intercept.ca_key).map(SecretCell::current);
        let authority = key.and_then(|key| self.authority(intercept, certificate.clone(), &key));
        // What stands beside the key may be constrained further.
        let all = authority.as_ref().map_or(&certificate, Authority::certificate);
        self.check_hosts(intercept, all);
        self.warn_of_reach(intercept, all);
        let authority = authority?;
        self.warn_of_kept_root(intercept, authority.certificate());
        let settings =
            LeafSettings { lifetime: intercept.leaf_lifetime, cache: intercept.leaf_cache };
        let known = self.previous.and_then(|previous| previous.leaves.as_ref());
        if let Some(known) = known.filter(|known| known.are_of(&authority, settings)) {
            return Some(Arc::clone(known));
        }
        let minted = self.surroundings.metrics.leaves_minted();
        match LeafCache::new(authority, settings, unix_ms, minted) {
            Ok(leaves) => Some(Arc::new(leaves)),
            Err(error) => {
                self.error(intercept.ca_key_at, error.to_string(), "try again");
                None
            }
        }
    }

    fn authority(
        &mut self,
        intercept: &Intercept,
        certificate: CaCertificate,
        key: &Secret,
    ) -> Option<Authority> {
        let authority = Authority::new(certificate, key);
        let say = |error: Problem| {
            let secret = format!("intercept.ca_key: the secret \"{}\"", intercept.ca_key);
            self.errors.push(error.of(secret).at(intercept.ca_key_at));
        };
        authority.map_err(say).ok()
    }

    fn ca_certificate(&mut self, intercept: &Intercept) -> Option<CaCertificate> {
        let (path, at) = (intercept.ca_cert.display(), intercept.ca_cert_at);
        let read = std::fs::read(&intercept.ca_cert);
        let pem = match read {
            Ok(pem) => pem,
            Err(error) => {
                let fix = "make a CA with `countersign ca new`, or name the file of one";
                self.error(at, format!("intercept.ca_cert: {path}: {error}"), fix);
                return None;
            }
        };
        let certificate = CaCertificate::read(&pem);
        let usable = certificate.and_then(|c| c.check_time(unix_ms()).map(|()| c));
        match usable {
            Ok(certificate) => Some(certificate),
            Err(error) => {
                self.errors.push(error.of(format_args!("intercept.ca_cert: {path}")).at(at));
                None
            }
        }
    }

    /// A host that the authority may not vouch for would fail at every client.
    fn check_hosts(&mut self, intercept: &Intercept, certificate: &CaCertificate) {
        let config = self.config;
        for (name, route) in &config.routes {
            let Some(host) = route.host.as_ref().map(|host| host.name()) else { continue };
            if certificate.permits(&host) {
                continue;
            }
            let path = intercept.ca_cert.display();
            let what = format!("routes.{name}: the CA in {path} may not vouch for {host}");
            let fix = format!("a new host needs a new root: {RENEW}");
            self.error(route.fields.get("host").copied().unwrap_or(route.at), what, fix);
        }
    }

    fn warn_of_reach(&mut self, intercept: &Intercept, certificate: &CaCertificate) {
        let Some(reach) = certificate.unlimited() else { return };
        let path = intercept.ca_cert.display();
        let what = format!(
            "intercept.ca_cert: the CA in {path} may vouch for {reach}, so whoever steals its key \
             can pose as any of them to those who trust it"
        );
        let fix = "`countersign ca new` makes one that is constrained to the routes' hosts";
        self.warnings.push(Problem::new(what, fix).at(intercept.ca_cert_at));
    }

    /// As `ca new` made them before it made intermediates.
    fn warn_of_kept_root(&mut self, intercept: &Intercept, certificate: &CaCertificate) {
        // Of one without constraints, the same has been said of every client.
        if !certificate.is_trust_anchor() || certificate.unlimited().is_some() {
            return;
        }
        let what = format!(
            "intercept.ca_cert: the CA in {} signs with the key of the certificate that clients \
             trust: whoever steals it can pose as every host there is to Java, which does not apply \
             the constraints of what it trusts",
            intercept.ca_cert.display()
        );
        let fix = format!("{RENEW}; the key of its root is thrown away");
        self.warnings.push(Problem::new(what, fix).at(intercept.ca_cert_at));
    }
}

const RENEW: &str = "move the CA's certificate and key away, run `countersign ca new`, and have \
                     clients trust the new one";
