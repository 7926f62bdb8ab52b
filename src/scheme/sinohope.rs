//! Sinohope: ECDSA over `data…path…timestamp…version…` and the public key.
//!
//! The canonical string is that of the provider's own Java classes, not of its prose, where the
//! two differ: the query is sorted and form-encoded anew, a body loses its spaces and line feeds
//! in the signed text only, and the curve is the one the key's object identifier names.

mod evidence;

use std::sync::{Arc, LazyLock};

use http::{HeaderName, Method};

use super::{
    Act, BindError, Binding, Binds, Blame, BodyNeed, Bounds, Build, Claim, Demo, Edits, Entry,
    Evidence, Example, Head, KeySlot, Names, Origin, ParamDoc, Preimage, Proof, Provenance,
    ProviderRefusal, PublicForm, Rejections, Reread, Rest, Scheme, SchemeError, Signable,
    Signatures, ToSign, Way,
};
use crate::cost::Cost;
use crate::keys::{Algorithm, Encoding, Hashing, PublicKey, Signature};
use crate::moment::{Moment, Nonce};

pub(super) fn entry() -> Entry {
    Entry {
    name: "sinohope".into(),
    summary: "BIZ-API-* headers: ECDSA, DER in hex, over data, path, time stamp and public key".into(),
    host: "api.sinohope.com".into(),
    protocol: "http",
    keys: vec![KeySlot {
        name: "signer".into(),
        algorithms: vec![Algorithm::ECDSA_P256, Algorithm::ECDSA_SECP256K1],
        encoding: Encoding::Text,
        required: true,
        doc: "The API key. P-256 is what the provider recommends; secp256k1 works too.".into(),
    }],
    secrets: vec![],
    params: vec![ParamDoc::one_of("remove", "space_lf", &["none", "space", "space_lf", "ascii_whitespace"], "What is left out of a body before it is signed; the provider's SDKs disagree.")],
    public_form: Some(PublicForm { name: "SPKI in hex", write: public_hex }),
    refusal: Some(ProviderRefusal {
        status: 401,
        body: r#"{"code":1005,"msg":"signature verification failed: {reason}","data":null,"success":false}"#.into(),
    }),
    rejections: rejections(),
    notes: super::entry::texts(NOTES),
    binds: vec![GET, POST],
    advise: Arc::new(super::entry::nothing_doubtful),
    example: Example::default(),
    demo: demo(),
    policy: None,
    build: Build::Scheme(Arc::new(build)),
}
}

/// By the provider's list of error codes, which come with HTTP status 200 or 401.
fn rejections() -> Rejections {
    let codes = [
        ("1002", Blame::Nonce),
        ("1004", Blame::Key),
        ("1005", Blame::Signature),
        ("1008", Blame::Address),
        ("1013", Blame::Signature),
    ];
    Rejections::new(&[200], "code", &codes)
}

/// Of the demo.
const DEMO: &str = r#"
[keys.sinohope]
store = "files"
entry = "sinohope.pem"

[routes.sinohope]
host = "api.sinohope.com"
scheme = "sinohope"
keys = { signer = "sinohope" }
upstream = "sinohope"
"#;

const BODY: &str = "{\n  \"vaultId\": \"1\",\n  \"walletName\": \"my first wallet\"\n}";

fn demo() -> Demo {
    let get = || (Method::GET, "/v1/test?value=2&key=1");
    let post = || (Method::POST, "/v1/test");
    let (forward, route) = ((Way::Forward, "sinohope"), "sinohope");
    Demo {
        tables: DEMO.into(),
        acts: vec![
            Act::taken("Sinohope GET, through HTTP_PROXY", forward, get(), ""),
            Act::taken("Sinohope POST, through HTTP_PROXY", forward, post(), BODY),
            Act::taken("Sinohope POST, through the gateway", (Way::Gateway, route), post(), BODY),
            Act::taken(
                "Sinohope POST over HTTPS, through HTTPS_PROXY",
                (Way::Tls, route),
                post(),
                BODY,
            ),
            Act::refused("Sinohope, past the proxy: nobody signs", (Way::Around, route), get(), ""),
        ],
    }
}

