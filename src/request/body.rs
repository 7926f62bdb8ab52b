//! Request bodies by framing: what is known of one before it is read.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::refusal::{Code, Refusal};
use crate::route::Route;

/// A request's body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// There is none.
    Absent,
    /// It is in hand.
    Held(Bytes),
    /// It is still to come; with this length, where one is declared.
    Streamed(Option<u64>),
}

impl Body {
    /// How long it is, where that is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Absent => Some(0),
            Self::Held(body) => Some(body.len() as u64),
            Self::Streamed(length) => *length,
        }
    }

    /// Whether a scheme of `route` could read it, as far as it can be told before a byte of it is
    /// there: a client that sent `Expect: 100-continue` never uploads one that could not.
    ///
    /// # Errors
    ///
    /// `body_encoded`, `body_too_large`.
    pub(super) fn readable(
        &self,
        route: &Route,
        headers: &HeaderMap,
        limit: u64,
    ) -> Result<(), Refusal> {
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
        if encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            let detail = format!("routes.{} signs the body's text", route.name);
            return Err(Refusal::new(Code::BodyEncoded, detail));
        }
        match self.length().filter(|length| *length > limit) {
            None => Ok(()),
            Some(declared) => {
                let name = &route.name;
                let detail = format!(
                    "routes.{name} reads the body to sign it; this one declares {declared} bytes, \
                     the limit is {limit}"
                );
                Err(Refusal::new(Code::BodyTooLarge, detail))
            }
        }
    }
}
