//! Mutual TLS 1.3 between two programs of one owner: each shows a certificate of an authority that
//! the other knows, and nobody else's is believed.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::private::identity;
use super::provider;
use crate::problem::Problem;
use crate::secret::Secret;

/// Settings of the side that connects: the PEM of the authority, of the own certificate with those
/// that signed it, and of its private key.
///
/// # Errors
///
/// What is wrong with one of them; nothing of the key.
pub fn mutual_client(ca: &[u8], cert: &[u8], key: &Secret) -> Result<Arc<ClientConfig>, Problem> {
    let (roots, shown) = read(ca, cert, key)?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has cipher suites for TLS 1.3")
        .with_root_certificates(roots);
    Ok(Arc::new(builder.with_client_cert_resolver(shown)))
}

/// Settings of the side that listens, by the same three.
///
/// # Errors
///
/// As [`mutual_client`].
pub fn mutual_server(ca: &[u8], cert: &[u8], key: &Secret) -> Result<Arc<ServerConfig>, Problem> {
    let (roots, shown) = read(ca, cert, key)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
    let verifier = verifier.map_err(|error| {
        Problem::new(format!("cannot be used: {error}"), AUTHORITY).of("the authority")
    })?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has cipher suites for TLS 1.3")
        .with_client_cert_verifier(verifier);
    Ok(Arc::new(builder.with_cert_resolver(shown)))
}

/// The DNS names that a certificate is for, in lower case.
pub fn certificate_names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = parse_x509_certificate(certificate) else { return Vec::new() };
    let Ok(Some(alternative)) = parsed.subject_alternative_name() else { return Vec::new() };
    let names = alternative.value.general_names.iter().filter_map(|name| {
        let GeneralName::DNSName(name) = name else { return None };
        Some(name.to_ascii_lowercase())
    });
    names.collect()
}

type Parts = (Arc<RootCertStore>, Arc<SingleCertAndKey>);

fn read(ca: &[u8], cert: &[u8], key: &Secret) -> Result<Parts, Problem> {
    let mut roots = RootCertStore::empty();
    for root in certificates(ca, "the authority's file", AUTHORITY)? {
        roots.add(root).map_err(|error| {
            Problem::new(format!("holds a bad certificate: {error}"), AUTHORITY)
                .of("the authority's file")
        })?;
    }
    let own = "name a PEM file with the own certificate first, and its private key beside it";
    let chain = certificates(cert, "the certificate's file", own)?;
    let shown = identity(chain, key)
        .map_err(|fault| Problem::new(fault.to_string(), own).of("the key's file"))?;
    Ok((Arc::new(roots), shown))
}

fn certificates(
    pem: &[u8],
    file: &str,
    fix: &str,
) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.ok().filter(|read| !read.is_empty());
    read.ok_or_else(|| Problem::new("holds no certificate in PEM", fix).of(file))
}

const AUTHORITY: &str = "name a PEM file with the authority of the other side's certificates";
