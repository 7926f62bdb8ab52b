//! What a scheme can say against a configuration or a request.

/// Why a route's keys, secrets and params do not make a scheme, or make a doubtful one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field} {what}")]
pub struct BindError {
    /// What is wrong, as written in the route: `keys.signer`, `params.remove`.
    pub field: String,
    /// What is wrong with it; never contains secret bytes.
    pub what: String,
    /// What to write instead.
    pub fix: String,
}

/// Why a request cannot be signed, or is not what a signed request looks like.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SchemeError {
    /// The provider defines no signature for this method.
    #[error("the method {method} has no signature here, only {}", accepted.join(" and "))]
    Method {
        /// The request's method.
        method: String,
        /// The methods that can be signed.
        accepted: &'static [&'static str],
    },
    /// The body is not what the canonical text needs.
    #[error("the body {what}")]
    Body {
        /// What is wrong with it.
        what: String,
        /// What would be right.
        remedy: &'static str,
    },
    /// A token that came in is not to be believed; nothing of it is in the text.
    #[error("the token {0}")]
    Token(&'static str),
    /// A token is to be believed, and what it holds is no request.
    #[error("the request in the token {what}")]
    Package {
        /// What is wrong with it.
        what: &'static str,
        /// The request's own name for itself, where that much could be read.
        id: Option<String>,
    },
    /// A provider's answer is not what it must be; nothing of it is in the text.
    #[error("the answer {0}")]
    Reply(&'static str),
    /// A secret that would be inserted cannot be used as it is now.
    #[error("the secret in secrets.{slot} {what}")]
    Credential {
        /// The secret slot of the route.
        slot: &'static str,
        /// Whether all that is wrong with it is the time.
        dated: bool,
        /// What is wrong with it; never contains secret bytes.
        what: &'static str,
        /// What to do about it.
        fix: &'static str,
    },
    /// The query is not what the canonical text needs.
    #[error("the query {what}")]
    Query {
        /// What is wrong with it; never the values in it.
        what: String,
        /// What would be right.
        remedy: &'static str,
    },
    /// A value of the scheme cannot be made of the request, or is not what it shows.
    #[error("the request {what}")]
    Value {
        /// What is wrong with it; no secret is in it.
        what: String,
    },
    /// A signed request lacks something or carries something unreadable.
    #[error("{part} {what}")]
    Claim {
        /// The part: a header's name.
        part: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A broken invariant of this program.
    #[error("{0}")]
    Broken(&'static str),
}
