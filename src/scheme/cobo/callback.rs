//! `cobo_callback`: a node asks, the gateway opens its token, a plain service answers, and what it
//! said is sealed.
//!
//! What an answer comes to is decided in [`heard`] and nowhere else. It approves only what the
//! service approved, with the word itself, for the very request that was opened.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::CONTENT_TYPE;

use super::super::jwt::Jwt;
use super::super::{
    Act, Answered, BindError, Binding, Build, Caller, Claim, Conclusion, Decision, Demo, Edits,
    Entry, Envelope, Evidence, Example, KeySlot, Opened, ParamDoc, Preimage, Proof, Rejections,
    SchemeError, Signable, Signatures, Verdict, Way,
};
use super::evidence::{Own, evidence};
use super::request::Request;
use super::response::{self, Response};
use super::token::{self, Tokens};
use super::{PING, SLOT, form, leeway, lifetime, payload, policy, span, verify_with};
use crate::cost::Cost;
use crate::keys::{Algorithm, Encoding, PublicKey, Signature};
use crate::moment::Moment;
use crate::scheme::entry::{nothing_doubtful, texts};

pub(in crate::scheme) fn entry() -> Entry {
    Entry {
    name: "cobo_callback".into(),
    summary: "Answers a Cobo TSS node's callbacks: opens its JWT, asks a plain service, seals the answer".into(),
    host: "127.0.0.1:9000".into(),
    protocol: "http",
    keys: vec![KeySlot {
        name: SLOT.into(),
        algorithms: vec![Algorithm::RSA_PKCS1_SHA256],
        encoding: Encoding::Text,
        required: true,
        doc: "The callback server's key, whose public half the node knows. It seals answers.".into(),
    }],
    secrets: vec![],
    params: vec![
        verify_with(
            "Files with the nodes' public keys in PEM, commas between them; two of them while one takes the place of the other.",
        ),
        ParamDoc::text(
            "issuer",
            "countersign",
            "The iss of tokens that are made here; nodes do not check it.",
        ),
        lifetime(),
        leeway(),
        ParamDoc::text(
            "horizon",
            "10m",
            "How far ahead a token's exp may lie, 24 hours (1440m) at most: who steals a token may repeat it until then. Nodes make theirs for 2 minutes, unless their token_expire_minutes says otherwise.",
        ),
        ParamDoc::text(
            "node_issuer",
            "",
            "The iss that a node's tokens must have; any, where it is empty. Routes that believe the same key need it, each another one.",
        ),
        ParamDoc::text(
            "deadline",
            "7s",
            "How long the service may take, below the 10 s after which a node gives up.",
        ),
        payload(),
    ],
    public_form: Some(super::PUBLIC),
    refusal: None,
    rejections: Rejections::default(),
    notes: texts(super::CALLBACK_NOTES),
    example: Example::default(),
    demo: demo(),
    binds: Vec::new(),
    advise: Arc::new(nothing_doubtful),
    policy: Some(Arc::new(policy::read)),
    build: Build::Envelope(Arc::new(build)),
}
}

/// Of the demo. The node that asks is in `cli/demo/callbacks.rs`.
const DEMO: &str = r#"
[keys.cobo_server]
store = "files"
entry = "cobo_server.pem"

[routes.cobo]
scheme = "cobo_callback"
keys = { signer = "cobo_server" }
params = { verify_with = "cobo_node.public.pem" }
upstream = "cobo"
"#;

fn demo() -> Demo {
    let check = || (Method::POST, "/v1/check");
    let keygen = r#"{"request_id":"demo-1","request_type":1,"request_detail":"{}"}"#;
    Demo {
        tables: DEMO.into(),
        acts: vec![
            Act::taken(
                "Cobo callback: a node asks, a plain service approves, both sealed",
                (Way::Node, "node"),
                check(),
                keygen,
            ),
            Act::refused(
                "Cobo callback changed on the way by one character: the service is not asked",
                (Way::Node, "tampered"),
                check(),
                keygen,
            ),
        ],
    }
}

fn build(binding: &Binding) -> Result<Arc<dyn Envelope>, BindError> {
    let key = binding.key(SLOT)?.clone();
    let (shortest, longest) = (Duration::from_millis(1), Duration::from_millis(9_999));
    let deadline = span(binding, "deadline", shortest, longest)?;
    let tokens = Tokens::bind(binding)?.of_nodes(binding)?;
    Ok(Arc::new(Callback { tokens, key, deadline }))
}

#[derive(Debug)]
struct Callback {
    tokens: Tokens,
    key: PublicKey,
    deadline: Duration,
}

impl Envelope for Callback {
    fn cost(&self, length: usize) -> Cost {
        Cost::reading(length) + self.tokens.verifying()
    }

    fn open(&self, request: Signable<'_>, moment: &Moment) -> Result<Opened, SchemeError> {
        let package = self.tokens.open(&form::token(request)?, moment)?;
        let Request { text, id, kind } = Request::read(&package)?;
        Ok(Opened { request: Bytes::from(text), content_type: "application/json", id, kind })
    }

    fn believe(&self, request: Signable<'_>) -> Result<(), SchemeError> {
        Request::read(&self.tokens.believe(&form::token(request)?)?).map(drop)
    }

    fn evidence(&self, request: Signable<'_>) -> Evidence {
        let own = Own {
            // None of the route's slots: the nodes' keys are params.
            slot: "issuer".into(),
            issuers: self.tokens.issuers(),
            others: vec![self.key.clone()],
            flat: self.tokens.is_flat(),
            leeway_ms: self.tokens.leeway_ms(),
            of: self.tokens.of().map(str::to_owned),
            horizon_ms: self.tokens.horizon_ms(),
        };
        evidence(request, &own)
    }

