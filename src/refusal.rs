//! Every way the proxy says no: the one place with HTTP status codes.
//!
//! A refusal has a stable [`Code`], whose status, title, blame and remedy are a row, so that none
//! can exist without advice. The answer is
//! `application/problem+json` (RFC 9457) and carries `Proxy-Status` (RFC 9209), by which a client
//! tells our 502 from the provider's. `docs/refusals.md` is made of the rows.

mod code;
mod forward;

use bytes::Bytes;
pub use code::{Code, Facts, Side};
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Response};
use serde_json::json;
use tracing::Level;

use crate::keys::SignError;
use crate::scheme::SchemeError;
use crate::workers::Undone;

/// A refusal on its way to the client.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// What happened to this request. Never contains secrets or anything of an upstream's answer.
    pub detail: String,
    remedy: Option<String>,
    allow: Option<Box<str>>,
}

impl Refusal {
    /// A refusal with the code's own remedy.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), remedy: None, allow: None }
    }

    /// A remedy that fits this request better than the code's own.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The methods that would do, as 405 wants them.
    pub fn allow(mut self, methods: &[&str]) -> Self {
        self.allow = Some(methods.join(", ").into());
        self
    }

    /// What to do about it.
    pub fn advice(&self) -> &str {
        self.remedy.as_deref().unwrap_or_else(|| self.code.facts().remedy)
    }

    /// How its line in the log is written: at which level, and what it says.
    pub fn logged(&self) -> (Level, Option<String>) {
        match self.code.facts().side {
            Side::Operator => (Level::WARN, Some(self.detail.clone())),
            Side::Client => (Level::INFO, Some(self.detail.clone())),
            Side::Content => (Level::INFO, None),
        }
    }

    /// The answer to the client.
    pub fn into_response(self, route: Option<&str>, request_id: &str) -> Response<Bytes> {
        let facts = self.code.facts();
        let mut problem = json!({
            "type": "about:blank",
            "title": facts.title,
            "status": facts.status.as_u16(),
            "code": facts.name,
            "detail": self.detail,
            "remedy": self.advice(),
        });
        if let Some(route) = route {
            problem["route"] = route.into();
        }
        problem["request_id"] = request_id.into();
        let mut body = problem.to_string();
        body.push('\n');
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = facts.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let proxy_status =
            format!("countersign; error={}; details=\"{}\"", facts.proxy_error, facts.name);
        if let Ok(value) = HeaderValue::from_str(&proxy_status) {
            headers.insert("proxy-status", value);
        }
        if let Some(value) = self.allow.and_then(|methods| HeaderValue::from_str(&methods).ok()) {
            headers.insert(ALLOW, value);
        }
        for (name, value) in facts.headers {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        response
    }
}

impl From<SchemeError> for Refusal {
    fn from(error: SchemeError) -> Self {
        let detail = error.to_string();
        match error {
            SchemeError::Method { accepted, .. } => {
                Self::new(Code::MethodUnsignable, detail).allow(accepted)
            }
            SchemeError::Body { remedy, .. } => {
                Self::new(Code::BodyUnsignable, detail).remedy(remedy)
            }
            SchemeError::Reply(_) => Self::new(Code::ReplyUntrusted, detail),
            SchemeError::Credential { dated, fix, .. } => {
                let code = if dated { Code::CredentialExpired } else { Code::CredentialUnusable };
                Self::new(code, detail).remedy(format!(
                    "Nothing was sent. To mend it, {fix}; without watch = true, reload then."
                ))
            }
            SchemeError::Query { remedy, .. } => {
                Self::new(Code::QueryUnsignable, detail).remedy(remedy)
            }
            SchemeError::Value { .. } => Self::new(Code::ValueUnsignable, detail),
            // What came in sealed is answered sealed, so these end no request.
            SchemeError::Token(_)
            | SchemeError::Package { .. }
            | SchemeError::Claim { .. }
            | SchemeError::Broken(_) => Self::new(Code::Internal, detail),
        }
    }
}

impl From<Undone> for Refusal {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Full => {
                let what = "more long requests came at once than the route has places for";
                Self::new(Code::SignerBusy, what)
            }
            Undone::Ended => Self::new(Code::Internal, "the canonical text was not finished"),
        }
    }
}

impl From<SignError> for Refusal {
    fn from(error: SignError) -> Self {
        let code = match error {
            SignError::Failed(_) => Code::SignerUnavailable,
            SignError::Busy => Code::SignerBusy,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_listed_once_with_words_of_its_own() {
        let names: BTreeSet<_> = Code::all().map(Code::name).collect();
        let titles: BTreeSet<_> = Code::all().map(|code| code.facts().title).collect();
        assert_eq!((names.len(), titles.len()), (Code::all().len(), Code::all().len()));
        assert!(Code::all().map(|code| code.facts().status).is_sorted());
        for code in Code::all() {
            let facts = code.facts();
            assert!(facts.remedy.ends_with('.') && facts.remedy.len() > 20, "{code:?}");
            assert!(facts.status.as_u16() >= 400, "{code:?}");
        }
    }

    #[test]
    fn the_answer_is_a_problem_document() {
        let refusal = Refusal::new(Code::MethodUnsignable, "no PUT").allow(&["GET", "POST"]);
        let response = refusal.into_response(Some("sinohope"), "r-1");
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET, POST");
        assert_eq!(
            response.headers()["proxy-status"],
            "countersign; error=http_request_denied; details=\"method_unsignable\""
        );
        let problem: serde_json::Value = serde_json::from_slice(response.body()).expect("JSON");
        assert_eq!(problem["code"], "method_unsignable");
        assert_eq!(problem["detail"], "no PUT");
        assert_eq!(problem["route"], "sinohope");
        assert_eq!(problem["request_id"], "r-1");
    }

    #[test]
    fn what_may_quote_a_body_is_not_logged() {
        let logged = |code| Refusal::new(code, "has \"canary\" twice").logged();
        assert_eq!(logged(Code::BodyUnsignable), (Level::INFO, None));
        let said = Some("has \"canary\" twice".to_owned());
        assert_eq!(logged(Code::UpstreamTls), (Level::WARN, said.clone()));
        assert_eq!(logged(Code::HostNotRouted), (Level::INFO, said));
    }

    #[test]
    fn a_busy_key_is_no_broken_one() {
        for (error, code) in
            [(SignError::Busy, "signer_busy"), (SignError::Failed("x"), "signer_unavailable")]
        {
            let refusal = Refusal::from(error);
            assert_eq!(refusal.code.name(), code);
            let response = refusal.into_response(None, "r-1");
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()["retry-after"], "1");
        }
    }
}
