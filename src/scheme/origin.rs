//! Where a piece of a canonical string came from.

/// A piece of a canonical string.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// The hole that it fills, as the scheme's file writes it, or `literal`.
    pub from: String,
    /// What of the request or the route that is.
    pub kind: Provenance,
    /// The piece itself; nothing where a secret is in it.
    pub text: Vec<u8>,
    /// Whether a secret is in it.
    pub secret: bool,
}

impl Origin {
    /// A piece that everybody may see.
    pub fn open(from: &str, kind: Provenance, text: impl Into<Vec<u8>>) -> Self {
        Self { from: from.to_owned(), kind, text: text.into(), secret: false }
    }

    /// One of the scheme itself.
    pub fn literal(text: impl Into<Vec<u8>>) -> Self {
        Self::open("literal", Provenance::Literal, text)
    }
}

/// What of a request or a route a piece was taken from.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Provenance {
    /// The scheme itself.
    Literal,
    /// The method.
    Method,
    /// The host, or scheme and host.
    Host,
    /// The path; of a whole target or URL, all of it.
    Path,
    /// The query.
    Query,
    /// Headers.
    Header,
    /// The body.
    Body,
    /// The moment that is signed.
    Clock,
    /// What makes each request another.
    Nonce,
    /// The public key, or what the key has signed.
    Key,
    /// A secret, which is not shown.
    Secret,
    /// A parameter of the route.
    Param,
    /// Several of these.
    Several,
}

impl Provenance {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Literal => "literal",
            Self::Method => "method",
            Self::Host => "host",
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Body => "body",
            Self::Clock => "clock",
            Self::Nonce => "nonce",
            Self::Key => "key",
            Self::Secret => "secret",
            Self::Param => "param",
            Self::Several => "several",
        }
    }
}
