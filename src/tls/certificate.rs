//! The certificate of an authority, as a file holds it: what it says, and whether an authority
//! can be made of it. No key is needed to read it.

use pkcs8::{Document, LineEnding};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::parse_x509_certificate;
use x509_parser::x509::X509Name;

use super::constraints::{Constraints, Host};
use crate::pem::blocks;
use crate::problem::Problem;
use crate::secret::Secret;

/// The certificate of an authority, and those above it that were in the same file.
#[derive(Clone, Debug)]
pub struct CaCertificate {
    /// The authority's own first.
    chain: Vec<CertificateDer<'static>>,
    subject: String,
    /// The bits of the subject's public key.
    public: Vec<u8>,
    /// Seconds since the Unix epoch: the narrowest of the chain.
    not_before: i64,
    not_after: i64,
    constraints: Vec<Constraints>,
}

impl CaCertificate {
    /// Reads PEM. The first certificate is the authority's; each that follows has signed the one
    /// before it.
    ///
    /// # Errors
    ///
    /// When there is none, or it may not sign certificates.
    pub fn read(pem: &[u8]) -> Result<Self, Problem> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let chain = read.map_err(|_| broken("holds PEM that is cut short or mistyped"))?;
        if chain.is_empty() {
            return Err(broken("holds no CERTIFICATE block in PEM"));
        }
        Self::of(chain, |first, second| {
            let what = format!(
                "has the certificate of {second} after that of {first}, which it has not signed"
            );
            let fix =
                "put the CA's own certificate first, then the one that signed it, and no other";
            Problem::new(what, fix)
        })
    }

    /// The authority whose certificates stand beside its key, in the same PEM text: those that are
    /// not here yet come before these, which have signed the last of them.
    ///
    /// # Errors
    ///
    /// When one of them may not sign certificates, or does not belong to these.
    pub fn below(self, key: &Secret) -> Result<Self, Problem> {
        let blocks = blocks(key.expose()).map_while(Result::ok);
        let found = blocks.filter(|block| block.label == b"CERTIFICATE").filter_map(|b| b.decode());
        let mut chain: Vec<_> = found.map(|der| CertificateDer::from(der.to_vec())).collect();
        chain.retain(|beside| !self.chain.contains(beside));
        if chain.is_empty() {
            return Ok(self);
        }
        chain.extend(self.chain);
        Self::of(chain, |first, second| {
            let what = format!("has the certificate of {first}, which {second} has not signed");
            Problem::new(what, PAIR)
        })
    }

    /// A chain; `unsigned` says that the first of two subjects was not signed by the second.
    fn of(
        chain: Vec<CertificateDer<'static>>,
        unsigned: fn(&X509Name<'_>, &X509Name<'_>) -> Problem,
    ) -> Result<Self, Problem> {
        let mut parsed = Vec::new();
        for certificate in &chain {
            let (rest, certificate) = parse_x509_certificate(certificate)
                .map_err(|_| broken("holds a certificate that cannot be read"))?;
            if !rest.is_empty() {
                return Err(broken("holds a certificate with bytes after its end"));
            }
            parsed.push(certificate);
        }
        let mut constraints = Vec::new();
        for certificate in &parsed {
            check_authority(certificate)?;
            constraints.extend(constraints_of(certificate)?);
        }
        if let Some(pair) = parsed.windows(2).find(|pair| !has_signed(&pair[1], &pair[0])) {
            return Err(unsigned(pair[0].subject(), pair[1].subject()));
        }
        let own = &parsed[0];
        let validity = parsed.iter().map(|certificate| certificate.validity());
        Ok(Self {
            subject: own.subject().to_string(),
            public: own.public_key().subject_public_key.data.to_vec(),
            not_before: validity.clone().map(|v| v.not_before.timestamp()).max().unwrap_or(0),
            not_after: validity.map(|v| v.not_after.timestamp()).min().unwrap_or(0),
            constraints,
            chain,
        })
    }

    /// Says whether it is valid at a time, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// When it is not valid yet, or no longer.
    pub fn check_time(&self, unix_ms: u64) -> Result<(), Problem> {
        let now = seconds(unix_ms);
        if now > self.not_after {
            let what = format!("expired on {}", super::date(self.not_after).date());
            return Err(Problem::new(what, NEW_ONE));
        }
        if now < self.not_before {
            let what = format!("is not valid before {}", super::date(self.not_before).date());
            return Err(Problem::new(what, "set this machine's clock, or wait until then"));
        }
        Ok(())
    }

    /// Whether it may vouch for a host: a name, `*.` and a name, or an address with or without
    /// brackets. Every certificate of the file has a say.
    pub fn permits(&self, host: &str) -> bool {
        let host = Host::of(host);
        self.constraints.iter().all(|own| own.permit(&host))
    }

    /// What it may vouch for without any limit: `None` when names and addresses are constrained.
    pub fn unlimited(&self) -> Option<&'static str> {
        let names = self.constraints.iter().any(Constraints::limit_names);
        let addresses = self.constraints.iter().any(Constraints::limit_addresses);
        match (names, addresses) {
            (true, true) => None,
            (true, false) => Some("every address"),
            (false, true) => Some("every host name"),
            (false, false) => Some("every host"),
        }
    }

    /// The constraints in words, each with whether it permits (or else excludes).
    pub fn constraints(&self) -> impl Iterator<Item = (bool, String)> + '_ {
        self.constraints.iter().flat_map(Constraints::lines)
    }

    /// Whose it is, as X.509 writes names: `CN=…, O=…`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// SHA-256 of the certificate, in upper-case hex with colons, as browsers and OpenSSL show it.
    pub fn fingerprint(&self) -> String {
        let hash: [u8; 32] = Sha256::digest(&self.chain[0]).into();
        hash.map(|byte| format!("{byte:02X}")).join(":")
    }

    /// First and last day of its validity, in UTC.
    pub fn validity(&self) -> (time::Date, time::Date) {
        (super::date(self.not_before).date(), super::date(self.not_after).date())
    }

    /// The certificate that clients have to trust: the last of the file, in DER.
    pub fn trust_anchor(&self) -> &CertificateDer<'static> {
        self.chain.last().expect("a chain has a certificate")
    }

    /// The same in PEM.
    pub fn trust_anchor_pem(&self) -> String {
        let document = Document::try_from(self.trust_anchor().as_ref());
        let document = document.expect("a certificate that was read is DER");
        document.to_pem("CERTIFICATE", LineEnding::LF).expect("DER has a form in PEM")
    }

    /// Whether its key is that of the very certificate that clients trust, whose own constraints
    /// some of them do not apply.
    pub fn is_trust_anchor(&self) -> bool {
        self.chain.len() == 1
    }

    /// The last second of its validity, since the Unix epoch.
    pub(super) fn not_after(&self) -> i64 {
        self.not_after
    }

    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// What goes to a client beside the leaf: all but a certificate that has signed itself, which
    /// the client has or does not trust.
    pub(super) fn sent(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.chain.iter().filter(|certificate| {
            let parsed = parse_x509_certificate(certificate);
            parsed.is_ok_and(|(_, c)| c.subject().as_raw() != c.issuer().as_raw())
        })
    }
}