const API_KEY: HeaderName = HeaderName::from_static("biz-api-key");
const API_NONCE: HeaderName = HeaderName::from_static("biz-api-nonce");
const API_SIGNATURE: HeaderName = HeaderName::from_static("biz-api-signature");
/// As in the provider's documents.
static DOCUMENTED: LazyLock<Names> = LazyLock::new(|| {
    super::entry::texts(&["BIZ-API-KEY", "BIZ-API-NONCE", "BIZ-API-SIGNATURE"]).into()
});
static OWNED: [HeaderName; 3] = [API_KEY, API_NONCE, API_SIGNATURE];

const SLOT: &str = "signer";

const NOTES: &[&str] = &[
    "Bound in part: of a name that stands in a GET's query more than once, the first alone is signed; \
     of a POST's body, what `remove` leaves.",
];

const GET: Bounds = Bounds {
    of: "GET",
    path: Binds::Bound,
    query: Binds::Partly,
    time: Binds::Bound,
    ..Bounds::NOTHING
};
const POST: Bounds = Bounds { of: "POST", query: Binds::Open, body: Binds::Partly, ..GET };

#[derive(Debug)]
struct Sinohope {
    /// The SPKI in lower-case hex: it is signed and sent, so it is made once.
    public_hex: String,
    remove: Remove,
}

/// What the signed text of a body leaves out.
#[derive(Clone, Copy, Debug)]
enum Remove {
    Nothing,
    Space,
    SpaceLf,
    AsciiWhitespace,
}

impl Remove {
    fn keeps(self, byte: u8) -> bool {
        match self {
            Self::Nothing => true,
            Self::Space => byte != b' ',
            Self::SpaceLf => byte != b' ' && byte != b'\n',
            // As Go's unicode.IsSpace has it below 128: vertical tab included.
            Self::AsciiWhitespace => !matches!(byte, b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | b' '),
        }
    }
}

fn build(binding: &Binding) -> Result<Arc<dyn Scheme>, BindError> {
    let key = binding.key(SLOT)?;
    let remove = match binding.param("remove") {
        "none" => Remove::Nothing,
        "space" => Remove::Space,
        "space_lf" => Remove::SpaceLf,
        "ascii_whitespace" => Remove::AsciiWhitespace,
        other => return Err(entry().param("remove").refused(other)),
    };
    Ok(Arc::new(Sinohope { public_hex: public_hex(key), remove }))
}

fn public_hex(key: &PublicKey) -> String {
    base16ct::lower::encode_string(&key.spki())
}

impl Scheme for Sinohope {
    fn owned_headers(&self) -> &[HeaderName] {
        &OWNED
    }

    fn documented_names(&self) -> Option<&Names> {
        Some(&DOCUMENTED)
    }

    fn bounds(&self) -> &[Bounds] {
        &[GET, POST]
    }

    fn body_need(&self, head: &Head) -> BodyNeed {
        // Only a POST's body is signed; other methods are refused when the text is built.
        if head.method == Method::POST { BodyNeed::Whole } else { BodyNeed::Nothing }
    }

    /// It is no JSON that is read: bytes are left out, and hashed.
    fn cost(&self, request: Signable<'_>) -> Cost {
        Cost::hashing(request.length()).times(2)
    }

    fn canonicalise(&self, request: Signable<'_>, moment: &Moment) -> Result<ToSign, SchemeError> {
        let head = request.head;
        let mut text = b"data".to_vec();
        if head.method == Method::GET {
            query_data(head.query(), &mut text);
        } else if head.method == Method::POST {
            let body = request.body.ok_or(SchemeError::Broken("the body was not collected"))?;
            self.body_data(body, &mut text)?;
        } else {
            let method = head.method.to_string();
            return Err(SchemeError::Method { method, accepted: &["GET", "POST"] });
        }
        text.extend_from_slice(b"path");
        text.extend_from_slice(head.path().as_bytes());
        text.extend_from_slice(b"timestamp");
        text.extend_from_slice(moment.unix_ms.to_string().as_bytes());
        text.extend_from_slice(b"version1.0.0");
        text.extend_from_slice(self.public_hex.as_bytes());
        let hashing = Hashing::sha256(&text);
        Ok(vec![Preimage { slot: SLOT.into(), text, hashing, secret: false }].into())
    }

