//! Probes and metrics, on a listener of their own: health in-band would be a path that a provider
//! could not have. A page is a row.

mod data;
mod view;

use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;

use self::view::{Shown, View};
use crate::access::Credentials;
use crate::body::Reply;
use crate::pipeline::refuse;
use crate::record::Record;
use crate::refusal::{Code, Refusal};
use crate::request::Sender;
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

/// Every page.
pub(crate) const PAGES: &[Page] = &[
    Page {
        path: "/healthz",
        methods: READ,
        access: Access::Open,
        shows: "`ok`, as long as the process does anything",
        render: |_| Shown::new(TEXT, "ok\n"),
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
        render: data::ready,
    },
    Page {
        path: "/metrics",
        methods: READ,
        access: Access::Token,
        shows: "every [metric](metrics.md), in OpenMetrics 1.0, or by `Accept: text/plain` in \
                Prometheus' own form",
        render: data::metrics,
    },
    Page {
        path: "/reload",
        methods: &["POST"],
        access: Access::Client,
        shows: "reads the configuration again, as SIGHUP does, and says in JSON what changed; 422 and what is \
                wrong, where nothing could be taken up",
        render: data::reload,
    },
    Page {
        path: "/requests",
        methods: READ,
        access: Access::Client,
        shows: "the last requests that are held (`[inspect]`) and the last 50 rejections, in JSON, the \
                latest first",
        render: data::requests,
    },
    Page {
        path: "/request",
        methods: READ,
        access: Access::Client,
        shows: "one of them, `?id=ID`, with the canonical string, its parts and the headers that were set, \
                where they are held",
        render: data::request,
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
    let mut response = (page.render)(&view).into_response();
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

const READ: &[&str] = &["GET", "HEAD"];
const TEXT: &str = "text/plain; charset=utf-8";