    fn deadline(&self) -> Duration {
        self.deadline
    }

    fn callers(&self) -> Vec<Caller> {
        self.tokens.callers()
    }

    fn remembered(&self) -> Duration {
        self.tokens.longest().max(RETRIES)
    }

    fn conclude(&self, opened: Result<&Opened, &SchemeError>, answer: &Answered<'_>) -> Conclusion {
        match opened {
            Err(error) => unopened(error),
            Ok(opened) => heard(opened, answer).unwrap_or_else(|why| {
                let reject = Some(Decision::Reject);
                refused(response::own(FAILED, &opened.id, reject, Some(&why)), why)
            }),
        }
    }

    fn canonicalise(
        &self,
        conclusion: &Conclusion,
        moment: &Moment,
    ) -> Result<Vec<Preimage>, SchemeError> {
        Ok(vec![self.tokens.preimage(package(conclusion)?, moment)?])
    }

    fn assemble(
        &self,
        conclusion: &Conclusion,
        moment: &Moment,
        signatures: &Signatures,
    ) -> Result<Edits, SchemeError> {
        let token = self.tokens.seal(package(conclusion)?, moment, signatures)?;
        Ok(Edits::default().set(CONTENT_TYPE, b"text/plain")?.body(token))
    }

    fn vouched(&self, text: Vec<u8>) -> Preimage {
        token::preimage(text)
    }

    fn claim(&self, conclusion: &Conclusion, body: &Bytes) -> Result<Claim, SchemeError> {
        let token = Jwt::split(body, usize::MAX)?;
        let sealed = self.tokens.package(&token)?;
        let said = Response::read(&sealed).map_err(SchemeError::Broken)?;
        if (said.status == 0 && said.action == Some(Decision::Approve)) != conclusion.approves {
            return Err(SchemeError::Broken("what is sealed is not what was concluded"));
        }
        let signed = vec![token::preimage(token.signed_as("RS256")?.to_vec())];
        let signature = Signature::Octets(token.signature().to_vec());
        let proof = Proof { slot: SLOT.into(), public_key: self.key.clone(), signature };
        Ok(Claim { moment: None, proofs: vec![proof], signed: Some(signed) })
    }
}

/// What is sealed for an answer to this request, or why the answer is worth nothing.
fn heard(opened: &Opened, answer: &Answered<'_>) -> Result<Conclusion, String> {
    let (http, body) = match answer {
        Answered::Reply { status, body } => (*status, *body),
        Answered::Verdict(verdict) => return Ok(judged(opened, verdict)),
        Answered::Nothing(why) => return Err(format!("the service gave no answer: {why}")),
        Answered::Unasked => return Err("nobody was asked".into()),
    };
    if !(200..300).contains(&http) {
        return Err(format!("the service answered with HTTP status {http}"));
    }
    let response = Response::read(body).map_err(|what| format!("the service's answer {what}"))?;
    if response.id.as_ref().is_some_and(|id| *id != opened.id) {
        return Err("the service answered another request".into());
    }
    let (package, said) = (response.complete(&opened.id), response.action);
    if response.status != 0 {
        return Ok(refused(package, format!("the service failed: status {}", response.status)));
    }
    let reason = match response.action {
        Some(Decision::Approve) => "the answer is an approval",
        Some(Decision::Reject) => "the answer is a rejection",
        None if opened.kind == PING => "the answer is to a ping",
        None => return Err("the service's answer has no action".into()),
    };
    let approves = response.action == Some(Decision::Approve);
    Ok(Conclusion { package: package.into(), approves, said, reason: reason.into() })
}

/// What is sealed where the policy answers: success, and its decision.
fn judged(opened: &Opened, verdict: &Verdict) -> Conclusion {
    let Verdict { decision, rule, reason } = verdict;
    let approves = *decision == Decision::Approve;
    let error = (!approves).then(|| format!("{rule}: {reason}"));
    let package = response::own(0, &opened.id, Some(*decision), error.as_deref());
    let reason = if approves { "the answer is an approval" } else { "the answer is a rejection" };
    Conclusion { package: package.into(), approves, said: Some(*decision), reason: reason.into() }
}

/// What is sealed for a request that nobody was asked about.
fn unopened(error: &SchemeError) -> Conclusion {
    let why = error.to_string();
    let package = if let SchemeError::Package { id, .. } = error {
        response::own(UNREADABLE, id.as_deref().unwrap_or_default(), None, Some(&why))
    } else {
        // Nothing of a token that was not verified is repeated.
        response::own(UNTRUSTED, "", None, Some(&why))
    };
    refused(package, why)
}

/// A conclusion that does not approve.
fn refused(package: String, reason: String) -> Conclusion {
    Conclusion { package: package.into(), approves: false, said: None, reason }
}

fn package(conclusion: &Conclusion) -> Result<&str, SchemeError> {
    str::from_utf8(&conclusion.package).map_err(|_| SchemeError::Broken("a package is text"))
}

/// A node that gets no answer asks again after 15 s, twice, unless it is told otherwise: many times
/// as long.
const RETRIES: Duration = Duration::from_secs(10 * 60);

/// `status` for what is no CallbackRequest, for what is no good token, and for a service that
/// failed: those of the official servers.
const UNREADABLE: i64 = 10;
const UNTRUSTED: i64 = 20;
const FAILED: i64 = 30;
