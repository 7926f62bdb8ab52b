//! MetaSV: ECDSA on secp256k1 over `path_timestamp_nonce`, or a bearer token.
//!
//! A route uses one of the two: bind `keys.signer` for client signatures, `secrets.token` for
//! the token. The provider takes a nonce once in ten minutes; [`crate::nonces`] sees to that.

mod evidence;

use std::sync::{Arc, LazyLock};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, Method, header};

use super::credential::{CredentialFault, MAX_TOKEN, alone, in_time};
use super::infras::evidence::bearer;
use super::jwt::{Jwt, Null};
use super::{
    Act, BindError, Binding, Binds, BodyNeed, Bounds, Build, Claim, Demo, Edits, Entry, Evidence,
    Example, Head, KeySlot, Names, Origin, Preimage, Proof, Provenance, ProviderRefusal,
    PublicForm, Rejections, Reread, Rest, Scheme, SchemeError, SecretSlot, Signable, Signatures,
    ToSign, Way,
};
use crate::keys::{Algorithm, Encoding, Hashing, PublicKey, Signature};
use crate::moment::{Moment, Nonce, Permutation};
use crate::nonces::Counting;
use crate::secret::{Secret, SecretCell};

pub(super) fn entry() -> Entry {
    Entry {
        name: "metasv".into(),
        summary:
            "MetaSV-* headers: ECDSA, DER in base64, over path, time stamp and nonce; or a token"
                .into(),
        host: "apiv2.metasv.com".into(),
        protocol: "http",
        keys: vec![KeySlot {
            name: "signer".into(),
            algorithms: vec![Algorithm::ECDSA_SECP256K1],
            encoding: Encoding::Text,
            required: false,
            doc: "The registered client key. It must hold no coins. Bind this or secrets.token."
                .into(),
        }],
        secrets: vec![SecretSlot {
            name: "token".into(),
            required: false,
            file: "metasv.jwt".into(),
            doc: "A JWT sent as a bearer token; past its exp it is not. Bind this or keys.signer."
                .into(),
        }],
        params: vec![],
        public_form: Some(PublicForm { name: "compressed point in hex", write: public_hex }),
        refusal: Some(ProviderRefusal {
            status: 401,
            body: r#"{"code":401,"message":"Unauthorized: {reason}"}"#.into(),
        }),
        rejections: Rejections::default(),
        notes: Vec::new(),
        binds: vec![BOUNDS],
        advise: Arc::new(super::entry::nothing_doubtful),
        example: Example::default(),
        demo: demo(),
        policy: None,
        build: Build::Scheme(Arc::new(build)),
    }
}

/// Of the demo.
const DEMO: &str = r#"
[keys.metasv]
store = "files"
entry = "metasv.pem"

[secrets.metasv_token]
store = "files"
entry = "token.jwt"

[routes.metasv]
host = "apiv2.metasv.com"
scheme = "metasv"
keys = { signer = "metasv" }
upstream = "metasv"

[routes.metasv_token]
scheme = "metasv"
secrets = { token = "metasv_token" }
upstream = "metasv_token"
"#;

fn demo() -> Demo {
    let block =
        || (Method::GET, "/block/000000000000000007dded8e2a733c654a006520409cdb0d6cdf642a1328c330");
    let token = (Way::Gateway, "metasv_token");
    Demo {
        tables: DEMO.into(),
        acts: vec![
            Act::taken(
                "MetaSV client signature, through HTTP_PROXY",
                (Way::Forward, "metasv"),
                block(),
                "",
            ),
            Act::taken(
                "MetaSV client signature, through the gateway",
                (Way::Gateway, "metasv"),
                block(),
                "",
            ),
            Act::taken(
                "MetaSV bearer token, through the gateway",
                token,
                (Method::GET, "/xpubs"),
                "",
            ),
            Act::refused(
                "MetaSV, past the proxy: nobody signs",
                (Way::Around, "metasv"),
                block(),
                "",
            ),
        ],
    }
}

const TIMESTAMP: HeaderName = HeaderName::from_static("metasv-timestamp");
const PUBKEY: HeaderName = HeaderName::from_static("metasv-client-pubkey");
const NONCE: HeaderName = HeaderName::from_static("metasv-nonce");
const SIGNATURE: HeaderName = HeaderName::from_static("metasv-signature");
/// As in the provider's documents.
static DOCUMENTED: LazyLock<Names> = LazyLock::new(|| {
    super::entry::texts(&[
        "MetaSV-Timestamp",
        "MetaSV-Client-Pubkey",
        "MetaSV-Nonce",
        "MetaSV-Signature",
    ])
    .into()
});
static OWNED: [HeaderName; 5] = [TIMESTAMP, PUBKEY, NONCE, SIGNATURE, header::AUTHORIZATION];

