//! TLS: the one crypto provider, and whom everybody believes; for interception, the local certificate
//! authority whose leaf certificates are shown to clients that asked for a routed host.
//!
//! The authority is meant to be worth little to a thief: what clients trust is a root whose key is
//! gone, what signs is an intermediate that is constrained to the hosts that have routes
//! ([`NewAuthority`]), its key is never seen ([`Authority`]), and what it signs lives for days
//! ([`LeafCache`]).

mod authority;
mod certificate;
mod constraints;
mod create;
mod leaves;
mod mutual;
mod private;

use std::sync::{Arc, LazyLock};

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

pub use authority::{Authority, MintError};
pub use certificate::CaCertificate;
pub use create::{MadeAuthority, NewAuthority};
pub use leaves::{LeafCache, LeafSettings};
pub use mutual::{certificate_names, mutual_client, mutual_server};
pub(crate) use private::{KeyFault, identity};

/// The one TLS crypto provider, passed explicitly to every builder.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// When the first of these certificates in PEM is no longer valid, in seconds since 1970.
pub(crate) fn ends_s(pem: &[u8]) -> Option<i64> {
    let chain = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
    let end = |own: CertificateDer<'_>| {
        let (_, own) = x509_parser::parse_x509_certificate(&own).ok()?;
        Some(own.validity().not_after.timestamp())
    };
    chain.filter_map(end).min()
}

/// The system's roots, or the bundled Mozilla roots where the system has none, as in an empty
/// container image.
pub(crate) fn roots() -> RootCertStore {
    believed(rustls_native_certs::load_native_certs().certs)
}

fn believed(system: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(system);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// How far the clock of a client may be behind ours, in seconds: what is made now is valid since
/// then.
const BACKDATED: i64 = 3_600;

/// Sixteen random bytes, positive and without a leading zero as a number (RFC 5280, 4.1.2.2).
fn serial() -> rcgen::SerialNumber {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    bytes[0] = bytes[0] & 0x7f | 0x40;
    bytes.to_vec().into()
}

/// A time as certificates have it. Years past 9999 have no form there.
fn date(unix: i64) -> time::OffsetDateTime {
    const LAST: i64 = 253_402_300_799;
    time::OffsetDateTime::from_unix_timestamp(unix.clamp(0, LAST)).expect("it is in range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mozillas_authorities_are_believed_where_the_system_has_none() {
        let key = rcgen::KeyPair::generate().expect("a key can be made");
        let own = rcgen::CertificateParams::default().self_signed(&key).expect("it can be signed");
        let junk = CertificateDer::from(vec![0; 8]);
        for (system, count) in [
            (vec![], webpki_roots::TLS_SERVER_ROOTS.len()),
            (vec![junk.clone()], webpki_roots::TLS_SERVER_ROOTS.len()),
            (vec![junk, own.der().clone()], 1),
        ] {
            assert_eq!(believed(system).len(), count);
        }
        assert!(webpki_roots::TLS_SERVER_ROOTS.len() > 100);
    }
}
