//! Tokens of both directions: opened with the other side's keys, sealed with one's own.

use std::ops::Add as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::super::json::{self, Object, Splice};
use super::super::jwt::{IssuerKey, Jwt, JwtFault, Null};
use super::super::{BindError, Binding, Caller, Preimage, SchemeError, Signatures};
use super::{SLOT, payload, span};
use crate::cost::Cost;
use crate::keys::{Hashing, PublicKey};
use crate::moment::Moment;

/// How tokens are opened and sealed on a route.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Who may have sealed a token that comes in: one now and one that takes its place.
    issuers: Vec<IssuerKey>,
    /// `iss` of tokens that go out.
    issuer: String,
    lifetime: Duration,
    leeway: Duration,
    /// How far ahead an `exp` may lie, where that matters.
    horizon: Option<Duration>,
    /// The `iss` that tokens must have that come in; any without one.
    of: Option<String>,
    layout: Layout,
}

/// Where the JSON stands among the claims.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Layout {
    /// In base64 in the claim `package_data`, as every official server has it.
    PackageData,
    /// It is the claims, as a description of the protocol has it.
    Flat,
}

impl Tokens {
    /// Reads the parameters that both schemes have.
    pub(super) fn bind(binding: &Binding) -> Result<Self, BindError> {
        let seconds = Duration::from_secs;
        let layout = match binding.param("payload") {
            "package_data" => Layout::PackageData,
            "flat" => Layout::Flat,
            other => return Err(payload().refused(other)),
        };
        Ok(Self {
            issuers: issuers(binding)?,
            issuer: binding.param("issuer").to_owned(),
            lifetime: span(binding, "lifetime", seconds(1), seconds(600))?,
            leeway: span(binding, "leeway", Duration::ZERO, seconds(60))?,
            horizon: None,
            of: None,
            layout,
        })
    }