    fn origins(
        &self,
        request: Signable<'_>,
        moment: &Moment,
    ) -> Result<Vec<Vec<Origin>>, SchemeError> {
        let behind = [
            Origin::literal("path"),
            Origin::open("path", Provenance::Path, request.head.path()),
            Origin::literal("timestamp"),
            Origin::open("time", Provenance::Clock, moment.unix_ms.to_string()),
            Origin::literal("version1.0.0"),
            Origin::open("public key", Provenance::Key, self.public_hex.as_bytes()),
        ];
        let get = request.head.method == Method::GET;
        let data = if get { ("query", Provenance::Query) } else { ("body", Provenance::Body) };
        let texts = self.canonicalise(request, moment)?.preimages;
        let pieces = texts.into_iter().map(|own| {
            let length: usize = behind.iter().map(|piece| piece.text.len()).sum();
            let signed = own.text.get(b"data".len()..own.text.len().saturating_sub(length));
            let data = Origin::open(data.0, data.1, signed.unwrap_or_default());
            [Origin::literal("data"), data].into_iter().chain(behind.clone()).collect()
        });
        Ok(pieces.collect())
    }

    fn reread(
        &self,
        request: Signable<'_>,
        _: &Moment,
        _: &Signatures,
    ) -> Result<Vec<Reread>, SchemeError> {
        Reread::under(self, request, ("BIZ-API-KEY", &self.public_hex), shown)
    }

    fn assemble(
        &self,
        _: Signable<'_>,
        moment: &Moment,
        _: Rest,
        signatures: &Signatures,
    ) -> Result<Edits, SchemeError> {
        let signature = base16ct::lower::encode_string(&signatures.ecdsa_der(SLOT)?);
        Edits::default()
            .set(API_KEY, self.public_hex.as_bytes())?
            .set(API_NONCE, moment.unix_ms.to_string().as_bytes())?
            .set(API_SIGNATURE, signature.as_bytes())
    }

    fn claim(&self, request: Signable<'_>) -> Result<Claim, SchemeError> {
        let key = hex_header(request.head, "BIZ-API-KEY")?;
        let public_key = PublicKey::from_spki(&key).ok_or(SchemeError::Claim {
            part: "BIZ-API-KEY",
            what: "is not a P-256 or secp256k1 public key (SPKI in hex)",
        })?;
        let moment = shown(request.head)?;
        let der = hex_header(request.head, "BIZ-API-SIGNATURE")?;
        let signature =
            Signature::from_der(public_key.algorithm(), &der).ok_or(SchemeError::Claim {
                part: "BIZ-API-SIGNATURE",
                what: "is not an ECDSA signature in DER",
            })?;
        Ok(Claim {
            moment: Some(moment),
            proofs: vec![Proof { slot: SLOT.into(), public_key, signature }],
            signed: None,
        })
    }

    fn evidence(&self, request: Signable<'_>) -> Evidence {
        let mut data = Vec::new();
        let body = request.body.map_or(&b""[..], |body| body);
        if request.head.method == Method::GET {
            query_data(request.head.query(), &mut data);
        } else if self.body_data(body, &mut data).is_err() {
            data.extend_from_slice(body);
        }
        let keeps = |byte| self.remove.keeps(byte);
        let public_hex = &self.public_hex;
        let own = evidence::Own { slot: SLOT, public_hex, keeps: &keeps, data: &data };
        evidence::evidence(request, &own)
    }
}

impl Sinohope {
    fn body_data(&self, body: &[u8], text: &mut Vec<u8>) -> Result<(), SchemeError> {
        let Ok(body) = std::str::from_utf8(body) else {
            return Err(SchemeError::Body {
                what: "is not UTF-8".into(),
                remedy: "Send the JSON as UTF-8; the provider signs it as text.",
            });
        };
        if body.bytes().all(|byte| byte.is_ascii_whitespace()) {
            return Ok(());
        }
        // Without a branch on each byte: growing a vector byte by byte takes longer than hashing.
        let start = text.len();
        text.resize(start + body.len(), 0);
        let mut end = start;
        for byte in body.bytes() {
            text[end] = byte;
            end += usize::from(self.remove.keeps(byte));
        }
        text.truncate(end);
        Ok(())
    }
}

