//! Probes and metrics, on a listener of their own: health in-band would be a path that a provider
//! could not have.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use crate::body::Reply;
use crate::moment::unix_ms;
use crate::pipeline::{plain, refuse};
use crate::record::Record;
use crate::refusal::{Code, Refusal};
use crate::route::Route;
use crate::snapshot::{Snapshot, Surroundings};

/// Answers a request to the admin listener.
///
/// Probes need no token, as those who probe cannot keep one; `/metrics` does, where tokens are
/// configured.
pub(crate) fn answer(
    request: &Request<Incoming>,
    snapshot: &Snapshot,
    surroundings: &Surroundings,
    draining: bool,
    record: Box<Record>,
) -> Response<Reply> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let refusal = Refusal::new(Code::MethodUnsignable, "the admin listener only answers GET");
        return refuse(refusal.allow(&["GET", "HEAD"]), record);
    }
    let (status, kind, body) = match request.uri().path() {
        "/healthz" => (StatusCode::OK, TEXT, "ok\n".to_owned()),
        "/readyz" => ready(snapshot, surroundings, draining),
        "/metrics" => match snapshot.access.client(request.headers()) {
            Ok(_) => (StatusCode::OK, OPEN_METRICS, surroundings.metrics.expose()),
            Err(refusal) => return refuse(refusal, record),
        },
        _ => {
            let refusal = Refusal::new(Code::AdminPathUnknown, "there is no such page");
            return refuse(refusal, record);
        }
    };
    record.forget();
    let mut response = plain(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Ready means: every key has signed and verified a test, and no stop is in progress. A route whose
/// secret cannot be sent is named and changes nothing: the others go on, and a probe that failed
/// would take them away too, from every proxy with that token at once. By the digest and the
/// addresses `exec` knows its own configuration's proxy.
fn ready(
    snapshot: &Snapshot,
    surroundings: &Surroundings,
    draining: bool,
) -> (StatusCode, &'static str, String) {
    let keys: Vec<_> = snapshot
        .keys
        .iter()
        .map(|key| json!({ "name": key.name, "fingerprint": key.public_key.fingerprint() }))
        .collect();
    let routes: Vec<_> = snapshot.routes.all().map(|route| route.name.to_string()).collect();
    let now = unix_ms();
    let fault = |route: &Arc<Route>| {
        let error = route.credential(now).err()?;
        Some((route.name.to_string(), Value::from(error.to_string())))
    };
    let unusable: Map<_, _> = snapshot.routes.all().filter_map(fault).collect();
    let state = if draining { "draining" } else { "ready" };
    let body = json!({
        "state": state,
        "self_tested_keys": keys,
        "routes": routes,
        "unusable_routes": unusable,
        "configuration": snapshot.digest,
        "addresses": surroundings.dialer.own(),
    });
    let status = if draining { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, "application/json", format!("{body}\n"))
}

const TEXT: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
