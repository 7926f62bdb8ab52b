//! Whom to believe: TLS client settings from a CA file, the system's roots, or bundled ones.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::tls::provider;

/// Trust in the certificates of a PEM file, in place of all others.
///
/// # Errors
///
/// A sentence that begins with the file's name.
pub(crate) fn only(path: &Path, pem: &[u8]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let added = certificate.map_err(|error| error.to_string());
        let added = added.and_then(|c| roots.add(c).map_err(|error| error.to_string()));
        added.map_err(|error| format!("{} holds a bad certificate: {error}", path.display()))?;
    }
    if roots.is_empty() {
        return Err(format!("{} holds no CERTIFICATE block in PEM", path.display()));
    }
    config(roots)
}

/// Trust in the system's roots, or in the bundled Mozilla roots where the system has none, as in
/// an empty container image.
///
/// # Errors
///
/// What the TLS library says.
pub(crate) fn public() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    config(roots)
}

fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    // The pipeline speaks HTTP/1.1; saying so keeps an upstream from choosing otherwise.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
