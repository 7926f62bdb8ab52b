//! The codes by themselves, and what is fixed about each: its row.

use http::StatusCode;

/// Why a request was refused, by status. The title in its row says what each means; the names in
/// the rows are part of the interface and never change.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(missing_docs, reason = "a title would stand here twice")]
pub enum Code {
    BadTarget,
    BadHost,
    NotHttp,
    BodyIncomplete,
    MetricsUnauthenticated,
    ClientNotAllowed,
    CrossSite,
    HostNotRouted,
    PrivateAddress,
    OutsideRoute,
    InterceptionOff,
    RouteUnknown,
    AdminPathUnknown,
    MethodUnsignable,
    AdminMethodNotAllowed,
    ClientUnauthenticated,
    BodyTooSlow,
    BodyTooLarge,
    BodyEncoded,
    WrongAuthority,
    BodyUnsignable,
    QueryUnsignable,
    ValueUnsignable,
    PartUnbound,
    NotAnUpgrade,
    TooManyFields,
    Internal,
    SelfCheck,
    TransferCodingUnknown,
    UpstreamUnreachable,
    UpstreamProxy,
    UpstreamTls,
    UpstreamUntrusted,
    UpstreamUnprocessed,
    UpstreamClosed,
    UpstreamProtocol,
    ReplyUntrusted,
    CredentialExpired,
    CredentialUnusable,
    SignerUnavailable,
    SignerBusy,
    NoncesUnavailable,
    AnswersUnavailable,
    LogStalled,
    AuditFailed,
    TurnTimeout,
    TooManyConnections,
    TooManyTunnels,
    TooManyBodies,
    OutOfDescriptors,
    Draining,
    SignerTimeout,
    UpstreamTimeout,
    Loop,
}

/// Whose it is to do something about a refusal, and so how its line in the log is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The operator's: configuration, key, upstream, clock or a limit. At warn, with the detail.
    Operator,
    /// The client's. At info, with the detail.
    Client,
    /// The client's, and the detail may quote a body or a query, of which the log has nothing.
    Content,
}

/// What is fixed about a code.
#[derive(Debug)]
pub struct Facts {
    /// The code.
    pub code: Code,
    /// The stable name.
    pub name: &'static str,
    /// Whose it is to do something about it.
    pub side: Side,
    /// The HTTP status.
    pub status: StatusCode,
    /// The error type of RFC 9209, section 2.3.
    pub proxy_error: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// What to do about it, unless the refusal knows better.
    pub remedy: &'static str,
    /// Headers its answer carries, in lower case.
    pub(in crate::refusal) headers: Headers,
}

/// Names and values.
pub(super) type Headers = &'static [(&'static str, &'static str)];

/// A row without headers.
pub(super) const fn row(
    code: Code,
    name: &'static str,
    side: Side,
    status: StatusCode,
    proxy_error: &'static str,
    title: &'static str,
    remedy: &'static str,
) -> Facts {
    Facts { code, name, side, status, proxy_error, title, remedy, headers: &[] }
}

impl Facts {
    /// With these.
    pub(super) const fn with(self, headers: Headers) -> Self {
        Self { headers, ..self }
    }
}
