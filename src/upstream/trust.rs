//! Whom to believe, and who to be: TLS client settings from a CA file, the system's roots or
//! bundled ones, and the certificate that is shown to those who ask for one.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::thread;

use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, NamedGroup, RootCertStore};

use super::certificate::{Named, Verifier};
use crate::problem::Problem;
use crate::secret::Secret;
use crate::tls::{KeyFault, identity, provider, roots};

/// Whom to believe: authorities, and certificates that need none.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    verifier: Arc<Verifier>,
    /// Those of a `ca` file, each of which a server may also show itself.
    pinned: Vec<CertificateDer<'static>>,
}

/// The certificates of a PEM file, in place of all others. `setting` is the one that names it.
///
/// # Errors
///
/// When it holds none, or one that is broken.
pub(crate) fn only(path: &Path, pem: &[u8], setting: &str) -> Result<Trust, Problem> {
    let mut roots = RootCertStore::empty();
    let pinned = certificates(path, pem, setting)?;
    for certificate in &pinned {
        let added = roots.add(certificate.clone());
        added.map_err(|error| bad_certificate(path, &error, setting))?;
    }
    let verifier = verifier(roots).map_err(|error| bad_certificate(path, &error, setting))?;
    Ok(Trust { verifier: Arc::new(Verifier::new(Box::new(|| verifier))), pinned })
}

/// Whom everybody believes: [`roots`]. They are read beside everything else of a start, which is as long;
/// the first handshake waits for them.
pub(crate) fn public() -> Trust {
    let read = || verifier(roots()).expect("there are roots");
    let verifier: Arc<Verifier> = Arc::new(Verifier::new(Box::new(read)));
    let early = Arc::clone(&verifier);
    // Without a thread the first handshake reads them.
    let _thread = thread::Builder::new().name("roots".into()).spawn(move || {
        LazyLock::force(&early);
    });
    Trust { verifier, pinned: Vec::new() }
}

fn verifier(roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, VerifierBuilderError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build()
}

/// A certificate to show, with its key.
#[derive(Debug)]
pub(crate) struct Identity(Arc<SingleCertAndKey>);

impl Identity {
    /// Reads a chain in PEM, and a key in PEM: PKCS#8, SEC 1 or PKCS#1, not encrypted.
    ///
    /// # Errors
    ///
    /// What is wrong with the file or the key, or that they do not belong together; nothing of the
    /// key.
    pub(crate) fn read(path: &Path, pem: &[u8], key: &Secret) -> Result<Self, Problem> {
        let chain = certificates(path, pem, CLIENT_CERT)?;
        let shown = identity(chain, key).map_err(|fault| {
            let what = match fault {
                KeyFault::Mismatch => "is not the key of client_cert".to_owned(),
                KeyFault::Absent | KeyFault::Unusable | KeyFault::Unfit(_) => fault.to_string(),
            };
            Problem::new(what, remedy(CLIENT_CERT)).of("client_key")
        })?;
        Ok(Self(shown))
    }
}

/// What to write where the file that a setting names is of no use.
pub(crate) fn remedy(setting: &str) -> String {
    match setting {
        CLIENT_CERT => "name a readable PEM file with client_cert, the own certificate first, and \
                        the [secrets] entry of its private key with client_key"
            .into(),
        _ => format!("name a readable PEM file of certificates with {setting} = \"…\""),
    }
}

const CLIENT_CERT: &str = "client_cert";

fn certificates(
    path: &Path,
    pem: &[u8],
    setting: &str,
) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| bad_certificate(path, &error, setting))?;
    if read.is_empty() {
        let problem = Problem::new("holds no CERTIFICATE block in PEM", remedy(setting));
        return Err(problem.of(path.display()));
    }
    Ok(read)
}

fn bad_certificate(path: &Path, error: &dyn fmt::Display, setting: &str) -> Problem {
    let what = format!("holds a bad certificate: {error}");
    Problem::new(what, remedy(setting)).of(path.display())
}

/// Settings that believe whom `trust` says and offer HTTP/2 and HTTP/1.1.
pub(crate) fn config(
    trust: Trust,
    identity: Option<Identity>,
    post_quantum: bool,
) -> Arc<ClientConfig> {
    let Trust { verifier, pinned } = trust;
    let builder = ClientConfig::builder_with_provider(groups(post_quantum))
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Named { verifier, pinned }));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity(shown)) => builder.with_client_cert_resolver(shown),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), HTTP_1_1.to_vec()];
    Arc::new(config)
}

/// The crypto provider, with or without the groups whose shares make a `ClientHello` longer than a
/// packet (draft-ietf-tls-ecdhe-mlkem).
fn groups(post_quantum: bool) -> Arc<CryptoProvider> {
    if post_quantum {
        return provider();
    }
    let mut short = CryptoProvider::clone(&provider());
    let known = [NamedGroup::X25519, NamedGroup::secp256r1, NamedGroup::secp384r1];
    short.kx_groups.retain(|group| known.contains(&group.name()));
    Arc::new(short)
}

/// Settings for a proxy that is spoken to in TLS.
pub(crate) fn tls_with_proxy(trust: Trust, post_quantum: bool) -> Arc<ClientConfig> {
    only_http_1_1(&config(trust, None, post_quantum))
}

/// The same settings for what only HTTP/1.1 can do.
pub(super) fn only_http_1_1(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Arc::new(config)
}

const HTTP_1_1: &[u8] = b"http/1.1";
