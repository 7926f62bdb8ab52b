//! What `demo` plays of a scheme: routes with throw-away keys, and requests with what should come
//! of them.

use std::borrow::Cow;

use http::Method;

/// A scheme's part of the demo.
#[derive(Clone, Debug, Default)]
pub struct Demo {
    /// Its `[keys]`, `[secrets]` and `[routes]` in TOML, entries in the store `files`. Each route
    /// has an upstream of its own name. A key is made for its slot; a secret is a token that is
    /// good for an hour, or that was until yesterday where its name ends in `_expired`.
    pub tables: Cow<'static, str>,
    /// What is sent, in order.
    pub acts: Vec<Act>,
}

/// One request and what should come of it.
#[derive(Clone, Debug)]
pub struct Act {
    /// One line.
    pub title: Cow<'static, str>,
    /// How it reaches the provider.
    pub way: Way,
    /// The route whose host or name it is sent to.
    pub route: Cow<'static, str>,
    /// The method.
    pub method: Method,
    /// The provider's path and query.
    pub path: Cow<'static, str>,
    /// Further headers.
    pub headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// The body, or a WebSocket's message.
    pub body: Cow<'static, str>,
    /// Whether the provider should take it.
    pub accepted: bool,
}

/// How a request reaches the provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// `HTTP_PROXY`.
    Forward,
    /// `HTTPS_PROXY`: TLS inside CONNECT.
    Tls,
    /// `/<route>/…`.
    Gateway,
    /// The same with a WebSocket.
    Socket,
    /// `/<route>/…` of the proxy that plays a node, which asks the other.
    Node,
    /// Straight to the stand-in, with nobody signing.
    Around,
}

impl Act {
    /// An act that is taken: title, way and route, method and path, body, which is JSON.
    pub(super) fn taken(
        title: &'static str,
        (way, route): (Way, &'static str),
        (method, path): (Method, &'static str),
        body: &'static str,
    ) -> Self {
        let (title, route) = (title.into(), route.into());
        let json = ("content-type".into(), "application/json".into());
        let headers = if body.is_empty() { Vec::new() } else { vec![json] };
        let (path, body) = (path.into(), body.into());
        Self { title, way, route, method, path, headers, body, accepted: true }
    }

    /// One that is refused.
    pub(super) fn refused(
        title: &'static str,
        way: (Way, &'static str),
        asked: (Method, &'static str),
        body: &'static str,
    ) -> Self {
        Self { accepted: false, ..Self::taken(title, way, asked, body) }
    }
}
