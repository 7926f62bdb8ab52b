//! The plan of a request, before any I/O: passed on, signed, or opened; or which refusal.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};

use super::overrides::no_overrides;
use super::{Arrival, Body, Destination, Entrance, Outgoing, View, admit};
use crate::access::Called;
use crate::cost::Cost;
use crate::moment::Moment;
use crate::refusal::{Code, Refusal};
use crate::route::Route;
use crate::scheme::{
    BodyNeed, Bound, Edits, Envelope, Head, Opened, Rest, Scheme, SchemeError, Signable,
    Signatures, ToSign,
};

/// What is to happen to a request.
#[derive(Debug)]
pub enum Plan<'a> {
    /// No route names its host: it goes on unsigned.
    Pass(Box<Outgoing>),
    /// It is signed, and goes on.
    Sign(Unsigned<'a>),
    /// It is opened, asked plainly, and answered sealed.
    Open(Box<Sealed<'a>>),
}

/// How far a request came, for what is written down of it.
#[derive(Debug, Default)]
pub struct Trail {
    /// Who sent it, where it showed a token.
    pub client: Option<String>,
    /// The host that was asked for; that which is sent, once it is known.
    pub host: String,
    /// The path, without the query.
    pub path: String,
    /// The route.
    pub route: Option<Arc<Route>>,
}

/// A request exactly as it will leave, but for its signature.
#[derive(Debug)]
pub struct Unsigned<'a> {
    /// Its route.
    pub route: &'a Arc<Route>,
    /// The route's scheme.
    pub scheme: &'a Arc<dyn Scheme>,
    /// As it will leave. Boxed: everything on a request's way that waits keeps room for it.
    pub outgoing: Box<Outgoing>,
    /// Whether the scheme reads the body, which is still to come.
    pub awaits_body: bool,
}

/// A request that somebody else has sealed.
#[derive(Debug)]
pub struct Sealed<'a> {
    /// Its route.
    pub route: &'a Arc<Route>,
    /// What opens it.
    pub envelope: &'a dyn Envelope,
    /// What is known of its body.
    pub body: Body,
    /// Why its body cannot be read, where that is known already: a refusal is sealed too.
    pub readable: Result<(), Refusal>,
    destination: Destination,
    /// Who is asked is nothing to a sealed request: the host is empty.
    head: Head,
}

impl<'a> Plan<'a> {
    /// Decides, and leaves in `trail` how far the request came.
    ///
    /// # Errors
    ///
    /// Every refusal for what can be seen of a request before its body is read.
    pub fn of(view: View<'a>, arrival: Arrival<'_>, trail: &mut Trail) -> Result<Self, Refusal> {
        trail.client = admit(view, arrival.sender, arrival.version, &arrival.headers)?;
        let (destination, target) = arrival.asked()?;
        target.path().clone_into(&mut trail.path);
        let planned = Self::decide(view, (&destination, target), arrival, trail);
        if trail.host.is_empty() {
            trail.host = destination.shown();
        }
        planned
    }

    /// The same where it is known what is asked for, and of whom.
    fn decide(
        view: View<'a>,
        (destination, target): (&Destination, PathAndQuery),
        arrival: Arrival<'_>,
        trail: &mut Trail,
    ) -> Result<Self, Refusal> {
        let Some(route) = destination.route(view, target.path(), &arrival.method)? else {
            let (host, origin) = destination.unrouted_place()?;
            trail.host.clone_from(&host);
            let Arrival { method, headers, spelled, body, socket, .. } = arrival;
            let head = Head { method, host, target, headers };
            let outgoing = Outgoing::dress(head, body, origin, None)?;
            return Ok(Self::Pass(Box::new(outgoing.arrived(spelled, socket))));
        };
        let route = route.at_turn();
        no_overrides(route, &arrival.headers)?;
        // A browser whose proxy this is would have any page's requests signed.
        let called = match arrival.sender.entrance {
            Entrance::Gateway(_) => Called::by(&arrival.headers),
            Entrance::Forward | Entrance::Inside(_) | Entrance::Admin(_) => destination.called(),
        };
        view.access.signable(&arrival.headers, called.as_ref())?;
        trail.route = Some(Arc::clone(route));
        match &route.scheme {
            Bound::Scheme(scheme) => {
                let unsigned =
                    Unsigned::of(view, route, scheme, arrival, (destination, target), trail);
                Ok(Self::Sign(unsigned?))
            }
            Bound::Envelope(envelope) => {
                let readable =
                    arrival.body.readable(route, &arrival.headers, view.limits.signed_body);
                let Arrival { method, headers, body, .. } = arrival;
                let head = Head { method, host: String::new(), target, headers };
                let (envelope, destination) = (envelope.as_ref(), destination.clone());
                let sealed = Sealed { route, envelope, body, readable, destination, head };
                Ok(Self::Open(Box::new(sealed)))
            }
        }
    }
}

