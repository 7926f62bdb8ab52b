//! One request of the interface, and its answer: what `docs/remote-signer.md` says.

use std::time::Duration;

use base16ct::lower::encode_string as hex;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::grants::{Caller, Denied, Use};
use super::held::Held;
use super::shared::Shared;
use crate::audit::SignatureEntry;
use crate::keys::remote::{self, Asked, LONGEST_BODY, LONGEST_MESSAGE};
use crate::keys::{Content, SignError, Signer};

/// Why there is no signature: the status, a word for programs, a sentence for people.
struct Refused(StatusCode, &'static str, &'static str);

/// Answers a request.
pub(super) async fn answer(
    request: Request<Incoming>,
    caller: &Caller,
    shared: &Shared,
) -> Response<Full<Bytes>> {
    let answered = answered(request, caller, shared).await;
    let (status, body) = match answered {
        Ok(body) => (StatusCode::OK, body),
        Err(Refused(status, code, detail)) => {
            tracing::info!(%caller, code, "refused");
            (status, json!({ "error": code, "detail": detail }).to_string())
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

async fn answered(
    request: Request<Incoming>,
    caller: &Caller,
    shared: &Shared,
) -> Result<String, Refused> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if path == "/v1/ready" && parts.method == Method::GET {
        return Ok(json!({ "ready": true }).to_string());
    }
    let rest = path.strip_prefix("/v1/keys/").ok_or(NO_PATH)?;
    let (name, action) = rest.split_once('/').map_or((rest, ""), |(name, action)| (name, action));
    let held = shared.held();
    let signer = held.key(name).filter(|_| held.grants.know(caller, name)).ok_or(NO_KEY)?;
    match (&parts.method, action) {
        (&Method::GET, "") => Ok(remote::described(name, signer.public_key())),
        (&Method::POST, "sign") => {
            let body = tokio::time::timeout(PATIENCE, Limited::new(body, LONGEST_BODY).collect());
            let body = body.await.map_err(|_| TOO_SLOW)?.map_err(|_| TOO_LONG)?.to_bytes();
            sign(name, signer.as_ref(), &held, caller, shared, &body).await
        }
        (_, "" | "sign") => Err(NO_METHOD),
        _ => Err(NO_PATH),
    }
}

/// Signs what the grants allow; the line of it is written before it is answered.
async fn sign(
    name: &str,
    signer: &dyn Signer,
    held: &Held,
    caller: &Caller,
    shared: &Shared,
    body: &[u8],
) -> Result<String, Refused> {
    let bad = |detail| Refused(StatusCode::BAD_REQUEST, "bad_request", detail);
    let asked = remote::read(body).map_err(bad)?;
    let (public, content) = (signer.public_key(), asked.asked.content());
    let (algorithm, route) = (asked.algorithm, asked.route.as_deref());
    if message(content).len() > LONGEST_MESSAGE {
        return Err(TOO_LONG);
    }
    let probe = is_probe(content, algorithm.probe());
    let taken = held.grants.take(caller, Use { key: name, algorithm, route, probe });
    let denied = match taken {
        Ok(()) if algorithm != public.algorithm() => Some(OTHER_ALGORITHM),
        Ok(()) => None,
        Err(Denied::NoKey) => return Err(NO_KEY),
        // Not one by one: what is asked for too often would fill the file.
        Err(Denied::Rate) => return Err(TOO_OFTEN),
        Err(Denied::Algorithm) => Some(NOT_FOR_ALGORITHM),
        Err(Denied::Route) => Some(NOT_FOR_ROUTE),
    };
    let signed = match denied {
        Some(refused) => Err(refused),
        None => signer.sign(content).await.map_err(failed),
    };
    let (kind, digest) = digest(&asked.asked);
    let entry = SignatureEntry {
        key: name.to_owned(),
        fingerprint: public.fingerprint(),
        algorithm: algorithm.name(),
        content: kind,
        digest,
        caller: caller.to_string(),
        route: asked.route.clone(),
        outcome: signed.as_ref().map_or_else(|Refused(_, code, _)| *code, |_| "signed"),
    };
    shared.write(entry).await.map_err(|problem| {
        tracing::error!("not signed: {problem}");
        NOT_WRITTEN
    })?;
    signed.map(|signature| remote::signed(&signature))
}

fn message(content: Content<'_>) -> &[u8] {
    match content {
        Content::Digest { .. } | Content::Hash { .. } => &[],
        Content::Message(message) | Content::Mac { message, .. } => message,
    }
}

fn is_probe(content: Content<'_>, probe: Content<'_>) -> bool {
    match (content, probe) {
        (Content::Message(own), Content::Message(probe)) => own == probe,
        (Content::Digest { digest: own, .. }, Content::Digest { digest: probe, .. }) => {
            own == probe
        }
        _ => false,
    }
}

/// What is written down of a content.
fn digest(asked: &Asked) -> (&'static str, String) {
    match asked {
        Asked::Digest(digest) => ("digest", hex(&digest.0)),
        Asked::Message(message) => ("message", hex(&Sha256::digest(message))),
        Asked::Mac(_, message) => ("mac", hex(&Sha256::digest(message))),
    }
}

fn failed(error: SignError) -> Refused {
    match error {
        SignError::Failed(what) => Refused(StatusCode::UNPROCESSABLE_ENTITY, "not_signed", what),
        SignError::Busy => Refused(
            StatusCode::TOO_MANY_REQUESTS,
            "busy",
            "more signatures are asked of the key than it can make",
        ),
    }
}

const NO_PATH: Refused = Refused(StatusCode::NOT_FOUND, "no_such_path", "there is nothing here");
const NO_KEY: Refused = Refused(
    StatusCode::NOT_FOUND,
    "no_such_key",
    "there is no such key, or no grant of it to this caller",
);
const NO_METHOD: Refused =
    Refused(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", "GET a key, POST to its /sign");
const TOO_LONG: Refused =
    Refused(StatusCode::PAYLOAD_TOO_LARGE, "too_long", "a message has 1 MiB at most");
const TOO_SLOW: Refused =
    Refused(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body was not there in time");
const OTHER_ALGORITHM: Refused =
    Refused(StatusCode::FORBIDDEN, "other_algorithm", "the key is for another algorithm");
const NOT_FOR_ALGORITHM: Refused = Refused(
    StatusCode::FORBIDDEN,
    "algorithm_not_granted",
    "no grant of the key to this caller is for this algorithm",
);
const NOT_FOR_ROUTE: Refused = Refused(
    StatusCode::FORBIDDEN,
    "route_not_granted",
    "no grant of the key to this caller is for this route",
);
const TOO_OFTEN: Refused = Refused(
    StatusCode::TOO_MANY_REQUESTS,
    "too_often",
    "the grant's rate is used up; it comes back within a second",
);
const NOT_WRITTEN: Refused = Refused(
    StatusCode::INTERNAL_SERVER_ERROR,
    "not_written",
    "the signature could not be written down, so that it is not given out",
);

/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);
