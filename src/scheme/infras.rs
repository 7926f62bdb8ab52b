//! Infras: the handshake of a WebSocket on which a multi-party signature is made. Nothing is
//! signed here; a token and a request, both in headers, open the session.
//!
//! The documented form is two headers, a JWT and a JSON object. The public client of later
//! versions sends one header, with an opaque token among the object's members; `token_member`
//! and `token = "opaque"` are for that. What the token says of time is checked when it is put
//! in, so that a handshake that must fail is refused here and the provider is not asked.

pub(super) mod evidence;

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::{HeaderName, Method, header};
use serde_json::{Map, Value};

use super::credential::{CredentialFault, MAX_TOKEN, alone, in_time};
use super::jwt::{IssuerKey, Jwt, Null, object};
use super::{
    Act, BindError, Binding, BodyNeed, Bounds, Build, Claim, Demo, Edits, Entry, Evidence, Example,
    Head, ParamDoc, ParamKind, Rejections, Rest, Scheme, SchemeError, SecretSlot, Signable,
    Signatures, ToSign, Way,
};
use crate::moment::Moment;
use crate::secret::{Secret, SecretCell};

pub(super) fn entry() -> Entry {
    Entry {
    name: "infras".into(),
    summary: "A token and a request in the headers of a WebSocket handshake; nothing is signed".into(),
    host: "api.infras.online".into(),
    protocol: "ws",
    keys: vec![],
    secrets: vec![SecretSlot {
        name: SLOT.into(),
        required: true,
        file: "infras.jwt".into(),
        doc: "The ID token, a JWT without \"Bearer \". Its entry should be watched: it is renewed by a new login.".into(),
    }],
    params: vec![
        ParamDoc::one_of("signtype", "gg20", SIGN_TYPES, "The protocol of the signature."),
        ParamDoc {
            required: true,
            ..ParamDoc::text("src", "", "This party's id, as it stands in its key share.")
        },
        ParamDoc::text("token_header", TOKEN_HEADER, "The header with the token."),
        ParamDoc::text("request_header", "Infras-Mpc-Request", "The header with the request."),
        ParamDoc::text("extra", "", "More members of the request: a JSON object of strings."),
        ParamDoc::text(
            "token_member",
            "",
            "The member of the request that carries the token, in place of a header.",
        ),
        ParamDoc::one_of("token", "jwt", &["jwt", "opaque"], "What the token is; of an opaque one nothing can be checked."),
        ParamDoc {
            kind: ParamKind::File,
            ..ParamDoc::text(
                "verify_with",
                "",
                "The issuer's public key in PEM, RSA or P-256; tokens it did not sign are not sent.",
            )
        },
    ],
    public_form: None,
    refusal: None,
    rejections: Rejections::default(),
    notes: Vec::new(),
    binds: Vec::new(),
    advise: Arc::new(super::entry::nothing_doubtful),
    example: Example::default(),
    demo: demo(),
    policy: None,
    build: Build::Scheme(Arc::new(build)),
}
}

/// Of the demo.
const DEMO: &str = r#"
[secrets.infras]
store = "files"
entry = "infras.jwt"
watch = true

[secrets.infras_expired]
store = "files"
entry = "infras-expired.jwt"

[routes.infras]
host = "api.infras.online"
scheme = "infras"
secrets = { token = "infras" }
params = { src = "co_signer0" }
upstream = "infras"

[routes.infras_expired]
scheme = "infras"
secrets = { token = "infras_expired" }
params = { src = "co_signer0" }
upstream = "infras_expired"
"#;

fn demo() -> Demo {
    let sign = || (Method::GET, "/mpc/sign");
    Demo {
        tables: DEMO.into(),
        acts: vec![
            Act::taken(
                "Infras WebSocket, through the gateway",
                (Way::Socket, "infras"),
                sign(),
                "the first round",
            ),
            Act::refused(
                "Infras WebSocket with a token of yesterday: the provider is not asked",
                (Way::Socket, "infras_expired"),
                sign(),
                "the first round",
            ),
        ],
    }
}

const SLOT: &str = "token";
const SIGN_TYPES: &[&str] = &["gg18", "gg20", "cmp"];
const TOKEN_HEADER: &str = "Sec-WebSocket-Infras-Token";

#[derive(Debug)]
struct Infras {
    token: SecretCell,
    form: Form,
    /// The members of the request but for the token.
    members: Map<String, Value>,
    /// The same as it is sent, without the closing brace.
    request: String,
    /// The member that carries the token, where no header does.
    token_member: Option<String>,
    /// The header of the request, then that of the token. Both are the proxy's also where one
    /// of them is not sent.
    headers: [HeaderName; 2],
}

/// What is known of the token.
#[derive(Debug)]
enum Form {
    /// It is a JWT; with the issuer's key, its signature is looked at.
    Jwt(Option<IssuerKey>),
    /// It is visible ASCII.
    Opaque,
}

