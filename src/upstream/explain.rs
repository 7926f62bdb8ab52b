//! Retry safety by the HTTP library's errors, for a request that was given to a connection: how far
//! it came, and whether the upstream may have acted on it.

use std::error::Error;
use std::io;

use super::connection::{BUFFER, FIELDS};
use super::error::{Handshake, Phase};
use super::handshake::alerted;
use super::stream::Line;
use crate::body::StreamError;

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
