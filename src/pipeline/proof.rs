//! Self-check: signed bytes are sent bytes. A request is read as it is handed to the HTTP library,
//! its canonical strings are made again of that, and they must be those that were signed.
//!
//! Head and body are taken from the request of the HTTP library, after the scheme's edits and in the
//! form that the connection's protocol has; nothing is kept of the first evaluation but its result.
//! What is left behind it is in `upstream::inspected`.

use std::ops::Add as _;
use std::sync::OnceLock;

use crate::body::Upload;
use crate::config::SelfCheck;
use crate::cost::Cost;
use crate::metrics::Metrics;
use crate::moment::Moment;
use crate::refusal::{Code, Refusal};
use crate::request::handed;
use crate::route::Route;
use crate::scheme::{
    Claim, Conclusion, Difference, Envelope, InUse, Preimage, Reread, Scheme, Signable, Signatures,
};
use crate::snapshot::Snapshot;
use crate::verification::verify;
use crate::workers::in_place;
use http::Request;

/// What was signed of a request, for when it is handed over.
pub(super) struct Proof<'a> {
    pub(super) level: SelfCheck,
    pub(super) route: &'a Route,
    pub(super) scheme: &'a dyn Scheme,
    pub(super) moment: Moment,
    pub(super) signed: Vec<Preimage>,
    pub(super) signatures: Signatures,
    /// The secrets that it was signed with.
    pub(super) in_use: InUse,
    pub(super) metrics: &'a Metrics,
    pub(super) failed: OnceLock<Refusal>,
}

impl Proof<'_> {
    /// The secrets as they are before anything is made of them, where a check will ask.
    pub(super) fn in_use(snapshot: &Snapshot, scheme: &dyn Scheme) -> InUse {
        match snapshot.self_check {
            SelfCheck::Off => InUse::default(),
            SelfCheck::Digest | SelfCheck::Signature => scheme.in_use(),
        }
    }

    /// Whether a request is what was signed; if not, the refusal is kept.
    pub(super) fn holds(&self, request: &Request<Upload>) -> bool {
        let body = request.body().held();
        let checked = handed(request).map_err(str::to_owned).and_then(|head| {
            let signable = Signable { head: &head, body: body.as_ref() };
            in_place(self.cost(signable), || self.check(signable))
        });
        let Err(what) = checked else { return true };
        let _first_counts = self.failed.set(self.refusal(&what));
        false
    }

    /// Why it was not sent.
    pub(super) fn into_refusal(self) -> Option<Refusal> {
        self.failed.into_inner()
    }

    /// The texts are made again, once, and for their signatures once more, with what they claim.
    fn cost(&self, request: Signable<'_>) -> Cost {
        let once = self.scheme.cost(request);
        if self.level != SelfCheck::Signature {
            return once;
        }
        let verifying = self.signed.iter().filter_map(|text| {
            let key = self.route.public_key(&text.slot)?;
            Some(key.verifying(text.text.len()))
        });
        verifying.fold(once.times(3), Cost::add)
    }

    fn check(&self, signable: Signable<'_>) -> Result<(), String> {
        let sent = self.scheme.reread(signable, &self.moment, &self.signatures);
        let sent = sent.map_err(|error| error.to_string())?;
        if let Some(difference) = Difference::between(&self.signed, &sent) {
            return Err(difference.to_string());
        }
        if self.level == SelfCheck::Signature {
            let key_of = |slot: &str| self.route.public_key(slot);
            let verified = verify(self.scheme, key_of, signable);
            verified.map_err(|flaw| flaw.to_string())?;
        }
        Ok(())
    }

    fn refusal(&self, what: &str) -> Refusal {
        let name = &self.route.name;
        if !self.in_use.is(&self.scheme.in_use()) {
            let detail = format!("a secret of routes.{name} changed while a request was signed");
            return Refusal::new(Code::CredentialUnusable, detail)
                .remedy("Send it again, and it goes with the new one; nothing was sent.");
        }
        failure(name, what, self.metrics)
    }
}