fn build(binding: &Binding) -> Result<Arc<dyn Scheme>, BindError> {
    let Some(token) = binding.secrets.get(SLOT) else {
        let fix = "write secrets = { token = \"…\" }";
        return Err(refused("secrets.token", "is missing", fix));
    };
    let token_member = Some(binding.param("token_member")).filter(|name| !name.is_empty());
    let members = members(binding, token_member)?;
    let mut request = ascii(&Value::Object(members.clone()).to_string());
    request.pop();
    let scheme = Infras {
        token: token.clone(),
        form: form(binding)?,
        members,
        request,
        token_member: token_member.map(str::to_owned),
        headers: headers(binding, token_member.is_some())?,
    };
    Ok(Arc::new(scheme))
}

/// The members of the request, in the order they are sent.
fn members(binding: &Binding, token: Option<&str>) -> Result<Map<String, Value>, BindError> {
    let (sign_type, src) = (binding.param("signtype"), binding.param("src"));
    if !SIGN_TYPES.contains(&sign_type) {
        return Err(entry().param("signtype").refused(sign_type));
    }
    if src.is_empty() {
        let fix =
            "write params = { src = \"…\" } with the id that stands in this party's key share";
        return Err(refused("params.src", "is empty", fix));
    }
    let own = [("signtype", sign_type), ("src", src)];
    let mut members: Map<String, Value> =
        own.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    if token.is_some_and(|token| members.contains_key(token)) {
        let what = "names a member that the request has already";
        return Err(refused("params.token_member", what, "name another, such as \"token\""));
    }
    let extra = binding.param("extra");
    if extra.is_empty() {
        return Ok(members);
    }
    let strings = object(extra.as_bytes()).filter(|extra| extra.values().all(Value::is_string));
    let Some(extra) = strings else {
        let what = "is not a JSON object of strings with distinct names";
        return Err(refused("params.extra", what, r#"write extra = '{"name":"value"}'"#));
    };
    for (name, value) in extra {
        if token == Some(&name) || members.insert(name, value).is_some() {
            let what = "repeats a member that the request has already";
            let fix = "leave signtype, src and the token out of it; they have params of their own";
            return Err(refused("params.extra", what, fix));
        }
    }
    Ok(members)
}

fn form(binding: &Binding) -> Result<Form, BindError> {
    let key = binding.files.get("verify_with");
    match (binding.param("token"), key) {
        ("jwt", None) => Ok(Form::Jwt(None)),
        ("jwt", Some(pem)) => match IssuerKey::from_pem(pem) {
            Ok(key) => Ok(Form::Jwt(Some(key))),
            Err(fault) => {
                let fix = "name the issuer's public key: openssl pkey -in KEY -pubout, or openssl \
                           x509 -in CERTIFICATE -noout -pubkey";
                Err(refused("params.verify_with", fault.what(), fix))
            }
        },
        ("opaque", None) => Ok(Form::Opaque),
        ("opaque", Some(_)) => {
            let what = "is set, and an opaque token has no signature to look at";
            Err(refused("params.verify_with", what, "remove it, or write token = \"jwt\""))
        }
        (other, _) => Err(entry().param("token").refused(other)),
    }
}

/// The header of the request and that of the token.
fn headers(binding: &Binding, in_member: bool) -> Result<[HeaderName; 2], BindError> {
    let name = |param: &str| {
        let field = format!("params.{param}");
        let parsed = HeaderName::from_bytes(binding.param(param).as_bytes());
        let name = parsed.map_err(|_| {
            refused(&field, "is not the name of a header", "use letters, digits and -")
        })?;
        if TAKEN.contains(&name) || TAKEN_BY_WEBSOCKET.contains(&name.as_str()) {
            let what = "names a header that the handshake needs for itself";
            return Err(refused(&field, what, "name another header"));
        }
        Ok(name)
    };
    let (request, token) = (name("request_header")?, name("token_header")?);
    if request == token {
        let what = "names the header of the token too";
        return Err(refused("params.request_header", what, "give each a header of its own"));
    }
    if in_member && !token.as_str().eq_ignore_ascii_case(TOKEN_HEADER) {
        let what = "is set beside token_member, and the token is sent once";
        return Err(refused("params.token_header", what, "remove one of the two"));
    }
    Ok([request, token])
}

/// Headers with a meaning of their own on the way.
static TAKEN: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
const TAKEN_BY_WEBSOCKET: [&str; 8] = [
    "countersign-token",
    "keep-alive",
    "proxy-connection",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
];

fn refused(field: &str, what: &str, fix: &str) -> BindError {
    BindError { field: field.into(), what: what.into(), fix: fix.into() }
}

/// JSON in visible ASCII. Other characters stand inside its strings alone, where an escape means
/// the same; serde_json itself escapes those below the space.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            text.push(character);
            continue;
        }
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            text.push_str(&format!("\\u{unit:04x}"));
        }
    }
    text
}

