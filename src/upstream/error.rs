//! Why a request did not get an answer, by the phase in which it failed.

use std::error::Error;
use std::fmt;

/// A request that was dressed and signed but got no answer.
#[derive(Clone, Debug)]
pub struct ForwardError {
    /// Where it was going: scheme, host and port.
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
    /// The TCP connection failed.
    Connect,
    /// Name, TCP and TLS together took too long. Nothing was sent.
    ConnectTimeout,
    /// The handshake or the certificate failed.
    Tls,
    /// The connection ended before a response head.
    Exchange,
    /// What came back is not HTTP.
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

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { upstream, reason, .. } = self;
        match self.phase {
            Phase::Resolve => write!(f, "the name in {upstream} does not resolve: {reason}"),
            Phase::Connect => write!(f, "connecting to {upstream} failed: {reason}"),
            Phase::ConnectTimeout => write!(f, "connecting to {upstream} took more than {reason}"),
            Phase::Tls => write!(f, "TLS with {upstream} failed: {reason}"),
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

/// What the connector found, on its way through the HTTP client's own error type.
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

/// The first error of type `E` in a chain of sources.
pub(super) fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
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
pub(super) fn root(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