impl<'a> Unsigned<'a> {
    fn of(
        view: View<'a>,
        route: &'a Arc<Route>,
        scheme: &'a Arc<dyn Scheme>,
        arrival: Arrival<'_>,
        (destination, target): (&Destination, PathAndQuery),
        trail: &mut Trail,
    ) -> Result<Self, Refusal> {
        if scheme.wants_upgrade() {
            is_handshake(&arrival)?;
        }
        let (host, origin) = destination.place(route)?;
        trail.host.clone_from(&host);
        let Arrival { method, headers, spelled, mut body, socket, .. } = arrival;
        let head = Head { method, host, target, headers };
        let reads = scheme.body_need(&head) == BodyNeed::Whole;
        if reads {
            body.readable(route, &head.headers, view.limits.signed_body)?;
            if body == Body::Absent {
                body = Body::Held(Bytes::new());
            }
        }
        let awaits_body = reads && matches!(body, Body::Streamed(_));
        let outgoing = Outgoing::dress(head, body, origin, Some(scheme.as_ref()))?;
        let outgoing = Box::new(outgoing.arrived(spelled, socket));
        Ok(Self { route, scheme, outgoing, awaits_body })
    }

    /// A request of our own to this route's scheme, for this place.
    ///
    /// # Errors
    ///
    /// `bad_target`, when the parts do not make a request.
    pub fn own(
        route: &'a Arc<Route>,
        scheme: &'a Arc<dyn Scheme>,
        head: Head,
        body: Bytes,
        origin: crate::route::Origin,
    ) -> Result<Self, Refusal> {
        let outgoing = Outgoing::dress(head, Body::Held(body), origin, Some(scheme.as_ref()))?;
        Ok(Self { route, scheme, outgoing: Box::new(outgoing), awaits_body: false })
    }

    /// The request with its body in hand.
    pub fn hold(mut self, body: Bytes) -> Self {
        self.outgoing.hold(body);
        Self { awaits_body: false, ..self }
    }

    /// What [`Self::canonicalise`] costs, and at most what [`Self::edits`] does.
    pub fn cost(&self) -> Cost {
        self.outgoing.cost(self.route, self.scheme.as_ref())
    }

    /// The texts to sign, and the rest that [`Self::edits`] takes.
    ///
    /// # Errors
    ///
    /// What the scheme has against the request.
    pub fn canonicalise(&self, moment: &Moment) -> Result<ToSign, Refusal> {
        self.outgoing.to_sign(self.route, self.scheme.as_ref(), moment)
    }

    /// What the scheme puts in, with the rest and the signatures of [`Self::canonicalise`].
    ///
    /// # Errors
    ///
    /// What the scheme has against the request, or a secret of its own.
    pub fn edits(
        &self,
        moment: &Moment,
        rest: Rest,
        signatures: &Signatures,
    ) -> Result<Edits, Refusal> {
        Ok(self.outgoing.edits(self.scheme.as_ref(), moment, rest, signatures)?)
    }

    /// The same request once more, in case the upstream leaves the first one unprocessed: it is
    /// signed anew, as with its nonce another would look like a replay. None where the body is not
    /// in hand, nor for a WebSocket.
    pub fn spare(&self) -> Option<Self> {
        let outgoing = Box::new(self.outgoing.spare()?);
        let Self { route, scheme, awaits_body, .. } = *self;
        Some(Self { route, scheme, outgoing, awaits_body })
    }
}

impl Sealed<'_> {
    /// Opens the request, or says why it cannot be: because of its seal, or because its body did
    /// not come.
    ///
    /// # Errors
    ///
    /// What the envelope has against it.
    pub fn open(
        &self,
        came: &Result<Bytes, Refusal>,
        moment: &Moment,
    ) -> Result<Opened, SchemeError> {
        match came {
            Ok(body) => self.envelope.open(Signable { head: &self.head, body: Some(body) }, moment),
            Err(refusal) => Err(SchemeError::Body {
                what: format!("cannot be read ({})", refusal.code.name()),
                remedy: "send it whole, in time, and no longer than limits.signed_body",
            }),
        }
    }

    /// The plain request for the service: the caller's headers, without what described the sealed
    /// one.
    ///
    /// # Errors
    ///
    /// When the parts do not make a request.
    pub fn question(self, opened: &Opened) -> Result<Box<Outgoing>, Refusal> {
        let (host, origin) = self.destination.place(self.route)?;
        let mut headers = self.head.headers;
        headers.remove(CONTENT_ENCODING);
        // What comes back is read here.
        headers.remove(ACCEPT_ENCODING);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(opened.content_type));
        let head = Head { method: Method::POST, host, target: self.head.target, headers };
        let body = Body::Held(opened.request.clone());
        Outgoing::dress(head, body, origin, None).map(Box::new)
    }
}

/// Whether a request is a handshake that a server can answer (RFC 6455, section 4.2.1).
fn is_handshake(arrival: &Arrival<'_>) -> Result<(), Refusal> {
    let missing = |what: &str| Err(Refusal::new(Code::NotAnUpgrade, format!("the request {what}")));
    if !arrival.socket {
        return missing("does not ask for a WebSocket");
    }
    if !is_once(&arrival.headers, "sec-websocket-version", |value| value == b"13") {
        return missing("has no Sec-WebSocket-Version: 13");
    }
    // Sixteen bytes in base64.
    if !is_once(&arrival.headers, "sec-websocket-key", |value| value.len() == 24) {
        return missing("has no Sec-WebSocket-Key of sixteen bytes in base64");
    }
    Ok(())
}

fn is_once(headers: &HeaderMap, name: &str, right: fn(&[u8]) -> bool) -> bool {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    first.is_some_and(|value| right(value.as_bytes())) && values.next().is_none()
}
