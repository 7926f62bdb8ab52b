//! Why a request did not get an answer, by the phase in which it failed.

use std::error::Error;
use std::fmt;
use std::io;

use super::certificate::CertificateFault;
use crate::descriptors::ran_out;

/// A request that was dressed and signed but got no answer.
#[derive(Clone, Debug)]
pub struct ForwardError {
    /// Where it was going: scheme, host and port that were dialled, and the proxy in between.
    pub upstream: String,
    /// How far it came.
    pub phase: Phase,
    /// What the system or the TLS library said; of a certificate, its names. Nothing of an answer.
    pub reason: String,
}

/// How far a request came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// The name was not found.
    Resolve,
    /// The same, and the environment names a proxy that was not asked.
    ResolvePastProxy,
    /// The address is one that may not be dialled for a client. Nothing was sent.
    Private,
    /// The TCP connection failed.
    Connect,
    /// There was no descriptor for it. Nothing was sent.
    Descriptors,
    /// The proxy in between failed or refused. Nothing was sent to the upstream.
    ParentProxy(Hop),
    /// Name, TCP and TLS together took too long. Nothing was sent.
    ConnectTimeout,
    /// The handshake failed. Nothing was sent.
    Tls(Handshake),
    /// The upstream's certificate was refused. Nothing was sent.
    Certificate(CertificateFault),
    /// The upstream refused our certificate, or wants one. It looked at no request.
    ClientCertificate,
    /// Whoever gave the request did not let it go. Nothing was sent.
    Withheld,
    /// The upstream said that it did not process the request (RFC 9113, section 8.7).
    Unprocessed,
    /// The connection ended before a response head.
    Exchange,
    /// What came back is not HTTP, or not an answer to what was asked.
    Protocol,
    /// No response head in time.
    ResponseTimeout,
    /// It took no more of the request.
    Stalled,
    /// The client's body stood still.
    RequestStalled,
    /// The client's body broke off.
    RequestBroken,
    /// The socket, or who listens there, may be another user's. Nothing was sent.
    Untrusted,
    /// The address is one of our own listeners.
    Loop,
}

/// How a proxy in between failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hop {
    /// It wants credentials, or others.
    Credentials,
    /// It lets no connections through to this place.
    Denied,
    /// It could not reach the upstream.
    Beyond,
    /// Its certificate was refused.
    Certificate,
    /// TLS with it failed otherwise.
    Tls,
    /// Anything else.
    Failed,
}

/// How a handshake failed, but for certificates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Handshake {
    /// It speaks no version that is spoken here.
    Version,
    /// It has no cipher suite, group or signature in common with us.
    Cipher,
    /// It serves no such name (RFC 6066, section 3).
    Name,
    /// It answers in something else than TLS.
    NotTls,
    /// It broke off without a word, on a `ClientHello` that is longer than a packet.
    Mute,
    /// It said nothing in time, to a `ClientHello` that is longer than a packet.
    Silent,
    /// It broke off, for all that can be told.
    Broken,
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { upstream, reason, .. } = self;
        match self.phase {
            Phase::Resolve | Phase::ResolvePastProxy => {
                write!(f, "the name in {upstream} does not resolve: {reason}")
            }
            Phase::Connect | Phase::Descriptors => {
                write!(f, "connecting to {upstream} failed: {reason}")
            }
            Phase::ParentProxy(_) => write!(f, "the proxy on the way failed {upstream}: {reason}"),
            Phase::ConnectTimeout => write!(f, "connecting to {upstream} took more than {reason}"),
            Phase::Tls(Handshake::Silent) => {
                write!(f, "TLS with {upstream} failed: not a byte of an answer within {reason}")
            }
            Phase::Tls(_) | Phase::Certificate(_) => {
                write!(f, "TLS with {upstream} failed: {reason}")
            }
            Phase::ClientCertificate => {
                write!(f, "{upstream} does not accept this proxy's certificate: {reason}")
            }
            Phase::Withheld => write!(f, "nothing was sent to {upstream}: {reason}"),
            Phase::Unprocessed => write!(f, "{upstream} did not process the request: {reason}"),
            Phase::Exchange => write!(f, "{upstream} ended the connection: {reason}"),
            Phase::Protocol => write!(f, "{upstream} answered with something else: {reason}"),
            Phase::ResponseTimeout => {
                write!(f, "{upstream} sent no response head within {reason}")
            }
            Phase::Stalled => write!(f, "{upstream} took no more of the request: {reason}"),
            Phase::RequestStalled => write!(f, "no byte of the request body for {reason}"),
            Phase::RequestBroken => write!(f, "the request body broke off: {reason}"),
            Phase::Private => write!(f, "{upstream} is not to be reached: {reason}"),
            Phase::Untrusted => write!(f, "{upstream} is not trusted: {reason}"),
            Phase::Loop => write!(f, "{upstream} is one of this proxy's own listeners"),
        }
    }
}

impl Error for ForwardError {}

/// What was found while a connection was made.
#[derive(Clone, Debug)]
pub(crate) struct ConnectFailure {
    pub(super) phase: Phase,
    pub(super) reason: String,
}

impl ConnectFailure {
    /// A proxy in between failed or refused.
    pub(super) fn via(hop: Hop, reason: String) -> Self {
        Self { phase: Phase::ParentProxy(hop), reason }
    }

    /// The system did not let us connect, or for want of descriptors not even begin to.
    pub(super) fn system(phase: Phase, error: &io::Error) -> Self {
        let phase = if ran_out(error) { Phase::Descriptors } else { phase };
        Self { phase, reason: error.to_string() }
    }

    /// How far it came, and what the system said.
    pub(crate) fn into_parts(self) -> (Phase, String) {
        (self.phase, self.reason)
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for ConnectFailure {}