pub(super) fn seconds(unix_ms: u64) -> i64 {
    i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX)
}

fn broken(what: &str) -> Problem {
    Problem::new(
        what,
        "name a PEM file with the CA's certificate first; `countersign ca new` makes one",
    )
}

/// Whether a certificate may sign others (RFC 5280, 4.2.1.3 and 4.2.1.9).
fn check_authority(certificate: &X509Certificate<'_>) -> Result<(), Problem> {
    let subject = certificate.subject();
    let unreadable =
        |extension: &ParsedExtension<'_>| matches!(extension, ParsedExtension::ParseError { .. });
    if certificate.extensions().iter().any(|e| unreadable(e.parsed_extension())) {
        return Err(broken("holds a certificate with an extension that cannot be read"));
    }
    let basic = certificate.basic_constraints().ok().flatten();
    if !basic.is_some_and(|basic| basic.value.ca) {
        let what = format!("holds the certificate of {subject}, which is no CA (basicConstraints)");
        return Err(Problem::new(what, NO_LEAF));
    }
    let usage = certificate.key_usage().ok().flatten();
    if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        let what = format!("holds the certificate of {subject}, whose keyUsage lacks keyCertSign");
        return Err(Problem::new(what, NO_LEAF));
    }
    Ok(())
}

fn constraints_of(certificate: &X509Certificate<'_>) -> Result<Option<Constraints>, Problem> {
    let found = certificate.name_constraints();
    let found = found.map_err(|_| broken("holds a certificate that has nameConstraints twice"))?;
    Ok(found.map(|found| Constraints::of(found.value)))
}

/// Whether a certificate says that it was signed by another: by its name, and by its key where both
/// have that (RFC 5280, sections 4.2.1.1 and 4.2.1.2), as CAs of one day have one name.
fn has_signed(above: &X509Certificate<'_>, below: &X509Certificate<'_>) -> bool {
    let signer = below.iter_extensions().find_map(|extension| {
        let parsed = extension.parsed_extension();
        let ParsedExtension::AuthorityKeyIdentifier(own) = parsed else { return None };
        own.key_identifier.as_ref()
    });
    let key = above.iter_extensions().find_map(|extension| {
        let ParsedExtension::SubjectKeyIdentifier(own) = extension.parsed_extension() else {
            return None;
        };
        Some(own)
    });
    below.issuer().as_raw() == above.subject().as_raw()
        && signer.zip(key).is_none_or(|(signer, key)| signer == key)
}

const PAIR: &str = "name the key with its certificate that `countersign ca new` made together with \
                    the root in intercept.ca_cert";
const NEW_ONE: &str =
    "move the certificate and its key away, run `countersign ca new`, and trust the new one";
const NO_LEAF: &str = "name the certificate of a CA; `countersign ca new` makes one";
