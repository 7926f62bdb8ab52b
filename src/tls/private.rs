//! Private keys for TLS, out of PEM: no copy of one is left in memory that was given back.
//!
//! The TLS library's own reader of PEM leaves the base64 and what was decoded behind. Here both are
//! wiped, and what signs is held by the cryptographic library, which wipes what it frees.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use pkcs8::{LineEnding, SecretDocument};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys};
use zeroize::Zeroizing;

use crate::pem::{Block, blocks};
use crate::secret::Secret;

/// Why a key is of no use.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum KeyFault {
    /// No block is one.
    #[error("holds no private key in PEM: PKCS#8, SEC 1 or PKCS#1, not encrypted")]
    Absent,
    /// There is one, and the library signs with none of its kind.
    #[error("holds a private key of a kind that TLS has no use for")]
    Unusable,
    /// It is another certificate's.
    #[error("is not the key of the certificate")]
    Mismatch,
    /// What the library says of the certificate.
    #[error("cannot be used with its certificate: {0}")]
    Unfit(Error),
}

/// The first private key of a PEM text.
pub(super) fn signing_key(pem: &Secret) -> Result<Arc<dyn SigningKey>, KeyFault> {
    let mut keys = blocks(pem.expose()).map_while(Result::ok);
    let key = keys.find(|block| of_der(block, &[]).is_some()).ok_or(KeyFault::Absent)?;
    let der = key.decode().ok_or(KeyFault::Absent)?;
    let der = of_der(&key, &der).ok_or(KeyFault::Absent)?;
    any_supported_type(&der).map_err(|_| KeyFault::Unusable)
}

/// DER as a block's label says that it is to be read, if it is a private key's.
fn of_der<'a>(block: &Block<'_>, der: &'a [u8]) -> Option<PrivateKeyDer<'a>> {
    match block.label {
        b"PRIVATE KEY" => Some(PrivateKeyDer::Pkcs8(der.into())),
        b"EC PRIVATE KEY" => Some(PrivateKeyDer::Sec1(der.into())),
        b"RSA PRIVATE KEY" => Some(PrivateKeyDer::Pkcs1(der.into())),
        _ => None,
    }
}

/// What a client or a server shows: a chain, the own certificate first, and the first private key of
/// a PEM text.
///
/// # Errors
///
/// When there is no key, or it is not the certificate's; nothing of the key.
pub(crate) fn identity(
    chain: Vec<CertificateDer<'static>>,
    key: &Secret,
) -> Result<Arc<SingleCertAndKey>, KeyFault> {
    let certified = CertifiedKey::new(chain, signing_key(key)?);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
            Ok(Arc::new(certified.into()))
        }
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(KeyFault::Mismatch),
        Err(error) => Err(KeyFault::Unfit(error)),
    }
}

/// A P-256 key that is made here and is nowhere else, unless it is written out.
pub(super) struct NewKey(EcdsaKeyPair);

impl NewKey {
    pub(super) fn generate() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
        Self(key.expect("the system has random numbers"))
    }

    /// PKCS#8 in PEM.
    pub(super) fn to_pem(&self) -> Zeroizing<String> {
        let der = self.0.to_pkcs8v1().expect("a key that was made has a form");
        let document = SecretDocument::try_from(der.as_ref()).expect("PKCS#8 is DER");
        document.to_pem("PRIVATE KEY", LineEnding::LF).expect("DER has a form in PEM")
    }

    /// The same key, for the TLS library.
    pub(super) fn for_tls(&self) -> Arc<dyn SigningKey> {
        let der = self.0.to_pkcs8v1().expect("a key that was made has a form");
        let der = PrivateKeyDer::Pkcs8(der.as_ref().into());
        any_supported_type(&der).expect("P-256 is supported")
    }
}

impl rcgen::PublicKeyData for NewKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for NewKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.0.sign(&SystemRandom::new(), message);
        let signature = signature.map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(signature.as_ref().to_vec())
    }
}
