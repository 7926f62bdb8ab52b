//! `cobo_client`: a program speaks for the node. Its CallbackRequest leaves in a token; the
//! server's token is opened, and nothing of it reaches the program unless all of it is right.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderName, Method};

use super::super::json::{self, Object};
use super::super::jwt::Jwt;
use super::super::{
    BindError, Binding, Binds, Blame, BodyNeed, Bounds, Build, Claim, Demo, Edits, Entry, Evidence,
    Example, Head, KeySlot, ParamDoc, Proof, ProviderRefusal, Rejections, Reread, Rest, Scheme,
    SchemeError, Signable, Signatures, ToSign,
};
use super::evidence::{Own, evidence};
use super::form::FORM;
use super::request::Request;
use super::response::Response;
use super::token::{self, Tokens};
use super::{PING, SLOT, form, leeway, lifetime, payload, verify_with};
use crate::keys::{Algorithm, Encoding, PublicKey, Signature};
use crate::moment::{Moment, Nonce};
use crate::scheme::entry::{nothing_doubtful, texts};

pub(in crate::scheme) fn entry() -> Entry {
    Entry {
    name: "cobo_client".into(),
    summary: "Asks a callback server as a Cobo TSS node does: the request in a JWT, the answer verified".into(),
    host: "callback.example.com".into(),
    protocol: "http",
    keys: vec![KeySlot {
        name: SLOT.into(),
        algorithms: vec![Algorithm::RSA_PKCS1_SHA256],
        encoding: Encoding::Text,
        required: true,
        doc: "The node's key, whose public half the callback server knows. It seals requests.".into(),
    }],
    secrets: vec![],
    params: vec![
        verify_with(
            "Files with the callback server's public keys in PEM, commas between them; answers it did not seal are not passed on.",
        ),
        ParamDoc::text(
            "issuer",
            "countersign",
            "The iss of tokens that are made here; servers do not check it.",
        ),
        lifetime(),
        leeway(),
        payload(),
    ],
    public_form: Some(super::PUBLIC),
    refusal: Some(ProviderRefusal { status: 401, body: r#"{"status":20,"error":"{reason}"}"#.into() }),
    rejections: Rejections::new(&[200], "status", &[("20", Blame::Signature)]),
    notes: texts(super::CLIENT_NOTES),
    example: Example::default(),
    demo: Demo::default(),
    binds: vec![BOUNDS],
    advise: Arc::new(nothing_doubtful),
    policy: None,
    build: Build::Scheme(Arc::new(build)),
}
}

static OWNED: [HeaderName; 2] = [CONTENT_TYPE, ACCEPT_ENCODING];

const BOUNDS: Bounds = Bounds { body: Binds::Bound, time: Binds::Bound, ..Bounds::NOTHING };

fn build(binding: &Binding) -> Result<Arc<dyn Scheme>, BindError> {
    let key = binding.key(SLOT)?.clone();
    Ok(Arc::new(Client { tokens: Tokens::bind(binding)?, key }))
}

#[derive(Debug)]
struct Client {
    tokens: Tokens,
    key: PublicKey,
}

impl Scheme for Client {
    fn owned_headers(&self) -> &[HeaderName] {
        &OWNED
    }

    fn bounds(&self) -> &[Bounds] {
        &[BOUNDS]
    }

    fn body_need(&self, _: &Head) -> BodyNeed {
        BodyNeed::Whole
    }

    fn canonicalise(&self, request: Signable<'_>, moment: &Moment) -> Result<ToSign, SchemeError> {
        if request.head.method != Method::POST {
            let method = request.head.method.to_string();
            return Err(SchemeError::Method { method, accepted: &["POST"] });
        }
        let (package, _) = plain(request)?;
        Ok(vec![self.tokens.preimage(package, moment)?].into())
    }

    fn reread(
        &self,
        request: Signable<'_>,
        _: &Moment,
        _: &Signatures,
    ) -> Result<Vec<Reread>, SchemeError> {
        let token = form::token(request)?;
        let token = Jwt::split(token.as_bytes(), usize::MAX)?;
        Ok(vec![token::preimage(token.signed_as("RS256")?.to_vec()).into()])
    }

    fn assemble(
        &self,
        request: Signable<'_>,
        moment: &Moment,
        _: Rest,
        signatures: &Signatures,
    ) -> Result<Edits, SchemeError> {
        let (package, _) = plain(request)?;
        let token = self.tokens.seal(package, moment, signatures)?;
        // The answer is read here: a server must not compress it.
        Edits::default()
            .set(CONTENT_TYPE, FORM.as_bytes())?
            .set(ACCEPT_ENCODING, b"identity")
            .map(|edits| edits.body(form::body(&token)))
    }

    fn claim(&self, request: Signable<'_>) -> Result<Claim, SchemeError> {
        let bad = |what| SchemeError::Claim { part: "the token", what };
        let token =
            form::token(request).map_err(|_| bad("is not in exactly one field of a form"))?;
        let token = Jwt::split(token.as_bytes(), usize::MAX).map_err(|fault| bad(fault.what()))?;
        let signed = token.signed_as("RS256").map_err(|fault| bad(fault.what()))?;
        let unix_ms = self.tokens.sealed_ms(&token);
        let unix_ms = unix_ms.ok_or_else(|| bad("has no exp that is a number of seconds"))?;
        let package = self.tokens.package(&token).map_err(|_| bad("has no package inside"))?;
        Request::read(&package).map_err(|_| bad("has no CallbackRequest inside"))?;
        let moment = Moment { unix_ms, nonce: Nonce::Given(0) };
        let signature = Signature::Octets(token.signature().to_vec());
        let proof = Proof { slot: SLOT.into(), public_key: self.key.clone(), signature };
        let preimage = token::preimage(signed.to_vec());
        Ok(Claim { moment: Some(moment), proofs: vec![proof], signed: Some(vec![preimage]) })
    }

    fn evidence(&self, request: Signable<'_>) -> Evidence {
        let own = Own {
            slot: SLOT.into(),
            issuers: vec![self.key.clone()],
            others: self.tokens.issuers(),
            flat: self.tokens.is_flat(),
            leeway_ms: self.tokens.leeway_ms(),
            of: None,
            horizon_ms: None,
        };
        evidence(request, &own)
    }

    fn reply_need(&self) -> BodyNeed {
        BodyNeed::Whole
    }

    fn open_reply(
        &self,
        request: Signable<'_>,
        reply: &Bytes,
        moment: &Moment,
    ) -> Result<Edits, SchemeError> {
        let (_, asked) = plain(request)?;
        let package = self.tokens.open(unquoted(reply)?, moment).map_err(untrusted)?;
        let response = Response::read(&package).map_err(SchemeError::Reply)?;
        let id = response.id.as_deref().unwrap_or_default();
        if id != asked.id {
            // What a server could not open has no name that it could repeat.
            let unnamed = response.status != 0 && id.is_empty();
            return Err(SchemeError::Reply(if unnamed {
                NOT_OPENED
            } else {
                "is for another request"
            }));
        }
        if response.status == 0 && response.action.is_none() && asked.kind != PING {
            return Err(SchemeError::Reply("has no action"));
        }
        let text = response.complete(&asked.id);
        Ok(Edits::default().set(CONTENT_TYPE, b"application/json")?.body(text))
    }
}

/// The JSON of a program's request as it was written, and what of it matters for the answer.
fn plain(request: Signable<'_>) -> Result<(&str, Request), SchemeError> {
    let Some(body) = request.body else {
        return Err(SchemeError::Broken("the body was not collected"));
    };
    // Says what is wrong where it is no object at all.
    let text = json::document(body)?;
    Object::whole(text)?;
    let asked = Request::read(body).map_err(|error| SchemeError::Body {
        what: error.to_string(),
        remedy: "Send one CallbackRequest in JSON, with request_id and request_type, as UTF-8.",
    })?;
    Ok((text, asked))
}

/// What is wrong with a server's token, said of its answer.
fn untrusted(error: SchemeError) -> SchemeError {
    if let SchemeError::Token(what) | SchemeError::Package { what, .. } = error {
        return SchemeError::Reply(what);
    }
    error
}

/// A reply without white space around it and without one pair of quotes: some servers answer with
/// a JSON string.
fn unquoted(reply: &Bytes) -> Result<&str, SchemeError> {
    let text = str::from_utf8(reply).map_err(|_| SchemeError::Reply("is not text"))?.trim();
    let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    Ok(inside.unwrap_or(text))
}

const NOT_OPENED: &str =
    "says that the request could not be opened; is the node's key known there?";