const SLOT: &str = "signer";

const BOUNDS: Bounds =
    Bounds { path: Binds::Bound, time: Binds::Bound, nonce: Binds::Bound, ..Bounds::NOTHING };

fn build(binding: &Binding) -> Result<Arc<dyn Scheme>, BindError> {
    match (binding.keys.get(SLOT), binding.secrets.get("token")) {
        (Some(key), None) => Ok(Arc::new(ClientSignature::new(key))),
        (None, Some(token)) => Ok(Arc::new(Bearer { token: token.clone() })),
        (Some(_), Some(_)) => Err(BindError {
            field: "secrets.token".into(),
            what: "is bound beside keys.signer, and a route uses one of the two".into(),
            fix: "remove one of them".into(),
        }),
        (None, None) => Err(BindError {
            field: "keys.signer".into(),
            what: "is missing, and so is secrets.token".into(),
            fix: "write keys = { signer = \"…\" }, or secrets = { token = \"…\" }".into(),
        }),
    }
}

fn public_hex(key: &PublicKey) -> String {
    base16ct::lower::encode_string(&key.compressed())
}

/// The four headers made with a registered key.
#[derive(Debug)]
struct ClientSignature {
    /// The compressed point in lower-case hex, as registered.
    public_hex: String,
    permutation: Permutation,
}

impl ClientSignature {
    fn new(key: &PublicKey) -> Self {
        Self { public_hex: public_hex(key), permutation: Permutation::new(&key.compressed()) }
    }

    /// Ten digits, leading zeros kept.
    fn nonce(&self, moment: &Moment) -> String {
        format!("{:010}", moment.nonce.under(&self.permutation))
    }
}

impl Scheme for ClientSignature {
    fn owned_headers(&self) -> &[HeaderName] {
        &OWNED
    }

    fn documented_names(&self) -> Option<&Names> {
        Some(&DOCUMENTED)
    }

    fn bounds(&self) -> &[Bounds] {
        &[BOUNDS]
    }

    fn body_need(&self, _: &Head) -> BodyNeed {
        BodyNeed::Nothing
    }

    fn counting(&self) -> Counting {
        Counting::Once
    }

    fn canonicalise(&self, request: Signable<'_>, moment: &Moment) -> Result<ToSign, SchemeError> {
        let (path, nonce) = (request.head.path(), self.nonce(moment));
        let text = format!("{path}_{}_{nonce}", moment.unix_ms).into_bytes();
        let hashing = Hashing::sha256(&text);
        Ok(vec![Preimage { slot: SLOT.into(), text, hashing, secret: false }].into())
    }

    fn origins(
        &self,
        request: Signable<'_>,
        moment: &Moment,
    ) -> Result<Vec<Vec<Origin>>, SchemeError> {
        Ok(vec![vec![
            Origin::open("path", Provenance::Path, request.head.path()),
            Origin::literal("_"),
            Origin::open("time", Provenance::Clock, moment.unix_ms.to_string()),
            Origin::literal("_"),
            Origin::open("nonce", Provenance::Nonce, self.nonce(moment)),
        ]])
    }

    fn reread(
        &self,
        request: Signable<'_>,
        _: &Moment,
        _: &Signatures,
    ) -> Result<Vec<Reread>, SchemeError> {
        Reread::under(self, request, ("MetaSV-Client-Pubkey", &self.public_hex), shown)
    }

    fn assemble(
        &self,
        _: Signable<'_>,
        moment: &Moment,
        _: Rest,
        signatures: &Signatures,
    ) -> Result<Edits, SchemeError> {
        let signature = STANDARD.encode(signatures.ecdsa_der(SLOT)?);
        Edits::default()
            .set(TIMESTAMP, moment.unix_ms.to_string().as_bytes())?
            .set(PUBKEY, self.public_hex.as_bytes())?
            .set(NONCE, self.nonce(moment).as_bytes())?
            .set(SIGNATURE, signature.as_bytes())
    }