    /// Reads the parameters of who answers nodes.
    pub(super) fn of_nodes(self, binding: &Binding) -> Result<Self, BindError> {
        let (shortest, longest) = (Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));
        let horizon = Some(span(binding, "horizon", shortest, longest)?);
        let of = Some(binding.param("node_issuer").to_owned()).filter(|issuer| !issuer.is_empty());
        Ok(Self { horizon, of, ..self })
    }

    /// Whose tokens are believed.
    pub(super) fn callers(&self) -> Vec<Caller> {
        let caller =
            |key: &IssuerKey| Caller { key: key.public.fingerprint(), issuer: self.of.clone() };
        self.issuers.iter().map(caller).collect()
    }

    /// How long a token that is believed now may be believed again, at most.
    pub(super) fn longest(&self) -> Duration {
        self.horizon.unwrap_or_default() + 2 * self.leeway
    }

    /// The JSON text of a token that one of the issuers signed and whose time it is.
    ///
    /// # Errors
    ///
    /// [`SchemeError::Token`] for a token that nobody has to believe; [`SchemeError::Package`]
    /// for one with something else inside.
    pub(super) fn open(&self, token: &str, moment: &Moment) -> Result<Vec<u8>, SchemeError> {
        let token = Jwt::split(token.as_bytes(), usize::MAX)?;
        self.verify(&token)?;
        self.check_issuer(&token)?;
        self.check_times(&token, moment)?;
        self.package(&token)
    }

    /// What the signatures of a token cost, if it is the last issuer's or nobody's.
    pub(super) fn verifying(&self) -> Cost {
        self.issuers.iter().map(IssuerKey::verifying).fold(Cost::NOTHING, Cost::add)
    }

    /// The same without an opinion on the time.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub(super) fn believe(&self, token: &str) -> Result<Vec<u8>, SchemeError> {
        let token = Jwt::split(token.as_bytes(), usize::MAX)?;
        self.verify(&token)?;
        self.check_issuer(&token)?;
        self.package(&token)
    }

    /// Who may have sealed a token that comes in.
    pub(super) fn issuers(&self) -> Vec<PublicKey> {
        self.issuers.iter().map(|issuer| issuer.public.clone()).collect()
    }

    /// Whether the claims are the JSON.
    pub(super) fn is_flat(&self) -> bool {
        self.layout == Layout::Flat
    }

    /// The `iss` that tokens must have, where one is asked for.
    pub(super) fn of(&self) -> Option<&str> {
        self.of.as_deref()
    }

    /// How far ahead an `exp` may be, where that is limited.
    pub(super) fn horizon_ms(&self) -> Option<i128> {
        i128::try_from(self.horizon?.as_millis()).ok()
    }

    /// How far clocks may be apart.
    pub(super) fn leeway_ms(&self) -> i128 {
        i128::try_from(self.leeway.as_millis()).unwrap_or_default()
    }

    /// The JSON text of a token, whoever signed it.
    pub(super) fn package(&self, token: &Jwt<'_>) -> Result<Vec<u8>, SchemeError> {
        let bad = |what| Err(SchemeError::Package { what, id: None });
        match (self.layout, token.claim("package_data")) {
            (Layout::Flat, _) => Ok(token.payload_text().to_vec()),
            (Layout::PackageData, Some(Value::String(package))) => match STANDARD.decode(package) {
                Ok(package) => Ok(package),
                Err(_) => bad("has a package_data that is not standard base64 with padding"),
            },
            (Layout::PackageData, _) => bad("has no package_data that is a string"),
        }
    }

    fn verify(&self, token: &Jwt<'_>) -> Result<(), JwtFault> {
        let mut fault = JwtFault::Signature;
        for issuer in &self.issuers {
            match token.verify(issuer) {
                Ok(()) => return Ok(()),
                Err(why) => fault = why,
            }
        }
        Err(fault)
    }

    fn check_issuer(&self, token: &Jwt<'_>) -> Result<(), SchemeError> {
        let Some(of) = &self.of else { return Ok(()) };
        match token.claim("iss") {
            Some(Value::String(found)) if found == of => Ok(()),
            _ => Err(SchemeError::Token(
                "has another iss than params.node_issuer: it is for another route",
            )),
        }
    }

    fn check_times(&self, token: &Jwt<'_>, moment: &Moment) -> Result<(), SchemeError> {
        let (expiry, beginning) =
            (token.date("exp", Null::Absent)?, token.date("nbf", Null::Absent)?);
        // Milliseconds are exact in 53 bits for another quarter of a million years.
        let (now, leeway) = (moment.unix_ms as f64 / 1000.0, self.leeway.as_secs_f64());
        let Some(expiry) = expiry else {
            return Err(SchemeError::Token("has no exp, so it would be good for ever"));
        };
        if expiry <= now - leeway {
            return Err(SchemeError::Token("has expired"));
        }
        if self.horizon.is_some_and(|most| expiry > now + leeway + most.as_secs_f64()) {
            return Err(SchemeError::Token(
                "has an exp too far ahead: lower token_expire_minutes, or raise params.horizon",
            ));
        }
        if beginning.is_some_and(|beginning| beginning > now + leeway) {
            return Err(SchemeError::Token("is not valid yet (nbf)"));
        }
        Ok(())
    }

    /// The text that is signed to seal `package`, a JSON object.
    pub(super) fn preimage(&self, package: &str, moment: &Moment) -> Result<Preimage, SchemeError> {
        Ok(preimage(self.unsigned(package, moment)?.into_bytes()))
    }

    /// The token with `package` in it.
    pub(super) fn seal(
        &self,
        package: &str,
        moment: &Moment,
        signatures: &Signatures,
    ) -> Result<String, SchemeError> {
        let unsigned = self.unsigned(package, moment)?;
        Ok(format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signatures.octets(SLOT)?)))
    }

    /// When a token was sealed, had it been sealed here; in milliseconds.
    pub(super) fn sealed_ms(&self, token: &Jwt<'_>) -> Option<u64> {
        let expiry = token.date("exp", Null::Wrong).ok()??;
        // A number with a fraction is one too (RFC 7519, section 2); what is no time ends as none.
        let expiry = if expiry >= 0.0 { expiry as u64 } else { return None };
        expiry.checked_sub(self.lifetime.as_secs())?.checked_mul(1000)
    }

    /// Header and payload, encoded.
    fn unsigned(&self, package: &str, moment: &Moment) -> Result<String, SchemeError> {
        let expiry = (moment.unix_ms / 1000 + self.lifetime.as_secs()).to_string();
        let mut issuer = String::new();
        json::quote(&self.issuer, &mut issuer);
        let payload = match self.layout {
            Layout::PackageData => {
                let package = STANDARD.encode(package);
                format!(r#"{{"package_data":"{package}","exp":{expiry},"iss":{issuer}}}"#)
            }
            Layout::Flat => {
                let object = Object::whole(package)
                    .map_err(|_| SchemeError::Broken("what is sealed is a JSON object"))?;
                let mut claims = Splice::default();
                claims.set(&object, "exp", &expiry);
                claims.set(&object, "iss", &issuer);
                claims.apply(package)
            }
        };
        Ok(format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(payload)))
    }
}

/// What is signed of a token, with how it is hashed.
pub(super) fn preimage(text: Vec<u8>) -> Preimage {
    let hashing = Hashing::sha256(&text);
    Preimage { slot: SLOT.into(), text, hashing, secret: false }
}

/// Nobody is asked for another algorithm, so the header is always this.
const HEADER: &str = r#"{"alg":"RS256","typ":"JWT"}"#;

/// The keys in the files of `verify_with`, RSA all of them.
fn issuers(binding: &Binding) -> Result<Vec<IssuerKey>, BindError> {
    let refused = |what: String| BindError {
        field: "params.verify_with".into(),
        what,
        fix: "name the other side's RSA public key, of 2048 bits or more, in PEM: openssl pkey \
              -in KEY -pubout"
            .into(),
    };
    let pem = binding.files.get("verify_with").map_or(&[][..], Vec::as_slice);
    let keys = IssuerKey::all_from_pem(pem).map_err(|fault| refused(fault.what().into()))?;
    match keys.iter().all(IssuerKey::is_rsa) {
        true => Ok(keys),
        false => Err(refused("names a key that is not RSA, and tokens are signed RS256".into())),
    }
}

impl From<JwtFault> for SchemeError {
    fn from(fault: JwtFault) -> Self {
        Self::Token(fault.what())
    }
}