/// Whether the answer to a sealed request says what was concluded, and what was signed.
///
/// # Errors
///
/// `self_check`, and nothing is answered.
pub(super) fn sealed(
    snapshot: &Snapshot,
    (route, envelope): (&Route, &dyn Envelope),
    conclusion: &Conclusion,
    signed: &[Preimage],
    body: Option<&bytes::Bytes>,
    metrics: &Metrics,
) -> Result<(), Refusal> {
    let checked = match (snapshot.self_check, body) {
        (SelfCheck::Off, _) => return Ok(()),
        (_, None) => Err("the answer has no body".to_owned()),
        (level, Some(body)) => match envelope.claim(conclusion, body) {
            Err(error) => Err(error.to_string()),
            Ok(claim) => proved(&claim, signed, level),
        },
    };
    checked.map_err(|what| failure(&route.name, &what, metrics))
}

fn proved(claim: &Claim, signed: &[Preimage], level: SelfCheck) -> Result<(), String> {
    let sent: Vec<_> = claim.signed.iter().flatten().cloned().map(Reread::from).collect();
    if let Some(difference) = Difference::between(signed, &sent) {
        return Err(difference.to_string());
    }
    let mut proofs = claim.proofs.iter().zip(signed);
    let holds = claim.proofs.len() == signed.len()
        && proofs.all(|(own, text)| own.public_key.verifies(text.content(), &own.signature));
    match level {
        SelfCheck::Signature if !holds => Err("a signature is not the key's".into()),
        SelfCheck::Signature | SelfCheck::Digest | SelfCheck::Off => Ok(()),
    }
}