    fn claim(&self, request: Signable<'_>) -> Result<Claim, SchemeError> {
        let head = request.head;
        let bad = |part, what| SchemeError::Claim { part, what };
        let moment = shown(head)?;
        let key = head.single("MetaSV-Client-Pubkey");
        let public_key = key
            .and_then(|hex| base16ct::mixed::decode_vec(hex).ok())
            .and_then(|point| PublicKey::from_point(Algorithm::ECDSA_SECP256K1, &point))
            .ok_or_else(|| {
                bad("MetaSV-Client-Pubkey", "is not a point on secp256k1 in hex, once")
            })?;
        let signature = head.single("MetaSV-Signature");
        let signature = signature
            .and_then(|base64| STANDARD.decode(base64).ok())
            .and_then(|der| Signature::from_der(Algorithm::ECDSA_SECP256K1, &der))
            .ok_or_else(|| {
                bad("MetaSV-Signature", "is not an ECDSA signature in DER and base64, once")
            })?;
        Ok(Claim {
            moment: Some(moment),
            proofs: vec![Proof { slot: SLOT.into(), public_key, signature }],
            signed: None,
        })
    }

    fn evidence(&self, request: Signable<'_>) -> Evidence {
        evidence::evidence(request, SLOT)
    }
}

/// Time stamp and nonce that a request shows.
fn shown(head: &Head) -> Result<Moment, SchemeError> {
    let bad = |part, what| SchemeError::Claim { part, what };
    let unix_ms = head.decimal("MetaSV-Timestamp");
    let unix_ms = unix_ms.ok_or_else(|| {
        bad("MetaSV-Timestamp", "is not there exactly once as decimal milliseconds")
    })?;
    let ten = head.single("MetaSV-Nonce").is_some_and(|nonce| nonce.len() == 10);
    let nonce = head.decimal("MetaSV-Nonce").filter(|_| ten);
    let nonce = nonce
        .ok_or_else(|| bad("MetaSV-Nonce", "is not there exactly once as ten decimal digits"))?;
    Ok(Moment { unix_ms, nonce: Nonce::Given(nonce) })
}

/// `Authorization: Bearer` and the token. Nothing is signed.
#[derive(Debug)]
struct Bearer {
    token: SecretCell,
}

impl Bearer {
    /// Checks the token as it would be sent at this time, in milliseconds. Of one that is no JWT
    /// nothing is known, and the provider is asked.
    fn check(token: &[u8], unix_ms: u64) -> Result<(), CredentialFault> {
        alone(token, RENEW)?;
        let Ok(token) = Jwt::split(token, MAX_TOKEN) else {
            return Ok(());
        };
        let date = |name| {
            let read = token.date(name, Null::Absent);
            read.map_err(|fault| CredentialFault::of_jwt(fault, RENEW))
        };
        in_time(date("exp")?, date("nbf")?, unix_ms, RENEW)
    }

    /// `Bearer ` and a token.
    fn value(token: &Secret) -> Secret {
        Secret::new([b"Bearer ", token.expose()].concat())
    }
}

const RENEW: &str = "store a JWT that the provider has just issued in that entry";

impl Scheme for Bearer {
    fn owned_headers(&self) -> &[HeaderName] {
        &OWNED
    }

    fn bounds(&self) -> &[Bounds] {
        &[]
    }

    fn body_need(&self, _: &Head) -> BodyNeed {
        BodyNeed::Nothing
    }

    fn canonicalise(&self, _: Signable<'_>, _: &Moment) -> Result<ToSign, SchemeError> {
        Ok(ToSign::default())
    }

    fn credential(&self, unix_ms: u64) -> Result<(), SchemeError> {
        Self::check(self.token.current().expose(), unix_ms).map_err(|fault| fault.of("token"))
    }

    fn assemble(
        &self,
        _: Signable<'_>,
        moment: &Moment,
        _: Rest,
        _: &Signatures,
    ) -> Result<Edits, SchemeError> {
        // The very token that is sent is the one that is checked.
        let token = self.token.current();
        Self::check(token.expose(), moment.unix_ms).map_err(|fault| fault.of("token"))?;
        Edits::default().set_secret(header::AUTHORIZATION, &Self::value(&token))
    }

    fn claim(&self, request: Signable<'_>) -> Result<Claim, SchemeError> {
        let mut values = request.head.headers.get_all(header::AUTHORIZATION).iter();
        let (value, second) = (values.next(), values.next());
        let token = self.token.current();
        let expected = Self::value(&token);
        let bearer = alone(token.expose(), RENEW).is_ok()
            && value.is_some_and(|value| {
                verify_slices_are_equal(value.as_bytes(), expected.expose()).is_ok()
            });
        if !bearer || second.is_some() {
            return Err(SchemeError::Claim {
                part: "Authorization",
                what: "is not the configured bearer token, exactly once",
            });
        }
        Ok(Claim { moment: None, proofs: Vec::new(), signed: None })
    }

    fn evidence(&self, request: Signable<'_>) -> Evidence {
        bearer(request.head, self.token.current().expose())
    }
}
