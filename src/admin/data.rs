//! The pages for programs: probes, metrics, and what is held of requests as JSON.

use std::sync::Arc;

use http::header::ACCEPT;
use serde_json::{Map, Value, json};

use super::view::{Shown, View};
use crate::metrics::Form;
use crate::moment::unix_ms;
use crate::route::Route;
use crate::workers::waiting;

/// Ready means: every key has signed and verified a test, and no stop is in progress. A route whose
/// secret cannot be sent is named and changes nothing: the others go on, and a probe that failed
/// would take them away too, from every proxy with that token at once. By the digest and the
/// addresses `exec` knows its own configuration's proxy. Which keys there are is for those who could
/// have something signed with them.
pub(super) fn ready(view: &View<'_>) -> Shown {
    let View { snapshot, surroundings, admitted, .. } = *view;
    let draining = view.draining();
    let keys: Vec<_> = snapshot
        .keys
        .iter()
        .map(|key| json!({ "name": key.name, "fingerprint": key.public_key.fingerprint() }))
        .collect();
    let routes: Vec<_> = snapshot.routes.all().map(|route| route.name.to_string()).collect();
    let now = unix_ms();
    let fault = |route: &Arc<Route>| {
        let error = route.credential(now).err().map(|error| error.to_string());
        let error = error.or_else(|| Some(route.nonces.fault()?.what))?;
        Some((route.name.to_string(), Value::from(error)))
    };
    let unusable: Map<_, _> = snapshot.routes.all().filter_map(fault).collect();
    let state = if draining { "draining" } else { "ready" };
    let mut body = json!({
        "state": state,
        "routes": routes,
        "unusable_routes": unusable,
        "configuration": snapshot.digest,
        "addresses": surroundings.dialer.own(),
    });
    if admitted {
        body["self_tested_keys"] = keys.into();
        let offset = |route: &Arc<Route>| {
            Some((route.name.to_string(), Value::from(route.standing.offset()?.ms)))
        };
        body["last_reload"] = surroundings.reloads.last().map(|last| last.json()).into();
        body["clock_offset_ms"] =
            snapshot.routes.all().filter_map(offset).collect::<Map<_, _>>().into();
    }
    let shown = Shown::json(&body);
    if draining { shown.unavailable() } else { shown }
}

/// In the form that is asked for.
pub(super) fn metrics(view: &View<'_>) -> Shown {
    let (metrics, form) = (&view.surroundings.metrics, Form::asked(accept(view)));
    let now_s = i64::try_from(unix_ms() / 1000).unwrap_or(i64::MAX);
    metrics.expire(view.snapshot.expiries(now_s));
    metrics.waits(view.snapshot.pooled(), waiting());
    Shown::new(form.media_type(), metrics.expose(form))
}

/// What would be taken.
fn accept<'a>(view: &'a View<'_>) -> Option<&'a str> {
    view.headers.get(ACCEPT)?.to_str().ok()
}

/// What came of the reload that was asked for.
pub(super) fn reload(view: &View<'_>) -> Shown {
    match view.reloaded {
        // For the form of a page, which shows what came of it.
        _ if accept(view).is_some_and(|accept| accept.contains("text/html")) => {
            Shown::elsewhere("/status")
        }
        Some(last) if last.done.is_ok() => Shown::pretty(&last.json()),
        Some(last) => Shown::pretty(&last.json()).unprocessable(),
        None => Shown::json(&Value::Null).unavailable(),
    }
}

/// The requests that are held.
pub(super) fn requests(view: &View<'_>) -> Shown {
    let all = view.snapshot.inspect.all();
    Shown::json(&all.iter().map(|seen| seen.summary()).collect())
}

/// One of them, by its id.
pub(super) fn request(view: &View<'_>) -> Shown {
    let id = view.asked("id").unwrap_or_default();
    match view.snapshot.inspect.find(&id) {
        Some(seen) => Shown::pretty(&seen.json()),
        None => Shown::json(&Value::Null).missing(),
    }
}
