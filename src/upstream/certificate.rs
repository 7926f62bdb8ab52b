//! Certificate verification errors of upstreams, in words a person can act on.
//!
//! The checks are the TLS library's own. [`Named`] adds a name to one of its answers: a certificate
//! that nobody known has issued may have been issued by itself. And it takes a certificate that is
//! named in `ca` byte for byte (pinned, as curl's `--cacert` does it) whoever has issued it, in its
//! time and for its names; what `openssl req -x509` makes calls itself an authority, and is shown by
//! servers all the same.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, LazyLock};

use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{Decode as _, SliceReader, Tagged as _};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CertificateFault {
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYetValid,
    /// It is for other names.
    WrongName,
    /// It is for no name: a common name is none (RFC 9525, section 2).
    Nameless,
    /// It vouches for itself, and is not trusted.
    SelfSigned,
    /// Its authority is not trusted.
    Untrusted,
    /// Its authority took it back.
    Revoked,
    /// It is broken, or not for servers.
    Unfit,
}

/// What holds a server's certificate against authorities, once it is there.
pub(super) type Verifier =
    LazyLock<Arc<WebPkiServerVerifier>, Box<dyn FnOnce() -> Arc<WebPkiServerVerifier> + Send>>;

/// The TLS library's verifier, which tells certificates that vouch for themselves from others and
/// takes those that are pinned.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) verifier: Arc<Verifier>,
    /// Trusted as they are.
    pub(super) pinned: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let Err(error) = verified else { return verified };
        if !is_about_its_issuer(&error) {
            return Err(error);
        }
        if self.pinned.contains(end_entity) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        if vouches_for_itself(end_entity).unwrap_or(false) {
            return Err(CertificateError::Other(OtherError(Arc::new(SelfSigned))).into());
        }
        Err(error)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Whether a certificate is refused for who has issued it, or for calling itself an issuer. The
/// library looks at its time before either.
fn is_about_its_issuer(error: &rustls::Error) -> bool {
    // An error of the library below, which has no other name here.
    if let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) = error {
        return inner.to_string() == "CaUsedAsEndEntity";
    }
    *error == CertificateError::UnknownIssuer.into()
}

/// A refused certificate's issuer is its own subject.
#[derive(Debug)]
struct SelfSigned;

impl fmt::Display for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate is self-signed")
    }
}

impl Error for SelfSigned {}

/// Whether issuer and subject are the same (RFC 5280, section 4.1).
fn vouches_for_itself(certificate: &[u8]) -> pkcs8::der::Result<bool> {
    let mut outer = SliceReader::new(AnyRef::from_der(certificate)?.value())?;
    let mut fields = SliceReader::new(AnyRef::decode(&mut outer)?.value())?;
    // The version may be left out; then the serial number comes first.
    if AnyRef::decode(&mut fields)?.tag().is_context_specific() {
        AnyRef::decode(&mut fields)?;
    }
    let _algorithm = AnyRef::decode(&mut fields)?;
    let issuer = AnyRef::decode(&mut fields)?;
    let _validity = AnyRef::decode(&mut fields)?;
    Ok(issuer == AnyRef::decode(&mut fields)?)
}

