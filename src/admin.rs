//! Probes, metrics, and pages for people, on a listener of their own: health in-band would be a path that
//! a provider could not have. A page is a row.

mod body;
mod copies;
mod data;
mod detail;
mod events;
mod guard;
mod html;
mod list;
mod paste;
mod sign_in;
mod status;
mod view;

use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use self::view::{Shown, View};
use crate::access::{Access as Guard, Credentials};
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
    /// Whoever shows a token for metrics or could have requests signed, where there are tokens.
    Token,
    /// Those who could have requests signed: by a token, or where there are none as users.
    Client,
    /// The same as people: whoever shows no token is asked for one.
    Person,
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
        methods: POST,
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
    Page {
        path: "/",
        methods: READ,
        access: Access::Person,
        shows: "for people: the requests that are held, the latest first, with route, outcome and times, \
                and those that come meanwhile",
        render: list::list,
    },
    Page {
        path: "/show",
        methods: READ,
        access: Access::Person,
        shows: "one of them, `?id=ID`: its canonical string, each part coloured by where it is from, the \
                headers that were set, the answer, why it was rejected; as curl, vector and `explain` line",
        render: detail::detail,
    },
    Page {
        path: "/status",
        methods: READ,
        access: Access::Person,
        shows: "keys with their fingerprints and stores, routes, clocks, what expires, and what came of the \
                last reload",
        render: status::status,
    },
    Page {
        path: "/verify",
        methods: FORM,
        access: Access::Person,
        shows: "a box for a request that was rejected, and why it is not valid, as `verify` says it; one at a \
                time",
        render: paste::paste,
    },
    Page {
        path: "/events",
        methods: &["GET"],
        access: Access::Client,
        shows: "rows of the list as server-sent events, when a request is signed and when it is over; for eight \
                watchers, of whom the oldest makes room, each for ten minutes",
        render: events::events,
    },
    Page {
        path: "/sign-in",
        methods: FORM,
        access: Access::Open,
        shows: "a form for a token, which a session's cookie then stands for",
        render: sign_in::sign_in,
    },
    Page {
        path: "/sign-out",
        methods: POST,
        access: Access::Open,
        shows: "ends the session",
        render: sign_in::sign_out,
    },
    file("/page.css", "the pages' colours and letters", |_| {
        Shown::new("text/css; charset=utf-8", include_str!("admin/assets/page.css"))
    }),
    file("/page.js", "the live part of the list, and what copies", |_| {
        Shown::new("text/javascript; charset=utf-8", include_str!("admin/assets/page.js"))
    }),
    file("/page.svg", "the pages' icon", |_| {
        Shown::new("image/svg+xml", include_str!("admin/assets/page.svg"))
    }),
];

/// Answers a request to the admin listener.
pub(crate) async fn answer(
    request: Request<Incoming>,
    sender: Sender<'_>,
    (snapshot, surroundings): (&Snapshot, &Surroundings),
    leaving: &CancellationToken,
    record: Box<Record>,
) -> Response<Reply> {
    let (head, body) = request.into_parts();
    let asked = Asked { head: &head, sender, snapshot, surroundings, leaving };
    let mut record = Some(record);
    let mut response = match asked.shown(body, &mut record).await {
        Ok(shown) => {
            record.into_iter().for_each(Record::forget);
            shown.into_response()
        }
        Err(refusal) => refuse(refusal, record.expect("what is refused is not forgotten before")),
    };
    guard::guard(response.headers_mut());
    response
}

/// A request for a page.
struct Asked<'a> {
    head: &'a Parts,
    sender: Sender<'a>,
    snapshot: &'a Snapshot,
    surroundings: &'a Surroundings,
    leaving: &'a CancellationToken,
}

impl Asked<'_> {
    /// What is shown; nothing is refused once the record is forgotten.
    async fn shown(
        &self,
        body: Incoming,
        record: &mut Option<Box<Record>>,
    ) -> Result<Shown, Refusal> {
        let (page, headers) = (self.page()?, &self.head.headers);
        let posts = !READ.contains(&self.head.method.as_str());
        if posts {
            Guard::own_page(headers)?;
        }
        let whose = (self.sender.peer, self.sender.user);
        let ticket = self.surroundings.sessions.find(headers, whose);
        let resumed = self.snapshot.access.resumed(ticket.as_ref());
        let signed_in = resumed.is_some();
        let client = match resumed {
            Some(name) => Ok(Some(name)),
            None => {
                let shown = Credentials::of_service(headers);
                self.snapshot.access.client(&shown, whose.0, whose.1)
            }
        };
        let client = match (page.access, client) {
            (Access::Client, client) => Some(client?),
            (Access::Person, Err(refusal)) if refusal.code == Code::ClientUnauthenticated => {
                return Ok(Shown::elsewhere("/sign-in"));
            }
            (Access::Person, client) => Some(client?),
            (Access::Token, client) => {
                self.snapshot.access.scraper(headers, &client)?;
                client.ok()
            }
            (Access::Open, client) => client.ok(),
        };
        let posted = if posts { Some(body::read(body).await?) } else { None };
        // Before the metrics are shown, in which it would be a request that is open.
        record.take().into_iter().for_each(Record::forget);
        // The one page that waits for something.
        let reloaded = match page.path {
            "/reload" => self.surroundings.reloads.ask().await,
            _ => None,
        };
        Ok((page.render)(&View {
            snapshot: self.snapshot,
            surroundings: self.surroundings,
            leaving: self.leaving,
            admitted: client.is_some(),
            client: client.as_ref().and_then(Option::as_deref),
            signed_in,
            whose,
            reloaded: reloaded.as_ref(),
            headers,
            query: self.head.uri.query().unwrap_or_default(),
            posted: posted.as_deref(),
        }))
    }

    /// The page that is asked for.
    fn page(&self) -> Result<&'static Page, Refusal> {
        let Some(page) = PAGES.iter().find(|page| page.path == self.head.uri.path()) else {
            let known: Vec<_> = PAGES.iter().map(|page| page.path).collect();
            let refusal = Refusal::new(Code::AdminPathUnknown, "there is no such page");
            return Err(refusal.remedy(format!("Use one of {}.", known.join(", "))));
        };
        if !page.methods.contains(&self.head.method.as_str()) {
            let detail = format!("{} is not asked for with this method", page.path);
            return Err(Refusal::new(Code::AdminMethodNotAllowed, detail).allow(page.methods));
        }
        Ok(page)
    }
}

/// A file of the pages for people.
const fn file(path: &'static str, shows: &'static str, render: fn(&View<'_>) -> Shown) -> Page {
    Page { path, methods: READ, access: Access::Open, shows, render }
}

const READ: &[&str] = &["GET", "HEAD"];
const POST: &[&str] = &["POST"];
const FORM: &[&str] = &["GET", "HEAD", "POST"];
const TEXT: &str = "text/plain; charset=utf-8";