/// DATA of a GET: decoded, first of each name, sorted by name, the value form-encoded anew.
fn query_data(query: &str, text: &mut Vec<u8>) {
    let mut pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    // Stable, so that the first of a name stays first and `dedup_by` keeps it.
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    pairs.dedup_by(|(later, _), (first, _)| later == first);
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            text.push(b'&');
        }
        text.extend(name.bytes().filter(|byte| !matches!(byte, b' ' | b'\n')));
        text.push(b'=');
        for part in form_urlencoded::byte_serialize(value.as_bytes()) {
            text.extend_from_slice(part.as_bytes());
        }
    }
}

/// The time stamp that a request shows.
fn shown(head: &Head) -> Result<Moment, SchemeError> {
    let unix_ms = head.decimal("BIZ-API-NONCE").ok_or(SchemeError::Claim {
        part: "BIZ-API-NONCE",
        what: "is not there exactly once as decimal milliseconds",
    })?;
    Ok(Moment { unix_ms, nonce: Nonce::Given(0) })
}

fn hex_header(head: &Head, part: &'static str) -> Result<Vec<u8>, SchemeError> {
    let value = head.single(part).and_then(|text| base16ct::mixed::decode_vec(text).ok());
    value.ok_or(SchemeError::Claim { part, what: "is not there exactly once as hex" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(query: &str) -> String {
        let mut text = Vec::new();
        query_data(query, &mut text);
        String::from_utf8(text).expect("UTF-8")
    }

    #[test]
    fn queries_are_decoded_sorted_and_encoded_anew() {
        for (query, expected) in [
            ("", ""),
            ("&&", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=1&B=2", "B=2&a=1"),
            ("flag", "flag="),
            ("a=first&a=second", "a=first"),
            ("a=x%2fy", "a=x%2Fy"),
            ("a=x+y", "a=x+y"),
            ("a=x%20y", "a=x+y"),
            ("a=~!*", "a=%7E%21*"),
            ("a+b=1", "ab=1"),
            ("n%C3%A9=1", "né=1"),
            ("a=%zz", "a=%25zz"),
            ("a=%ff", "a=%EF%BF%BD"),
            ("a=b=c", "a=b%3Dc"),
            ("=v", "=v"),
        ] {
            assert_eq!(data(query), expected, "{query}");
        }
    }

    #[test]
    fn bodies_lose_what_the_setting_says_and_nothing_else() {
        let body = "{\"a b\":\t1,\r\n\"c\":\"\\n\"}";
        for (remove, expected) in [
            (Remove::Nothing, "{\"a b\":\t1,\r\n\"c\":\"\\n\"}"),
            (Remove::Space, "{\"ab\":\t1,\r\n\"c\":\"\\n\"}"),
            (Remove::SpaceLf, "{\"ab\":\t1,\r\"c\":\"\\n\"}"),
            (Remove::AsciiWhitespace, "{\"ab\":1,\"c\":\"\\n\"}"),
        ] {
            let mut text = Vec::new();
            let scheme = Sinohope { public_hex: String::new(), remove };
            scheme.body_data(body.as_bytes(), &mut text).expect("UTF-8");
            assert_eq!(String::from_utf8(text).expect("UTF-8"), expected, "{remove:?}");
        }
    }

    #[test]
    fn a_body_of_white_space_is_empty_and_one_that_is_not_text_is_refused() {
        let scheme = Sinohope { public_hex: String::new(), remove: Remove::Nothing };
        let mut text = Vec::new();
        scheme.body_data(b" \r\n\t", &mut text).expect("white space");
        assert_eq!(text, b"");
        assert!(matches!(scheme.body_data(b"\xff", &mut text), Err(SchemeError::Body { .. })));
    }
}
