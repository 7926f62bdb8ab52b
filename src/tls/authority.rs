//! An authority that signs: its certificate and its key.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, PublicKeyData, SanType,
};
use rustls::SignatureScheme;
use rustls::pki_types::{CertificateDer, DnsName};
use rustls::sign::SigningKey;
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::certificate::seconds;
use super::private::{KeyFault, signing_key};
use super::{BACKDATED, CaCertificate, date, serial};
use crate::problem::Problem;
use crate::secret::Secret;

/// A certificate and the key that belongs to it.
pub struct Authority {
    certificate: CaCertificate,
    issuer: Issuer<'static, CaKey>,
}

impl Authority {
    /// Puts a certificate and its private key together: PKCS#8, SEC 1 or PKCS#1 in PEM, RSA or
    /// elliptic. Where certificates stand beside the key, it is that of the first of them, and
    /// `certificate` has signed the last.
    ///
    /// # Errors
    ///
    /// About the key: when it cannot be read, or is another's.
    pub fn new(certificate: CaCertificate, key: &Secret) -> Result<Self, Problem> {
        let certificate = certificate.below(key)?;
        let key = CaKey::read(key)?;
        if key.public != certificate.public() {
            let what = format!("is not the key of the certificate of {}", certificate.subject());
            let fix = "name the key that was made with this certificate; where one below it was \
                       made with the key, put that one behind the key";
            return Err(Problem::new(what, fix));
        }
        let issuer = issuer(&certificate, key)?;
        Ok(Self { certificate, issuer })
    }

    /// What it may vouch for, and until when.
    pub fn certificate(&self) -> &CaCertificate {
        &self.certificate
    }

    /// A certificate for one host and a public key. Gives it in DER, with the last second of its
    /// validity since the Unix epoch.
    pub(super) fn mint(
        &self,
        name: &LeafName,
        public: &impl PublicKeyData,
        unix_ms: u64,
        lifetime: Duration,
    ) -> Result<(CertificateDer<'static>, i64), MintError> {
        if !self.certificate.permits(&name.to_string()) {
            return Err(MintError::Outside(name.to_string()));
        }
        let expired = |error: Problem| MintError::Invalid(error.what);
        self.certificate.check_time(unix_ms).map_err(expired)?;
        let now = seconds(unix_ms);
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let not_after = now.saturating_add(lifetime).min(self.certificate.not_after());
        let mut params = CertificateParams::default();
        params.not_before = date(now - BACKDATED);
        params.not_after = date(not_after);
        params.serial_number = Some(serial());
        params.distinguished_name = name.subject();
        params.subject_alt_names = vec![name.alternative()?];
        params.is_ca = IsCa::NoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Strict verifiers ask for it, and it is how two CAs of one name are told apart.
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(public, &self.issuer);
        let leaf = leaf.map_err(|error| MintError::Failed(error.to_string()))?;
        Ok((leaf.der().clone(), not_after))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", self.certificate.subject())
    }
}

/// Why there is no certificate for a host.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MintError {
    /// It is neither a name nor an address.
    #[error("{0:?} is neither a host name nor an address")]
    NoHost(String),
    /// The authority is constrained to others.
    #[error("the CA in intercept.ca_cert may not vouch for {0}: see `countersign ca show`")]
    Outside(String),
    /// The authority itself is not valid any more, or not yet.
    #[error("the CA in intercept.ca_cert {0}")]
    Invalid(String),
    /// What the library says.
    #[error("no certificate could be made: {0}")]
    Failed(String),
}

/// The one name of a leaf.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum LeafName {
    /// Lower-case, without a dot at its end.
    Dns(String),
    Address(IpAddr),
}

