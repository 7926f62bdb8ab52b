//! The TLS handshake, and why it failed: what the other end said last, and how much it had said
//! before.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, NamedGroup, PeerIncompatible};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate;
use super::error::{ConnectFailure, Handshake, Phase};

/// Speaks TLS over `stream`, of which `heard` is told, with the holder of `name`'s certificate.
pub(super) async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
    stream: S,
    heard: &Heard,
) -> Result<TlsStream<S>, ConnectFailure> {
    let long = is_longer_than_a_packet(&tls);
    let connected = TlsConnector::from(tls).connect(name, stream).await;
    connected.map_err(|error| failure(&error, heard.bytes(), long))
}

/// What it means that the time is over in the middle of a handshake.
pub(super) fn out_of_time(tls: &ClientConfig, heard: &Heard) -> Phase {
    let silent = heard.bytes() == 0 && is_longer_than_a_packet(tls);
    if silent { Phase::Tls(Handshake::Silent) } else { Phase::ConnectTimeout }
}

/// A share in ML-KEM has 1184 bytes: beside the rest it takes two packets.
fn is_longer_than_a_packet(tls: &ClientConfig) -> bool {
    let groups = &tls.crypto_provider().kx_groups;
    groups.iter().any(|group| group.name() == NamedGroup::X25519MLKEM768)
}

/// Why a handshake failed in which the other end had said so many bytes.
fn failure(error: &io::Error, said: usize, long: bool) -> ConnectFailure {
    let mute = said == 0;
    let broken = if mute && long { Handshake::Mute } else { Handshake::Broken };
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let words = if mute { "without a word" } else { "in the middle of the handshake" };
    let (phase, reason) = match inner {
        Some(rustls::Error::InvalidCertificate(error)) => {
            let (fault, reason) = certificate::describe(error);
            (Phase::Certificate(fault), reason)
        }
        Some(rustls::Error::AlertReceived(alert)) => alerted(*alert, said),
        // The first bytes of something else.
        Some(rustls::Error::InvalidMessage(_)) => {
            (Phase::Tls(Handshake::NotTls), "what it answers is not TLS".to_owned())
        }
        Some(rustls::Error::PeerIncompatible(why)) => {
            (Phase::Tls(incompatible(why)), format!("it does not fit: {why:?}"))
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            (Phase::Tls(broken), format!("it closed the connection {words}"))
        }
        None if RESETS.contains(&error.kind()) => {
            (Phase::Tls(broken), format!("it reset the connection {words}"))
        }
        _ => (Phase::Tls(Handshake::Broken), error.to_string()),
    };
    ConnectFailure { phase, reason }
}

const RESETS: [io::ErrorKind; 3] =
    [io::ErrorKind::ConnectionReset, io::ErrorKind::ConnectionAborted, io::ErrorKind::BrokenPipe];

fn incompatible(why: &PeerIncompatible) -> Handshake {
    let versions = [
        PeerIncompatible::ServerDoesNotSupportTls12Or13,
        PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
    ];
    if versions.contains(why) { Handshake::Version } else { Handshake::Cipher }
}

/// What the other end meant when it broke off, having said so many bytes.
pub(super) fn alerted(alert: AlertDescription, said: usize) -> (Phase, String) {
    // In TLS 1.2 this is also how a certificate is missed (RFC 5246, section 7.4.6): then the other
    // end has shown its own, and so agreed on all else.
    let missed = alert == AlertDescription::HandshakeFailure && said >= CERTIFICATE;
    let known = ALERTS.iter().find(|(kind, _)| *kind == alert);
    let phase = match known {
        Some(_) if missed => Phase::ClientCertificate,
        Some((_, phase)) => *phase,
        None => Phase::Tls(Handshake::Broken),
    };
    (phase, format!("it said {alert:?}"))
}

const ALERTS: &[(AlertDescription, Phase)] = &[
    (AlertDescription::ProtocolVersion, Phase::Tls(Handshake::Version)),
    (AlertDescription::HandshakeFailure, Phase::Tls(Handshake::Cipher)),
    (AlertDescription::InsufficientSecurity, Phase::Tls(Handshake::Cipher)),
    (AlertDescription::UnrecognisedName, Phase::Tls(Handshake::Name)),
    (AlertDescription::BadCertificate, Phase::ClientCertificate),
    (AlertDescription::UnsupportedCertificate, Phase::ClientCertificate),
    (AlertDescription::CertificateRevoked, Phase::ClientCertificate),
    (AlertDescription::CertificateExpired, Phase::ClientCertificate),
    (AlertDescription::CertificateUnknown, Phase::ClientCertificate),
    (AlertDescription::UnknownCA, Phase::ClientCertificate),
    (AlertDescription::AccessDenied, Phase::ClientCertificate),
    // It is from another authority of the name that the other end trusts.
    (AlertDescription::DecryptError, Phase::ClientCertificate),
    (AlertDescription::CertificateRequired, Phase::ClientCertificate),
];

/// So many bytes are no answer without a certificate: a `ServerHello`, or the request for another
/// `ClientHello`, with an alert has less than half of it.
const CERTIFICATE: usize = 400;

/// How many bytes were read from a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<AtomicUsize>);

impl Heard {
    fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream whose bytes are counted as they are read.
#[derive(Debug)]
pub(super) struct Counted<S> {
    inner: S,
    heard: Heard,
}

impl<S> Counted<S> {
    /// Nothing has been read yet.
    pub(super) fn new(inner: S) -> (Self, Heard) {
        let heard = Heard::default();
        (Self { inner, heard: heard.clone() }, heard)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.heard.0.fetch_add(buf.filled().len() - before, Ordering::Relaxed);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_about_our_certificate_or_about_what_is_not_in_common() {
        let cipher = Phase::Tls(Handshake::Cipher);
        let table = [
            (AlertDescription::CertificateRequired, 2_000, Phase::ClientCertificate),
            (AlertDescription::UnknownCA, 2_000, Phase::ClientCertificate),
            (AlertDescription::HandshakeFailure, 7, cipher),
            (AlertDescription::HandshakeFailure, 120, cipher),
            (AlertDescription::HandshakeFailure, 2_000, Phase::ClientCertificate),
            (AlertDescription::InsufficientSecurity, 7, cipher),
            (AlertDescription::ProtocolVersion, 7, Phase::Tls(Handshake::Version)),
            (AlertDescription::UnrecognisedName, 7, Phase::Tls(Handshake::Name)),
            (AlertDescription::InternalError, 7, Phase::Tls(Handshake::Broken)),
        ];
        for (alert, said, phase) in table {
            assert_eq!(alerted(alert, said).0, phase, "{alert:?} after {said}");
        }
    }

    #[test]
    fn only_a_long_hello_can_be_at_fault_for_a_silence() {
        let table = [
            (0, true, Handshake::Mute),
            (0, false, Handshake::Broken),
            (9, true, Handshake::Broken),
        ];
        for (said, long, expected) in table {
            let phase = failure(&io::ErrorKind::ConnectionReset.into(), said, long).phase;
            assert_eq!(phase, Phase::Tls(expected), "{said} {long}");
        }
    }
}
