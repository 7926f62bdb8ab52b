//! TLS interception: the CA that HTTPS is ended with.

use super::Resolver;
use crate::config::Intercept;

impl Resolver<'_> {
    pub(super) fn intercept(&self) -> Option<Intercept> {
        let written = &self.file.intercept;
        if let Some(key) = written.ca_key.get() {
            self.check_reference("intercept.ca_key", key, "secrets", &self.file.secrets);
        }
        let (ca_cert, ca_key) = (written.ca_cert.get()?, written.ca_key.get()?);
        Some(Intercept {
            ca_cert: self.directory.join(&ca_cert.value),
            ca_key: ca_key.value.clone(),
            leaf_lifetime: written.leaf_lifetime,
            leaf_cache: written.leaf_cache,
            ca_cert_at: ca_cert.at,
            ca_key_at: ca_key.at,
        })
    }
}
