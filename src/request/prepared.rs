//! What is signed describes what is sent, also where a scheme puts fields in before it signs: held
//! by a toy scheme whose time stamp and signature stand in query, form and JSON.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};

use super::{Body, Outgoing};
use crate::keys::{Hashing, Signature};
use crate::moment::{Moment, Nonce};
use crate::route::Origin;
use crate::scheme::{
    BodyNeed, Claim, Edits, Head, Preimage, Scheme, SchemeError, Signable, Signatures,
};

#[derive(Clone, Copy, Debug)]
enum Place {
    Query,
    Form,
    Json,
}

/// Puts `t` in, signs the target and the body as they then are, and puts `sig` behind.
#[derive(Debug)]
struct Toy(Place);

impl Toy {
    fn put(&self, request: Signable<'_>, name: &str, value: &str) -> Result<Edits, SchemeError> {
        let edits = Edits::default();
        match self.0 {
            Place::Query => edits.query(request.head, name, value),
            Place::Form => edits.form(request, name, value),
            Place::Json => edits.json(request, name, &format!("\"{value}\"")),
        }
    }
}

impl Scheme for Toy {
    fn owned_headers(&self) -> &[HeaderName] {
        &[]
    }

    fn body_need(&self, _: &Head) -> BodyNeed {
        BodyNeed::Whole
    }

    fn prepare(&self, request: Signable<'_>, moment: &Moment) -> Result<Edits, SchemeError> {
        let edits = self.put(request, "t", &moment.unix_ms.to_string())?;
        edits.set(HeaderName::from_static("x-time"), moment.unix_ms.to_string().as_bytes())
    }

    fn canonicalise(
        &self,
        request: Signable<'_>,
        _: &Moment,
    ) -> Result<Vec<Preimage>, SchemeError> {
        let body = String::from_utf8_lossy(request.body.expect("it was asked for"));
        let (target, time) = (&request.head.target, request.head.single("x-time"));
        let text = format!("{target}|{body}|{}", time.unwrap_or("none")).into_bytes();
        Ok(vec![Preimage { slot: "signer".into(), text, hashing: Hashing::Message, secret: false }])
    }

    fn assemble(
        &self,
        request: Signable<'_>,
        _: &Moment,
        signatures: &Signatures,
    ) -> Result<Edits, SchemeError> {
        let signature = String::from_utf8_lossy(signatures.octets("signer")?);
        self.put(request, "sig", &signature)
    }

    fn claim(&self, _: Signable<'_>) -> Result<Claim, SchemeError> {
        Err(SchemeError::Broken("a toy"))
    }
}

const fn at(unix_ms: u64) -> Moment {
    Moment { unix_ms, nonce: Nonce::Given(0) }
}

fn arrived(target: &str, body: &'static str) -> Outgoing {
    let origin = Origin::of("up.example", true).expect("an authority");
    let target = target.parse().expect("a target");
    let head =
        Head { method: Method::POST, host: "api.x".into(), target, headers: HeaderMap::new() };
    Outgoing::dress(head, Body::Held(Bytes::from_static(body.as_bytes())), origin, None)
        .expect("a request")
}

#[test]
fn what_is_put_in_before_is_signed_and_the_signature_stands_behind_it() {
    for (place, target, body, signed, sent, sent_body) in [
        (Place::Query, "/v1?a=%7e&t=9", "", "/v1?a=%7e&t=5||5", "/v1?a=%7e&t=5&sig=s%2B", ""),
        (Place::Query, "/v1", "{}", "/v1?t=5|{}|5", "/v1?t=5&sig=s%2B", "{}"),
        (Place::Form, "/v1", "a=+&t=1", "/v1|a=+&t=5|5", "/v1", "a=+&t=5&sig=s%2B"),
        (Place::Form, "/v1", "", "/v1|t=5|5", "/v1", "t=5&sig=s%2B"),
        (
            Place::Json,
            "/v1",
            r#"{ "t": 1, "a":1.0}"#,
            r#"/v1|{ "t": "5", "a":1.0}|5"#,
            "/v1",
            r#"{ "t": "5", "a":1.0,"sig":"s+"}"#,
        ),
        (Place::Json, "/v1", "", r#"/v1|{"t":"5"}|5"#, "/v1", r#"{"t":"5","sig":"s+"}"#),
    ] {
        let (toy, mut outgoing) = (Toy(place), arrived(target, body));
        // A moment that came to nothing leaves nothing behind.
        outgoing.preimages(&toy, &at(4)).expect("it can be signed");
        let preimages = outgoing.preimages(&toy, &at(5)).expect("it can be signed");
        assert_eq!(String::from_utf8_lossy(&preimages[0].text), signed, "{place:?}");
        let mut signatures = Signatures::default();
        signatures.insert("signer", Signature::Octets(b"s+".to_vec()));
        let edits = outgoing.edits(&toy, &at(5), &signatures);
        let (request, _) =
            outgoing.into_request(edits.expect("it can be placed")).expect("a request");
        assert_eq!(request.uri().path_and_query().expect("a target").as_str(), sent, "{place:?}");
        assert_eq!(*request.body(), Body::Held(Bytes::from(sent_body)), "{place:?}");
        assert_eq!(request.headers()["content-length"], sent_body.len().to_string(), "{place:?}");
        assert_eq!(request.headers()["x-time"], "5", "{place:?}");
    }
}

#[test]
fn a_field_is_not_put_into_what_cannot_be_read() {
    for (place, target, body) in [
        (Place::Query, "/v1?%zz", ""),
        (Place::Form, "/v1", "%zz=1"),
        (Place::Json, "/v1", "[]"),
        (Place::Json, "/v1", r#"{"a":1,"a":2}"#),
    ] {
        let refused = arrived(target, body).preimages(&Toy(place), &at(5));
        let fits = matches!(
            (place, refused),
            (Place::Query, Err(SchemeError::Query { .. }))
                | (Place::Form | Place::Json, Err(SchemeError::Body { .. }))
        );
        assert!(fits, "{place:?} {target} {body}");
    }
}
