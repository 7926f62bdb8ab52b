//! A request for the upstream's client: what was decided of it, and the bytes that are still to come.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;

use crate::body::{Upload, Watch};
use crate::refusal::{Code, Refusal};
use crate::request::{Body, Outgoing};
use crate::scheme::Edits;
use crate::upstream::Documented;

/// Puts the scheme's edits in, once, and the body that is streamed, if one is.
///
/// # Errors
///
/// `bad_target`, when the parts do not make a request.
pub(crate) fn upload(
    outgoing: Box<Outgoing>,
    edits: Edits,
    coming: Option<Incoming>,
    idle: Duration,
) -> Result<(Box<Request<Upload>>, Option<Watch>), Refusal> {
    let (request, documented) = outgoing.into_request(edits)?;
    let (mut parts, body) = request.into_parts();
    if let Some(documented) = documented {
        parts.extensions.insert(Documented(documented));
    }
    let (body, watch) = match (body, coming) {
        (Body::Absent, _) => (Upload::whole(Bytes::new()), None),
        (Body::Held(body), _) => (Upload::whole(body), None),
        (Body::Streamed(_), Some(coming)) => {
            let (body, watch) = Upload::stream(coming, idle);
            (body, Some(watch))
        }
        (Body::Streamed(_), None) => {
            return Err(Refusal::new(Code::Internal, "a body that is to come does not"));
        }
    };
    // Boxed: it is handed on half a dozen times until it is in the HTTP library.
    Ok((Box::new(Request::from_parts(parts, body)), watch))
}