fn failure(route: &str, what: &str, metrics: &Metrics) -> Refusal {
    metrics.self_check_failed();
    tracing::error!(route, "not sent, for it is not what was signed: {what}");
    Refusal::new(Code::SelfCheck, format!("routes.{route}: {what}"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;
    use crate::config::Config;
    use crate::moment::Nonce;
    use crate::pipeline::upload;
    use crate::request::{Body, Outgoing};
    use crate::route::Origin;
    use crate::scheme::{Answered, Bound, Head, Opened};
    use crate::snapshot::Surroundings;

    const CONFIG: &str = r#"
[listen]
forward = "127.0.0.1:0"
gateway = "127.0.0.1:0"
[stores.files]
kind = "file"
dir = "."
[keys.k256]
store = "files"
entry = "k256"
algorithm = "ecdsa_secp256k1"
[keys.hmac]
store = "files"
entry = "hmac"
algorithm = "hmac_sha256"
[keys.babyjub]
store = "files"
entry = "babyjub"
algorithm = "eddsa_babyjub"
[secrets.plain]
store = "files"
entry = "hmac"
[routes.sinohope]
host = "api.sinohope.com"
scheme = "sinohope"
keys = { signer = "k256" }
[routes.metasv]
host = "apiv2.metasv.com"
scheme = "metasv"
keys = { signer = "k256" }
[routes.loopring]
host = "api.loopring.io"
scheme = "loopring"
keys = { eddsa = "babyjub" }
secrets = { api_key = "plain" }
params = { canonical = "none", body = "order" }
[routes.okx]
host = "www.okx.com"
scheme = "okx"
keys = { signer = "hmac" }
secrets = { api_key = "plain", passphrase = "plain" }
[keys.rsa]
store = "files"
entry = "rsa"
[routes.cobo]
scheme = "cobo_callback"
keys = { signer = "rsa" }
params = { verify_with = "public" }
upstream = "service"
[upstreams.service]
url = "unix:/nonexistent/service.sock"
[routes.strict]
host = "my.okx.com"
scheme = "okx"
keys = { signer = "hmac" }
secrets = { api_key = "plain", passphrase = "plain" }
unbound = "refuse"
[routes.binance]
host = "api.binance.com"
scheme = "binance"
keys = { signer = "hmac" }
secrets = { api_key = "plain" }
"#;

    pub(in crate::pipeline) const ORDER: &str = r#"{"exchangeId":2,"orderId":5,"accountId":1234,"tokenSId":2,"tokenBId":3,"amountS":"5000000000000000000","amountB":"15000000","allOrNone":"false","buy":"false","validSince":1582094327,"validUntil":1587278341,"maxFeeBips":50,"label":211}"#;

    pub(in crate::pipeline) const MOMENT: Moment =
        Moment { unix_ms: 1_700_000_000_000, nonce: Nonce::Placed(7) };

    pub(in crate::pipeline) async fn snapshot() -> Snapshot {
        let home = tempfile::tempdir().expect("a directory");
        let k256 = "ca19b48a11d317fc3ce51fdbc0161ec5d925a260f9f32fbdc4a52447396a8272";
        let cobo = include_str!("../../tests/vectors/cobo.json");
        let cobo: serde_json::Value = serde_json::from_str(cobo).expect("the vectors are JSON");
        let pem = |key: &str, form: &str| cobo["keys"][key][form].as_str().expect("it is there");
        for (name, text) in [
            ("k256", k256),
            ("hmac", "s3cretS3cret"),
            ("babyjub", "123456\n"),
            ("rsa", pem("callback_server", "private_pkcs8_pem")),
            ("public", pem("tss_node", "public_spki_pem")),
        ] {
            let path = home.path().join(name);
            fs::write(&path, text).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is our own");
        }
        let config = Config::parse(CONFIG, &home.path().join("proxy.toml"));
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        let snapshot = Snapshot::build(&config, &Surroundings::default(), None).await;
        snapshot.unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// A request as it is handed over, and its proof.
    async fn signed<'s>(
        snapshot: &'s Snapshot,
        metrics: &'s Metrics,
        (name, method, target, body): Asked,
    ) -> (Proof<'s>, Request<Upload>) {
        let route = snapshot.routes.named(name).expect("it is in the configuration");
        let scheme = route.scheme.signing().expect("it signs").as_ref();
        let host = route.host.as_ref().expect("it has one").to_string();
        let origin = Origin::of(&host, true).expect("an authority");
        let (method, target) = (Method::from_bytes(method.as_bytes()), target.parse());
        let (method, target) = (method.expect("a method"), target.expect("a target"));
        let head = Head { method, host, target, headers: HeaderMap::new() };
        let body = Body::Held(Bytes::copy_from_slice(body.as_bytes()));
        let outgoing = Outgoing::dress(head, body, origin, Some(scheme)).expect("a request");
        let in_use = scheme.in_use();
        let to_sign = outgoing.canonicalise(scheme, &MOMENT).expect("its texts");
        let signatures = route.sign(&to_sign.preimages).await.expect("the key signs");
        let edits = outgoing.edits(scheme, &MOMENT, to_sign.rest, &signatures).expect("edits");
        let (request, _) = upload(Box::new(outgoing), edits, None, Duration::from_secs(1))
            .expect("a request of the HTTP library");
        let (signed, failed) = (to_sign.preimages, OnceLock::new());
        let (level, moment) = (SelfCheck::Digest, MOMENT);
        let proof =
            Proof { level, route, scheme, moment, signed, signatures, in_use, metrics, failed };
        (proof, *request)
    }

    /// Route, method, target and body.
    type Asked = (&'static str, &'static str, &'static str, &'static str);

    const GET: Asked = ("sinohope", "GET", "/v1/x?b=2&a=1", "");
    const POST: Asked = ("sinohope", "POST", "/v1/x", "{\"a\": 1}");
    const BLOCK: Asked = ("metasv", "GET", "/block/1?q", "");
    const MESSAGE: Asked = ("loopring", "POST", "/api/v2/order", ORDER);
    const OKX: Asked = ("okx", "POST", "/api/v5/trade/order?x=1", "{\"a\":1}");
    const BINANCE: Asked = ("binance", "POST", "/api/v3/order?symbol=A", "");

    type Fault = fn(&mut Request<Upload>);

    fn target(request: &mut Request<Upload>, target: &str) {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(target.parse().expect("a target"));
        *request.uri_mut() = http::Uri::from_parts(parts).expect("a URI");
    }

    fn set(request: &mut Request<Upload>, name: &'static str, value: &'static str) {
        assert!(request.headers().contains_key(name), "{name} is not there");
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }

    /// What could happen to a request behind its signature, one at a time. Where it says a byte, a
    /// check that compares less than all of the text does not.
    const FAULTS: &[(Asked, Fault, &str)] = &[
        (GET, |request| target(request, "/v1/y?b=2&a=1"), "at byte 19"),
        (GET, |request| target(request, "/v1/x?b=2&a=2"), "at byte 6"),
        (GET, |request| *request.method_mut() = Method::POST, "at byte 4"),
        (GET, |request| set(request, "biz-api-nonce", "1700000000001"), "at byte 41"),
        (GET, |request| set(request, "biz-api-nonce", "+1"), "BIZ-API-NONCE"),
        (GET, |request| set(request, "biz-api-key", "00"), "BIZ-API-KEY"),
        (GET, |request| set(request, "host", "api.sinohope.org"), ":authority"),
        (GET, |request| drop(request.headers_mut().remove("host")), "one Host"),
        (
            GET,
            |request| {
                let again = request.headers()["biz-api-nonce"].clone();
                request.headers_mut().append("biz-api-nonce", again);
            },
            "exactly once",
        ),
        (POST, |request| *request.body_mut() = Upload::whole("{\"a\": 2}".into()), "at byte 9"),
        (POST, |request| *request.body_mut() = Upload::whole("{\"a\": 1}}".into()), "at byte 11"),
        (BLOCK, |request| target(request, "/block/2?q"), "at byte 7"),
        (BLOCK, |request| set(request, "metasv-nonce", "0000000000"), "at byte "),
        (BLOCK, |request| set(request, "metasv-client-pubkey", "02"), "MetaSV-Client-Pubkey"),
        (
            MESSAGE,
            |request| {
                let body = request.body().held().expect("it is held");
                let text = String::from_utf8(body.to_vec()).expect("it is text");
                let text = text.replace("\"15000000\"", "\"15000001\"");
                *request.body_mut() = Upload::whole(text.into());
            },
            "at byte ",
        ),
        (OKX, |request| *request.method_mut() = Method::PUT, "at byte "),
        (OKX, |request| target(request, "/api/v5/trade/order?x=2"), "at byte "),
        (OKX, |request| *request.body_mut() = Upload::whole("{\"a\":2}".into()), "at byte "),
        (OKX, |request| set(request, "ok-access-timestamp", "x"), "OK-ACCESS-TIMESTAMP"),
        (OKX, |request| set(request, "ok-access-passphrase", "x"), "OK-ACCESS-PASSPHRASE"),
        (OKX, |request| set(request, "ok-access-sign", "x"), "OK-ACCESS-SIGN"),
        (BINANCE, |request| target(request, "/api/v3/order?symbol=B"), "timestamp"),
    ];

    #[tokio::test]
    async fn a_request_that_was_changed_behind_its_signature_is_kept_back() {
        let (snapshot, metrics) = (snapshot().await, Metrics::default());
        for level in [SelfCheck::Digest, SelfCheck::Signature] {
            for asked in [GET, POST, BLOCK, MESSAGE, OKX, BINANCE] {
                let (mut proof, request) = signed(&snapshot, &metrics, asked).await;
                proof.level = level;
                let held = proof.holds(&request);
                assert!(held, "{asked:?} {level:?}: {:?}", proof.into_refusal());
            }
        }
        for (asked, fault, said) in FAULTS {
            let (proof, mut request) = signed(&snapshot, &metrics, *asked).await;
            fault(&mut request);
            assert!(!proof.holds(&request), "{asked:?}: nobody saw that {said}");
            let refusal = proof.into_refusal().expect("it is kept");
            assert_eq!(refusal.code, Code::SelfCheck, "{refusal:?}");
            assert!(refusal.detail.contains(said), "{asked:?}: {said}: {}", refusal.detail);
        }
        let counted = metrics.expose(crate::metrics::Form::OpenMetrics);
        let line = format!("countersign_self_check_failures_total {}", FAULTS.len());
        assert!(counted.contains(&line), "{counted}");
    }

    /// What the key gave is no part of the texts: another's signature is seen by verifying it.
    #[tokio::test]
    async fn a_signature_that_does_not_verify_is_seen_where_it_is_asked_for() {
        let (snapshot, metrics) = (snapshot().await, Metrics::default());
        for (level, held) in [(SelfCheck::Digest, true), (SelfCheck::Signature, false)] {
            let (_, other) = signed(&snapshot, &metrics, POST).await;
            let (mut proof, mut request) = signed(&snapshot, &metrics, GET).await;
            let signature = other.headers()["biz-api-signature"].clone();
            request.headers_mut().insert("biz-api-signature", signature);
            proof.level = level;
            assert_eq!(proof.holds(&request), held, "{level:?}");
        }
    }

    /// What is sealed for a node is another text, another conclusion, or nobody's.
    #[tokio::test]
    async fn an_answer_that_was_changed_behind_its_signature_is_kept_back() {
        let (snapshot, metrics) = (snapshot().await, Metrics::default());
        let route = snapshot.routes.named("cobo").expect("it is in the configuration");
        let Bound::Envelope(envelope) = &route.scheme else { panic!("it seals") };
        let opened = Opened {
            request: Bytes::new(),
            content_type: "application/json",
            id: "k-1".into(),
            kind: 1,
        };
        let answered = |action: &'static str| {
            let said = Bytes::from(format!("{{\"action\":\"{action}\"}}"));
            envelope.conclude(Ok(&opened), &Answered::Reply { status: 200, body: &said })
        };
        let (rejects, approves) = (answered("REJECT"), answered("APPROVE"));
        assert!(approves.approves && !rejects.approves);
        let signed = envelope.canonicalise(&rejects, &MOMENT).expect("its texts");
        let signatures = route.sign(&signed).await.expect("the key signs");
        let edits = envelope.assemble(&rejects, &MOMENT, &signatures).expect("it is sealed");
        let body = edits.new_body().expect("it has a body").clone();
        let held = |conclusion, signed: &[Preimage], body: Option<&Bytes>| {
            let sealed = (route.as_ref(), envelope.as_ref());
            super::sealed(&snapshot, sealed, conclusion, signed, body, &metrics)
        };
        held(&rejects, &signed, Some(&body)).expect("it is as it was concluded");
        let other = envelope.canonicalise(&approves, &MOMENT).expect("its texts");
        let cut = body.slice(..body.len() - 9);
        for (conclusion, signed, body) in [
            (&approves, &signed, Some(&body)),
            (&rejects, &other, Some(&body)),
            (&rejects, &signed, Some(&cut)),
            (&rejects, &signed, None),
        ] {
            let refusal = held(conclusion, signed, body).expect_err("nobody saw it");
            assert_eq!(refusal.code, Code::SelfCheck);
        }
        assert!(
            metrics
                .expose(crate::metrics::Form::OpenMetrics)
                .contains("countersign_self_check_failures_total 4")
        );
    }

    /// A digest that was not that of the text would be signed all the same.
    #[tokio::test]
    async fn the_digest_that_the_key_was_given_is_compared_too() {
        let (snapshot, metrics) = (snapshot().await, Metrics::default());
        let (mut proof, request) = signed(&snapshot, &metrics, GET).await;
        proof.signed[0].hashing = crate::keys::Hashing::sha256(b"another text");
        assert!(!proof.holds(&request));
    }
}
