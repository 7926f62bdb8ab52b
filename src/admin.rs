//! Probes and metrics, on a listener of their own: health in-band would be a path that a provider
//! could not have. A page is a row.

use std::sync::Arc;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use crate::access::Credentials;
use crate::body::Reply;
use crate::metrics::Form;
use crate::moment::unix_ms;
use crate::pipeline::{plain, refuse};
use crate::record::Record;
use crate::refusal::{Code, Refusal};
use crate::reloads::Last;
use crate::request::Sender;
use crate::route::Route;
use crate::snapshot::{Snapshot, Surroundings};

/// A page of the admin listener.
pub(crate) struct Page {
    pub(crate) path: &'static str,
    /// What it may be asked with.
    pub(crate) methods: &'static [&'static str],
    pub(crate) access: Access,
    /// What it shows, for documents.
    pub(crate) shows: &'static str,
    render: fn(&View<'_>) -> Shown,
}

/// Who may ask for a page, once the listener has let the connection and its `Host` through.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Access {
    /// Everybody: those who probe cannot keep a token.
    Open,
    /// Whoever shows a token, where tokens are configured.
    Token,
    /// Those who could have requests signed: by a token, or where there are none as users.
    Client,
}

/// What there is to show.
struct View<'a> {
    snapshot: &'a Snapshot,
    surroundings: &'a Surroundings,
    draining: bool,
    /// Whether whoever asks could have requests signed.
    admitted: bool,
    /// What came of the reload that was asked for.
    reloaded: Option<&'a Last>,
    /// What it would have.
    accept: Option<&'a str>,
    /// Behind the `?`.
    query: &'a str,
}

/// A page as it is shown: status, media type and text.
type Shown = (StatusCode, &'static str, String);

/// Every page.
pub(crate) const PAGES: &[Page] = &[
    Page {
        path: "/healthz",
        methods: READ,
        access: Access::Open,
        shows: "`ok`, as long as the process does anything",
        render: |_| (StatusCode::OK, TEXT, "ok\n".to_owned()),
    },
    Page {
        path: "/readyz",
        methods: READ,
        access: Access::Open,
        shows: "200 when every key has signed and verified a test, 503 while a stop is in progress; in \
                JSON, the routes and those that cannot be used, the configuration's digest and the \
                listening addresses; to those who could have requests signed, by a token or as users, \
                the keys with their fingerprints, how many milliseconds each provider's clock is ahead, \
                and what came of the last reload, too",
        render: ready,
    },
    Page {
        path: "/metrics",
        methods: READ,
        access: Access::Token,
        shows: "every [metric](metrics.md), in OpenMetrics 1.0, or by `Accept: text/plain` in \
                Prometheus' own form",
        render: metrics_page,
    },
    Page {
        path: "/reload",
        methods: &["POST"],
        access: Access::Client,
        shows: "reads the configuration again, as SIGHUP does, and says in JSON what changed; 422 and what is \
                wrong, where nothing could be taken up",
        render: |view| match view.reloaded {
            Some(last) => {
                let status = if last.done.is_ok() { OK } else { StatusCode::UNPROCESSABLE_ENTITY };
                (status, JSON, format!("{:#}\n", last.json()))
            }
            None => (StatusCode::SERVICE_UNAVAILABLE, JSON, "null\n".to_owned()),
        },
    },
    Page {
        path: "/requests",
        methods: READ,
        access: Access::Client,
        shows: "the last requests that are held (`[inspect]`) and the last 50 rejections, in JSON, the \
                latest first",
        render: |view| {
            let all = view.snapshot.inspect.all();
            let all: Vec<_> = all.iter().map(|seen| seen.summary()).collect();
            (StatusCode::OK, JSON, format!("{}\n", Value::from(all)))
        },
    },
    Page {
        path: "/request",
        methods: READ,
        access: Access::Client,
        shows: "one of them, `?id=ID`, with the canonical string, its parts and the headers that were set, \
                where they are held",
        render: request_page,
    },
];

/// Answers a request to the admin listener.
pub(crate) async fn answer(
    request: &Request<Incoming>,
    sender: Sender<'_>,
    (snapshot, surroundings): (&Snapshot, &Surroundings),
    draining: bool,
    record: Box<Record>,
) -> Response<Reply> {
    let shown = Credentials::of(request.headers());
    let client = snapshot.access.client(&shown, sender.peer, sender.user);
    let admitted = client.is_ok();
    let page = page(request, snapshot).and_then(|page| match page.access {
        Access::Client => client.map(|_| page),
        Access::Open | Access::Token => Ok(page),
    });
    let page = match page {
        Ok(page) => page,
        Err(refusal) => return refuse(refusal, record),
    };
    record.forget();
    let query = request.uri().query().unwrap_or_default();
    // The one page that does something.
    let reloaded = match page.path {
        "/reload" => surroundings.reloads.ask().await,
        _ => None,
    };
    let reloaded = reloaded.as_ref();
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let view = View { snapshot, surroundings, draining, admitted, reloaded, accept, query };
    let (status, kind, body) = (page.render)(&view);
    let mut response = plain(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The page that is asked for, by somebody who may.
fn page(request: &Request<Incoming>, snapshot: &Snapshot) -> Result<&'static Page, Refusal> {
    let Some(page) = PAGES.iter().find(|page| page.path == request.uri().path()) else {
        let known: Vec<_> = PAGES.iter().map(|page| page.path).collect();
        let refusal = Refusal::new(Code::AdminPathUnknown, "there is no such page");
        return Err(refusal.remedy(format!("Use one of {}.", known.join(", "))));
    };
    if !page.methods.contains(&request.method().as_str()) {
        let detail = format!("{} is not asked for with this method", page.path);
        return Err(Refusal::new(Code::AdminMethodNotAllowed, detail).allow(page.methods));
    }
    if page.access == Access::Token {
        snapshot.access.owner(&Credentials::of(request.headers()))?;
    }
    Ok(page)
}

/// Ready means: every key has signed and verified a test, and no stop is in progress. A route whose
/// secret cannot be sent is named and changes nothing: the others go on, and a probe that failed
/// would take them away too, from every proxy with that token at once. By the digest and the
/// addresses `exec` knows its own configuration's proxy. Which keys there are is for those who could
/// have something signed with them.
fn ready(view: &View<'_>) -> Shown {
    let View { snapshot, surroundings, draining, admitted, .. } = *view;
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
    let status = if draining { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, JSON, format!("{body}\n"))
}

/// In the form that is asked for.
fn metrics_page(view: &View<'_>) -> Shown {
    let (metrics, form) = (&view.surroundings.metrics, Form::asked(view.accept));
    let now_s = i64::try_from(unix_ms() / 1000).unwrap_or(i64::MAX);
    metrics.expire(view.snapshot.expiries(now_s));
    (StatusCode::OK, form.media_type(), metrics.expose(form))
}

/// One request, by its id.
fn request_page(view: &View<'_>) -> Shown {
    let id = view.query.strip_prefix("id=").unwrap_or_default();
    match view.snapshot.inspect.find(id) {
        Some(seen) => (StatusCode::OK, JSON, format!("{:#}\n", seen.json())),
        None => (StatusCode::NOT_FOUND, JSON, "null\n".to_owned()),
    }
}

const OK: StatusCode = StatusCode::OK;
const JSON: &str = "application/json";
const READ: &[&str] = &["GET", "HEAD"];
const TEXT: &str = "text/plain; charset=utf-8";