/// What is wrong with a certificate, and in words.
pub(super) fn describe(error: &CertificateError) -> (CertificateFault, String) {
    if let CertificateError::ExpiredContext { time, not_after } = error {
        let ago = duration(time.as_secs().saturating_sub(not_after.as_secs()));
        return (CertificateFault::Expired, format!("its certificate expired {ago} ago"));
    }
    if let CertificateError::NotValidYetContext { time, not_before } = error {
        let away = duration(not_before.as_secs().saturating_sub(time.as_secs()));
        return (
            CertificateFault::NotYetValid,
            format!("its certificate is not valid yet, but in {away}"),
        );
    }
    if let CertificateError::NotValidForNameContext { expected, presented } = error {
        let fault = if presented.is_empty() {
            CertificateFault::Nameless
        } else {
            CertificateFault::WrongName
        };
        let (names, expected) = (names(presented), expected.to_str());
        return (fault, format!("its certificate is for {names}, and not for {expected}"));
    }
    if let CertificateError::Other(OtherError(other)) = error
        && other.is::<SelfSigned>()
    {
        let reason = "its certificate is self-signed, and not trusted here";
        return (CertificateFault::SelfSigned, reason.to_owned());
    }
    let known = [
        (CertificateError::Expired, CertificateFault::Expired, "has expired"),
        (CertificateError::NotValidYet, CertificateFault::NotYetValid, "is not valid yet"),
        (CertificateError::NotValidForName, CertificateFault::WrongName, "is for another name"),
        (CertificateError::Revoked, CertificateFault::Revoked, "has been revoked by its authority"),
        (
            CertificateError::UnknownIssuer,
            CertificateFault::Untrusted,
            "is from an authority that is not trusted here",
        ),
        (
            CertificateError::BadSignature,
            CertificateFault::Untrusted,
            "is from another authority of a trusted one's name",
        ),
    ];
    match known.into_iter().find(|(kind, ..)| kind == error) {
        Some((_, fault, words)) => (fault, format!("its certificate {words}")),
        None => (CertificateFault::Unfit, format!("its certificate is unfit: {error}")),
    }
}

/// The names of a certificate, which is not ours: no more than a line of them.
fn names(presented: &[String]) -> String {
    // The library writes `DnsName("a.b")` and `IpAddress(127.0.0.1)`.
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        let bare = inner.unwrap_or(name).trim_matches('"');
        bare.chars().take(LONGEST_NAME).flat_map(char::escape_debug).collect::<String>()
    };
    let mut names: Vec<String> = presented.iter().take(MOST_NAMES).map(bare).collect();
    if presented.len() > MOST_NAMES {
        names.push(format!("{} more", presented.len() - MOST_NAMES));
    }
    if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") }
}

fn duration(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..=119 => (seconds, "seconds"),
        120..=7_199 => (seconds / 60, "minutes"),
        7_200..=172_799 => (seconds / 3_600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{number} {unit}")
}

const MOST_NAMES: usize = 8;
const LONGEST_NAME: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_refusal_has_words() {
        let at = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let day = 86_400;
        let many: Vec<String> = (0..10).map(|n| format!("DnsName(\"{n}.x\")")).collect();
        let name = || ServerName::try_from("a.b").expect("a name").to_owned();
        let named = |presented: &[String]| CertificateError::NotValidForNameContext {
            expected: name(),
            presented: presented.to_vec(),
        };
        let table = [
            (
                CertificateError::ExpiredContext { time: at(9 * day), not_after: at(day) },
                CertificateFault::Expired,
                "its certificate expired 8 days ago",
            ),
            (
                CertificateError::NotValidYetContext { time: at(0), not_before: at(7_200) },
                CertificateFault::NotYetValid,
                "its certificate is not valid yet, but in 2 hours",
            ),
            (
                named(&["DnsName(\"c.d\")".into(), "IpAddress(127.0.0.1)".into()]),
                CertificateFault::WrongName,
                "its certificate is for c.d, 127.0.0.1, and not for a.b",
            ),
            (
                named(&[]),
                CertificateFault::Nameless,
                "its certificate is for no name at all, and not for a.b",
            ),
            (
                named(&many),
                CertificateFault::WrongName,
                "its certificate is for 0.x, 1.x, 2.x, 3.x, 4.x, 5.x, 6.x, 7.x, 2 more, and not for a.b",
            ),
            (
                CertificateError::Revoked,
                CertificateFault::Revoked,
                "its certificate has been revoked by its authority",
            ),
            (
                CertificateError::BadEncoding,
                CertificateFault::Unfit,
                "its certificate is unfit: BadEncoding",
            ),
        ];
        for (error, fault, words) in table {
            assert_eq!(describe(&error), (fault, words.to_owned()));
        }
    }

    #[test]
    fn what_is_no_certificate_vouches_for_nobody() {
        for bytes in [&b""[..], b"\x30\x00", b"\x30\x02\x30\x00", b"nonsense"] {
            assert!(vouches_for_itself(bytes).is_err(), "{bytes:?}");
        }
    }
}
