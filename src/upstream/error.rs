//! Why a request did not get an answer, by the phase in which it failed.

use std::error::Error;
use std::fmt;
use std::io;

use super::certificate::Fault;
use super::connection::{BUFFER, FIELDS};
use super::handshake::{Handshake, alerted};
use super::stream::Line;
use crate::body::StreamError;

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
    /// The TCP connection failed.
    Connect,
    /// The proxy in between failed or refused. Nothing was sent to the upstream.
    Via(Hop),
    /// Name, TCP and TLS together took too long. Nothing was sent.
    ConnectTimeout,
    /// The handshake failed. Nothing was sent.
    Tls(Handshake),
    /// The upstream's certificate was refused. Nothing was sent.
    Certificate(Fault),
    /// The upstream refused our certificate, or wants one. It looked at no request.
    ClientCertificate,
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

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { upstream, reason, .. } = self;
        match self.phase {
            Phase::Resolve | Phase::ResolvePastProxy => {
                write!(f, "the name in {upstream} does not resolve: {reason}")
            }
            Phase::Connect => write!(f, "connecting to {upstream} failed: {reason}"),
            Phase::Via(_) => write!(f, "the proxy on the way failed {upstream}: {reason}"),
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
            Phase::Unprocessed => write!(f, "{upstream} did not process the request: {reason}"),
            Phase::Exchange => write!(f, "{upstream} ended the connection: {reason}"),
            Phase::Protocol => write!(f, "{upstream} answered with something else: {reason}"),
            Phase::ResponseTimeout => {
                write!(f, "{upstream} sent no response head within {reason}")
            }
            Phase::Stalled => write!(f, "{upstream} took no more of the request: {reason}"),
            Phase::RequestStalled => write!(f, "no byte of the request body for {reason}"),
            Phase::RequestBroken => write!(f, "the request body broke off: {reason}"),
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

/// What the HTTP library's error means; `unsent` is whether nothing of a request was begun.
pub(super) fn explain(error: &hyper::Error, line: &Line, unsent: bool) -> (Phase, String) {
    if let Some(stream) = cause::<StreamError>(error) {
        return match stream {
            StreamError::Idle(limit) => (Phase::RequestStalled, format!("{limit:?}")),
            StreamError::Broken(reason) => (Phase::RequestBroken, reason.clone()),
            StreamError::Answered => (Phase::Exchange, stream.to_string()),
        };
    }
    // What another connection was told counts only where this request was given to none: of one
    // that was sent nobody may say that nothing was carried out.
    if let Some(alert) = line.refusal(unsent) {
        return match alerted(alert, 0) {
            (Phase::ClientCertificate, reason) => (Phase::ClientCertificate, reason),
            (_, reason) if unsent => (Phase::Tls(Handshake::Broken), reason),
            // The handshake was over, and the request on its way.
            (_, reason) => (Phase::Exchange, reason),
        };
    }
    if error.is_parse_too_large() {
        let reason = format!("its head has more than {FIELDS} fields or {} KiB", BUFFER >> 10);
        return (Phase::Protocol, reason);
    }
    let reason = root(error);
    if cause::<h2::Error>(error).is_some_and(is_unprocessed) {
        return (Phase::Unprocessed, reason);
    }
    let late = cause::<io::Error>(error).is_some_and(|e| e.kind() == io::ErrorKind::TimedOut);
    let phase = match (error.is_parse() || is_violation(&reason), late) {
        (true, _) => Phase::Protocol,
        (false, true) => Phase::Stalled,
        (false, false) if unsent => Phase::Connect,
        (false, false) => Phase::Exchange,
    };
    (phase, reason)
}

/// Whether an upstream said with certainty that it did not process a request: its stream was
/// refused, or lies above the last one of a GOAWAY. The library ends only those with the GOAWAY;
/// one at or below the last ends with its connection, as an input or output error.
fn is_unprocessed(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}

/// Whether these are the HTTP/2 library's words for frames that it could not accept, as against
/// a reset that it was sent.
fn is_violation(reason: &str) -> bool {
    ["connection error detected", "stream error detected"]
        .iter()
        .any(|words| reason.starts_with(words))
}

/// The first error of type `E` in a chain of sources.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The innermost error's words.
fn root(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