const LOG_IN: &str = "put the ID token of a new login into that entry";

impl Infras {
    /// Checks the token as it would be sent at this time, in milliseconds.
    fn check(&self, token: &[u8], unix_ms: u64) -> Result<(), CredentialFault> {
        alone(token, LOG_IN)?;
        let Form::Jwt(key) = &self.form else {
            return Ok(());
        };
        let no_jwt = |fault| CredentialFault::of_jwt(fault, LOG_IN);
        let token = Jwt::split(token, MAX_TOKEN).map_err(no_jwt)?;
        if let Some(key) = key {
            token.verify(key).map_err(no_jwt)?;
        }
        let expiry = token.date("exp", Null::Wrong).map_err(no_jwt)?;
        if expiry.is_none() {
            let what = "has no exp, so nobody can tell how long it is good for";
            return Err(CredentialFault::lasting(what, LOG_IN));
        }
        let beginning = token.date("nbf", Null::Wrong).map_err(no_jwt)?;
        in_time(expiry, beginning, unix_ms, LOG_IN)
    }

    /// The request with the token among its members.
    fn request_with(&self, member: &str, token: &[u8]) -> Secret {
        let name = ascii(&Value::from(member).to_string());
        // All of it from the start: a buffer that grows leaves copies behind.
        let mut text = Vec::with_capacity(self.request.len() + name.len() + 2 * token.len() + 8);
        text.extend_from_slice(self.request.as_bytes());
        text.extend_from_slice(b",");
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b":\"");
        for byte in token {
            if matches!(byte, b'"' | b'\\') {
                text.push(b'\\');
            }
            text.push(*byte);
        }
        text.extend_from_slice(b"\"}");
        Secret::new(text)
    }

    /// The token of a request, where all else of it is as it should be.
    fn token_of(&self, head: &Head) -> Result<Vec<u8>, SchemeError> {
        let [request, token] = &self.headers;
        let other = SchemeError::Claim {
            part: "the header of the request",
            what: "is not the configured request, exactly once",
        };
        let found = head.single(request.as_str()).and_then(|text| object(text.as_bytes()));
        let Some(mut found) = found else {
            return Err(other);
        };
        let inside = self.token_member.as_ref().and_then(|member| found.shift_remove(member));
        if found != self.members {
            return Err(other);
        }
        let text = match (&self.token_member, &inside) {
            (Some(_), inside) => inside.as_ref().and_then(Value::as_str),
            (None, _) => head.single(token.as_str()),
        };
        text.map(|text| text.as_bytes().to_vec()).ok_or(NO_TOKEN)
    }
}

const NO_TOKEN: SchemeError = SchemeError::Claim {
    part: "the header of the token",
    what: "is not the configured token, exactly once",
};

impl Scheme for Infras {
    fn owned_headers(&self) -> &[HeaderName] {
        &self.headers
    }

    fn bounds(&self) -> &[Bounds] {
        &[]
    }

    fn body_need(&self, _: &Head) -> BodyNeed {
        BodyNeed::Nothing
    }

    fn credential(&self, unix_ms: u64) -> Result<(), SchemeError> {
        self.check(self.token.current().expose(), unix_ms).map_err(|fault| fault.of(SLOT))
    }

    fn expires_s(&self) -> Option<i64> {
        let Form::Jwt(_) = &self.form else { return None };
        let token = self.token.current();
        let token = Jwt::split(token.expose(), MAX_TOKEN).ok()?;
        Some(token.date("exp", Null::Wrong).ok()?? as i64)
    }

    fn wants_upgrade(&self) -> bool {
        true
    }

    fn canonicalise(&self, _: Signable<'_>, _: &Moment) -> Result<ToSign, SchemeError> {
        Ok(ToSign::default())
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
        self.check(token.expose(), moment.unix_ms).map_err(|fault| fault.of(SLOT))?;
        let [request_header, token_header] = self.headers.clone();
        match &self.token_member {
            Some(member) => {
                let request = self.request_with(member, token.expose());
                Edits::default().set_secret(request_header, &request)
            }
            None => Edits::default()
                .set_secret(token_header, &token)?
                .set(request_header, format!("{}}}", self.request).as_bytes()),
        }
    }

    fn claim(&self, request: Signable<'_>) -> Result<Claim, SchemeError> {
        let token = Secret::new(self.token_of(request.head)?);
        verify_slices_are_equal(token.expose(), self.token.current().expose())
            .map_err(|_| NO_TOKEN)?;
        // The handshake says nothing of time.
        Ok(Claim { moment: None, proofs: Vec::new(), signed: None })
    }

    fn evidence(&self, request: Signable<'_>) -> Evidence {
        let token = self.token.current();
        let own = evidence::Own {
            members: &self.members,
            token_member: self.token_member.as_deref(),
            headers: &self.headers,
            token: token.expose(),
        };
        evidence::evidence(request, &own)
    }
}