impl LeafName {
    /// Reads a name or an address.
    pub(super) fn read(host: &str) -> Result<Self, MintError> {
        if let Ok(address) = host.parse() {
            return Ok(Self::Address(address));
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        match DnsName::try_from(name.as_str()) {
            Ok(_) => Ok(Self::Dns(name)),
            Err(_) => Err(MintError::NoHost(host.chars().take(300).collect())),
        }
    }

    fn alternative(&self) -> Result<SanType, MintError> {
        match self {
            Self::Dns(name) => {
                let name = name.as_str().try_into();
                name.map(SanType::DnsName).map_err(|_| MintError::NoHost(self.to_string()))
            }
            Self::Address(address) => Ok(SanType::IpAddress(*address)),
        }
    }

    /// A common name for those who still show it. An address has none: OpenSSL would take it for
    /// a host name, and hold it against the constraints for those.
    fn subject(&self) -> DistinguishedName {
        let mut subject = DistinguishedName::new();
        match self {
            Self::Dns(name) if name.len() <= LONGEST_NAME => {
                subject.push(DnType::CommonName, name.as_str());
            }
            Self::Dns(_) | Self::Address(_) => {
                subject.push(DnType::OrganizationName, "countersign");
            }
        }
        subject
    }
}

impl fmt::Display for LeafName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// The key of an authority, which signs and is never seen.
pub(super) struct CaKey {
    key: Arc<dyn SigningKey>,
    scheme: SignatureScheme,
    algorithm: &'static rcgen::SignatureAlgorithm,
    public: Vec<u8>,
}

impl CaKey {
    pub(super) fn read(pem: &Secret) -> Result<Self, Problem> {
        let key = signing_key(pem).map_err(|fault| match fault {
            KeyFault::Absent => no_key(pem),
            KeyFault::Unusable | KeyFault::Mismatch | KeyFault::Unfit(_) => unusable(),
        })?;
        let known = |(scheme, _): &&(SignatureScheme, _)| key.choose_scheme(&[*scheme]).is_some();
        let (scheme, algorithm) = *schemes().iter().find(known).ok_or_else(unusable)?;
        let spki = key.public_key().ok_or_else(unusable)?;
        let (_, spki) = SubjectPublicKeyInfo::from_der(&spki).map_err(|_| unusable())?;
        let public = spki.subject_public_key.data.to_vec();
        Ok(Self { key, scheme, algorithm, public })
    }
}

impl PublicKeyData for CaKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.algorithm
    }
}

impl rcgen::SigningKey for CaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signer = self.key.choose_scheme(&[self.scheme]);
        let signature = signer.and_then(|signer| signer.sign(message).ok());
        signature.ok_or(rcgen::Error::RemoteKeyError)
    }
}

/// How each kind of key signs certificates.
fn schemes() -> [(SignatureScheme, &'static rcgen::SignatureAlgorithm); 5] {
    [
        (SignatureScheme::ECDSA_NISTP256_SHA256, &rcgen::PKCS_ECDSA_P256_SHA256),
        (SignatureScheme::ECDSA_NISTP384_SHA384, &rcgen::PKCS_ECDSA_P384_SHA384),
        (SignatureScheme::ECDSA_NISTP521_SHA512, &rcgen::PKCS_ECDSA_P521_SHA512),
        (SignatureScheme::RSA_PKCS1_SHA256, &rcgen::PKCS_RSA_SHA256),
        (SignatureScheme::ED25519, &rcgen::PKCS_ED25519),
    ]
}

fn no_key(pem: &Secret) -> Problem {
    let encrypted = pem.expose().windows(9).any(|bytes| bytes == b"ENCRYPTED");
    if encrypted {
        let fix = "decrypt a copy for a place that only the proxy can read: openssl pkey -in FILE";
        return Problem::new("is encrypted, and a CA's key is read as it is", fix);
    }
    Problem::new("holds no private key in PEM", PEM)
}

fn unusable() -> Problem {
    Problem::new(
        "holds a key that cannot sign certificates: neither RSA (2048 to 8192 bits) nor on P-256, P-384 or P-521",
        PEM,
    )
}

/// The issuer whose name is, to the byte, the subject of the certificate: verifiers compare them.
fn issuer(certificate: &CaCertificate, key: CaKey) -> Result<Issuer<'static, CaKey>, Problem> {
    let own = &certificate.chain()[0];
    let strange = || {
        let what = format!(
            "has a certificate whose subject, {}, has a form that cannot be repeated in others",
            certificate.subject()
        );
        Problem::new(what, "use a CA with one CN, O and OU at most; `countersign ca new` makes one")
    };
    let (_, parsed) = parse_x509_certificate(own).map_err(|_| strange())?;
    // rcgen panics at a part without a value.
    if parsed.subject().iter().any(|part| part.iter().next().is_none()) {
        return Err(strange());
    }
    let issuer = Issuer::from_ca_cert_der(own, key).map_err(|_| strange())?;
    // rcgen keeps one value of each kind: a second OU or DC would be lost.
    let trial = CertificateParams::default().signed_by(issuer.key(), &issuer);
    let trial = trial.map_err(|_| unusable())?;
    let (_, trial) = parse_x509_certificate(trial.der()).map_err(|_| strange())?;
    if trial.issuer().as_raw() != parsed.subject().as_raw() {
        return Err(strange());
    }
    Ok(issuer)
}

const PEM: &str = "name an entry with the CA's private key as PKCS#8, SEC 1 or PKCS#1 in PEM";

/// X.520's bound for such names, which some readers hold certificates to.
pub(super) const LONGEST_NAME: usize = 64;
