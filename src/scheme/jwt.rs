//! JSON Web Tokens in compact form (RFC 7515 and 7519): taken apart strictly, dated, and held
//! against their issuer's key with RS256 or ES256 (RFC 7518, section 3). Nothing else of JOSE.
//!
//! What is wrong with a token is said in fixed sentences: none contains any of its text.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::cost::Cost;
use crate::keys::{Algorithm, PublicKey, PublicPemFault};

/// A token in its three parts. Nobody has vouched for any of it before [`Self::verify`].
pub(super) struct Jwt<'t> {
    header: Map<String, Value>,
    payload: Map<String, Value>,
    /// The same as it is written.
    payload_text: Vec<u8>,
    /// Header and payload as they are signed: encoded, with the dot between them.
    signed: &'t [u8],
    signature: Vec<u8>,
}

/// What JSON's `null` means for a date.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Null {
    /// The same as no date at all.
    Absent,
    /// Something that is no date.
    Wrong,
}

impl<'t> Jwt<'t> {
    /// Takes a token of at most `most` bytes apart: three parts with dots between them, none
    /// empty, each base64url without padding; header and payload JSON objects in which no name
    /// occurs twice; an `alg` that is not `none`, however that is written.
    pub(super) fn split(text: &'t [u8], most: usize) -> Result<Self, JwtFault> {
        if text.len() > most {
            return Err(JwtFault::Long);
        }
        let parts: Vec<&[u8]> = text.split(|byte| *byte == b'.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(JwtFault::Parts);
        };
        if header.is_empty() || payload.is_empty() || signature.is_empty() {
            return Err(JwtFault::Parts);
        }
        let decode = |part| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtFault::Base64);
        let signed = &text[..header.len() + 1 + payload.len()];
        let signature = decode(signature)?;
        let header = object(&decode(header)?).ok_or(JwtFault::Header)?;
        let payload_text = decode(payload)?;
        let payload = object(&payload_text).ok_or(JwtFault::Payload)?;
        let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
        if algorithm.is_empty() {
            return Err(JwtFault::NoAlgorithm);
        }
        if algorithm.eq_ignore_ascii_case("none") {
            return Err(JwtFault::Unsigned);
        }
        Ok(Self { header, payload, payload_text, signed, signature })
    }

    /// A date of the payload, in seconds since 1970, with fractions; `None` when it has none.
    pub(super) fn date(&self, name: &str, null: Null) -> Result<Option<f64>, JwtFault> {
        match self.payload.get(name) {
            None => Ok(None),
            Some(Value::Null) if null == Null::Absent => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(JwtFault::Date),
        }
    }

    /// A member of the payload.
    pub(super) fn claim(&self, name: &str) -> Option<&Value> {
        self.payload.get(name)
    }

    /// The payload as it is written.
    pub(super) fn payload_text(&self) -> &[u8] {
        &self.payload_text
    }

    /// The signature, which may be anybody's.
    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Checks that the issuer signed this token, with the one algorithm its key is for.
    pub(super) fn verify(&self, key: &IssuerKey) -> Result<(), JwtFault> {
        let verified = key.key.verify_sig(self.signed_as(key.algorithm)?, &self.signature);
        verified.map_err(|_| JwtFault::Signature)
    }

    /// Header and payload as they are signed, where the header says that it is with `algorithm`
    /// (RFC 7518, section 3) and nothing that has to be understood besides.
    pub(super) fn signed_as(&self, algorithm: &str) -> Result<&'t [u8], JwtFault> {
        if self.header.get("alg").and_then(Value::as_str) != Some(algorithm) {
            return Err(JwtFault::OtherAlgorithm);
        }
        // RFC 7515, section 4.1.11: what is critical and not understood makes a token invalid.
        if self.header.contains_key("crit") {
            return Err(JwtFault::Critical);
        }
        Ok(self.signed)
    }
}

/// The public key of a tokens' issuer; its kind says with which algorithm they are signed.
#[derive(Debug)]
pub(super) struct IssuerKey {
    /// The same as everybody else has it.
    pub(super) public: PublicKey,
    key: ParsedPublicKey,
    algorithm: &'static str,
    verifying: Cost,
}

/// Keys that tokens are signed with, and what the algorithm is called there (RFC 7518, section 3).
const KINDS: &[(Algorithm, &dyn VerificationAlgorithm, &str)] = &[
    (Algorithm::ECDSA_P256, &ECDSA_P256_SHA256_FIXED, "ES256"),
    (Algorithm::RSA_PKCS1_SHA256, &RSA_PKCS1_2048_8192_SHA256, "RS256"),
];

impl IssuerKey {
    /// Reads a public key in PEM: RSA of 2048 to 8192 bits (SPKI or PKCS#1), or P-256 (SPKI).
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, IssuerKeyFault> {
        let public = PublicKey::from_pem(pem).map_err(|fault| match fault {
            PublicPemFault::NotPem => IssuerKeyFault::NotPem,
            PublicPemFault::Private => IssuerKeyFault::Private,
            PublicPemFault::Kind => IssuerKeyFault::Kind,
        })?;
        let kind = KINDS.iter().find(|(own, ..)| *own == public.algorithm());
        let (_, kind, algorithm) = *kind.ok_or(IssuerKeyFault::Kind)?;
        let verifying = public.verifying(0);
        let key = ParsedPublicKey::new(kind, public.spki()).map_err(|_| IssuerKeyFault::Kind)?;
        Ok(Self { public, key, algorithm, verifying })
    }
}

impl IssuerKey {
    /// Reads public keys that stand one after the other; there is at least one.
    pub(super) fn all_from_pem(pem: &[u8]) -> Result<Vec<Self>, IssuerKeyFault> {
        let text = str::from_utf8(pem).map_err(|_| IssuerKeyFault::NotPem)?;
        let mut keys = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let end = rest.find("-----END ").ok_or(IssuerKeyFault::NotPem)?;
            let line = rest[end..].find('\n').map_or(rest.len(), |length| end + length);
            keys.push(Self::from_pem(&rest.as_bytes()[..line])?);
            rest = rest[line..].trim_start();
        }
        if keys.is_empty() { Err(IssuerKeyFault::NotPem) } else { Ok(keys) }
    }

    /// What it costs to verify a signature of a token that is hashed already.
    pub(super) fn verifying(&self) -> Cost {
        self.verifying
    }

    /// Whether it signs RS256.
    pub(super) fn is_rsa(&self) -> bool {
        self.algorithm == "RS256"
    }
}

/// Why a file does not hold an issuer's key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum IssuerKeyFault {
    /// It is no public key in PEM.
    NotPem,
    /// It holds the other half.
    Private,
    /// It is a key of another kind or size.
    Kind,
}

impl IssuerKeyFault {
    /// What is wrong, said of the file.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::NotPem => "names a file that is no public key in PEM",
            Self::Private => "names a file with a private key, which has no business here",
            Self::Kind => "names a key that is neither RSA of 2048 bits or more nor P-256",
        }
    }
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum JwtFault {
    /// It is longer than the caller takes.
    Long,
    /// It is not three parts.
    Parts,
    /// A part is not base64url without padding.
    Base64,
    /// The header is not an object with distinct names.
    Header,
    /// The payload is not an object with distinct names.
    Payload,
    /// `alg` is missing or no text.
    NoAlgorithm,
    /// `alg` is `none`.
    Unsigned,
    /// A date is no number.
    Date,
    /// `alg` is not what the issuer's key is for.
    OtherAlgorithm,
    /// The header has `crit`.
    Critical,
    /// The signature is not the issuer's.
    Signature,
}

impl JwtFault {
    /// What is wrong, said of the token.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Long => "is longer than a token may be",
            Self::Parts => "is not a JWT: that is three parts with dots between them",
            Self::Base64 => "is not a JWT: a part is not base64url without padding",
            Self::Header => "is not a JWT: the header is not a JSON object with distinct names",
            Self::Payload => "is not a JWT: the payload is not a JSON object with distinct names",
            Self::NoAlgorithm => "is not a JWT: its header names no alg",
            Self::Unsigned => "is not signed: its alg is none",
            Self::Date => "has an exp or nbf that is not a number of seconds",
            Self::OtherAlgorithm => "is signed with another alg than its issuer's key is for",
            Self::Critical => "has a critical header that is not understood here",
            Self::Signature => "is not signed with its issuer's key",
        }
    }
}

/// A JSON object in which no name occurs twice. Which of two would count is a matter of taste
/// among parsers, and a difference of taste is how checks are evaded.
pub(super) fn object(text: &[u8]) -> Option<Map<String, Value>> {
    let map: Map<String, Value> = serde_json::from_slice(text).ok()?;
    (members(text) == map.len()).then_some(map)
}

/// How many members an object has as it is written. The text is known to be a JSON object: each
/// of its own members has one colon outside of strings, and those of inner values stand deeper.
fn members(text: &[u8]) -> usize {
    let (mut count, mut depth, mut quoted, mut escaped) = (0, 0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b':' if depth == 1 => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    };
    use pkcs8::{Document, LineEnding};
    use proptest::prelude::*;

    use super::*;
    use crate::keys::Algorithm;

    const MOST: usize = 4096;

    fn encode(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    fn unsigned(header: &str, payload: &str) -> String {
        format!("{}.{}.{}", encode(header), encode(payload), encode("signature"))
    }

    fn fault(text: &str) -> Option<JwtFault> {
        Jwt::split(text.as_bytes(), MOST).err()
    }

    fn pem(spki: &[u8]) -> String {
        let document = Document::try_from(spki).unwrap();
        document.to_pem("PUBLIC KEY", LineEnding::LF).unwrap()
    }

    /// A P-256 key as issuers publish it, from an uncompressed point.
    fn p256_pem(point: &[u8]) -> String {
        pem(&PublicKey::from_point(Algorithm::ECDSA_P256, point).unwrap().spki())
    }

    #[test]
    fn only_the_strict_compact_form_is_a_token() {
        let good = unsigned(r#"{"alg":"RS256"}"#, r#"{"exp":1}"#);
        assert_eq!(fault(&good), None);
        let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
            panic!("three parts")
        };
        let long = "A".repeat(MOST + 1);
        for (text, expected) in [
            (String::new(), JwtFault::Parts),
            ("..".into(), JwtFault::Parts),
            (format!("{header}.{payload}"), JwtFault::Parts),
            (format!("{header}.{payload}."), JwtFault::Parts),
            (format!(".{payload}.{signature}"), JwtFault::Parts),
            (format!("{good}.{signature}"), JwtFault::Parts),
            (format!("{good}="), JwtFault::Base64),
            (format!("{good}\n"), JwtFault::Base64),
            (format!("{header}.{payload}.a+/b"), JwtFault::Base64),
            // The last character has bits that mean nothing.
            (format!("{header}.{payload}.AB"), JwtFault::Base64),
            (unsigned("[]", "{}"), JwtFault::Header),
            (unsigned(r#"{"alg":"RS256"} x"#, "{}"), JwtFault::Header),
            (unsigned(r#"{"alg":"RS256","alg":"ES256"}"#, "{}"), JwtFault::Header),
            (unsigned(r#"{"alg":"RS256"}"#, "5"), JwtFault::Payload),
            (unsigned(r#"{"alg":"RS256"}"#, r#"{"exp":1,"\u0065xp":2}"#), JwtFault::Payload),
            (unsigned(r#"{"alg":"RS256"}"#, r#"{"exp":1e999}"#), JwtFault::Payload),
            (unsigned("{}", "{}"), JwtFault::NoAlgorithm),
            (unsigned(r#"{"alg":1}"#, "{}"), JwtFault::NoAlgorithm),
            (unsigned(r#"{"alg":""}"#, "{}"), JwtFault::NoAlgorithm),
            (unsigned(r#"{"alg":"none"}"#, "{}"), JwtFault::Unsigned),
            (unsigned(r#"{"alg":"nOnE"}"#, "{}"), JwtFault::Unsigned),
            (long, JwtFault::Long),
        ] {
            assert_eq!(fault(&text), Some(expected), "{text}");
        }
    }

    #[test]
    fn names_inside_inner_values_are_no_duplicates() {
        for (text, distinct) in [
            (r#"{"a":{"b":1,"b":2},"b":[{"a":1}],"c":":,\"{"}"#, true),
            (r#"{ "a" : "\\" , "b" : ":" }"#, true),
            ("{}", true),
            (r#"{"a":1,"b":2,"a":3}"#, false),
        ] {
            assert_eq!(object(text.as_bytes()).is_some(), distinct, "{text}");
        }
    }

    #[test]
    fn dates_are_numbers() {
        for (payload, expected) in [
            ("{}", Ok(None)),
            (r#"{"exp":1700003600}"#, Ok(Some(1_700_003_600.0))),
            (r#"{"exp":1700003600.25}"#, Ok(Some(1_700_003_600.25))),
            (r#"{"exp":-1}"#, Ok(Some(-1.0))),
            (r#"{"exp":"1700003600"}"#, Err(JwtFault::Date)),
            (r#"{"exp":true}"#, Err(JwtFault::Date)),
            (r#"{"exp":[1]}"#, Err(JwtFault::Date)),
            (r#"{"exp":null}"#, Err(JwtFault::Date)),
        ] {
            let text = unsigned(r#"{"alg":"RS256"}"#, payload);
            let token = Jwt::split(text.as_bytes(), MOST).ok().unwrap();
            assert_eq!(token.date("exp", Null::Wrong), expected, "{payload}");
        }
        let text = unsigned(r#"{"alg":"RS256"}"#, r#"{"exp":null}"#);
        let token = Jwt::split(text.as_bytes(), MOST).ok().unwrap();
        assert_eq!(token.date("exp", Null::Absent), Ok(None));
    }

    #[test]
    fn the_example_of_rfc_7515_is_valid_and_nothing_near_it() {
        // Appendix A.3: ES256.
        let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        let coordinate = |text| URL_SAFE_NO_PAD.decode(text).unwrap();
        let x = coordinate("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
        let y = coordinate("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        let key = IssuerKey::from_pem(p256_pem(&[&[4], &x[..], &y[..]].concat()).as_bytes());
        let key = key.unwrap();
        let verify = |text: &str| Jwt::split(text.as_bytes(), MOST).and_then(|t| t.verify(&key));
        assert_eq!(verify(text), Ok(()));
        for at in [25, text.len() - 80] {
            let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mut changed = text.to_owned();
            changed.replace_range(at..=at, other);
            assert!(verify(&changed).is_err(), "byte {at}");
        }
        // Cut short, and as DER in place of r and s.
        let (signed, _) = text.rsplit_once('.').unwrap();
        assert_eq!(verify(&format!("{signed}.AAAA")), Err(JwtFault::Signature));
    }

    #[test]
    fn a_token_is_verified_with_the_algorithm_of_the_key_alone() {
        let random = SystemRandom::new();
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let rsa_spki = aws_lc_rs::encoding::AsDer::as_der(rsa.public_key());
        let rsa_spki: aws_lc_rs::encoding::PublicKeyX509Der<'_> = rsa_spki.unwrap();
        let rsa_key = IssuerKey::from_pem(pem(rsa_spki.as_ref()).as_bytes()).unwrap();
        let ec_key = IssuerKey::from_pem(p256_pem(ec.public_key().as_ref()).as_bytes()).unwrap();
        let sign = |header: &str, with_rsa: bool| {
            let signed = format!("{}.{}", encode(header), encode("{}"));
            let signature = if with_rsa {
                let mut signature = vec![0; rsa.public_modulus_len()];
                rsa.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            } else {
                ec.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec()
            };
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
        };
        let other = Err(JwtFault::OtherAlgorithm);
        for (header, with_rsa, by_rsa, by_ec) in [
            (r#"{"alg":"RS256"}"#, true, Ok(()), other),
            (r#"{"alg":"ES256"}"#, false, other, Ok(())),
            (r#"{"alg":"RS256"}"#, false, Err(JwtFault::Signature), other),
            (r#"{"alg":"ES256"}"#, true, other, Err(JwtFault::Signature)),
            // A public key taken for a shared secret is an old trick.
            (r#"{"alg":"HS256"}"#, true, other, other),
            (r#"{"alg":"rs256"}"#, true, other, other),
            (r#"{"alg":"RS256","crit":["b64"],"b64":false}"#, true, Err(JwtFault::Critical), other),
        ] {
            let text = sign(header, with_rsa);
            let token = Jwt::split(text.as_bytes(), MOST).ok().unwrap();
            assert_eq!(token.verify(&rsa_key), by_rsa, "{header}");
            assert_eq!(token.verify(&ec_key), by_ec, "{header}");
        }
    }

    #[test]
    fn only_keys_of_issuers_are_issuers_keys() {
        let p256 = crate::keys::PrivateKey::generate(Algorithm::ECDSA_P256);
        let k256 = crate::keys::PrivateKey::generate(Algorithm::ECDSA_SECP256K1);
        let public = pem(&p256.public_key().spki());
        assert!(IssuerKey::from_pem(format!("\n{public}\n").as_bytes()).is_ok());
        assert!(IssuerKey::from_pem(public.replace('\n', "\r\n").as_bytes()).is_ok());
        for (text, expected) in [
            (String::new(), IssuerKeyFault::NotPem),
            (public.replace("PUBLIC KEY", "CERTIFICATE"), IssuerKeyFault::NotPem),
            (p256.to_text().to_string(), IssuerKeyFault::Private),
            (pem(&k256.public_key().spki()), IssuerKeyFault::Kind),
            (SMALL_RSA.into(), IssuerKeyFault::Kind),
        ] {
            assert_eq!(IssuerKey::from_pem(text.as_bytes()).err(), Some(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            (header, payload) in ("\\PC{0,40}", "\\PC{0,40}"),
        ) {
            let _any = Jwt::split(&bytes, MOST).is_ok();
            let _any = IssuerKey::from_pem(&bytes).is_ok();
            let _any = Jwt::split(unsigned(&header, &payload).as_bytes(), MOST).is_ok();
            let _any = (object(&bytes), members(&bytes));
        }
    }

    /// RSA of 1024 bits.
    const SMALL_RSA: &str = "\
        -----BEGIN PUBLIC KEY-----\n\
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDtnjcv90swBHtm8R/NupVSEulI\n\
        t4VC0KdFIrvnzwEc1iUXUhZluw7vq2QyNig6eK2y7xH2Bvk+V1F+nPU0UiKy098t\n\
        9EMgv9uvxwEpLnH+nDtULSdVaslQXOAQASbGy8jv4UXCNwYw9HxaRKaebwBzDL0B\n\
        GRxFfrk6FUdOXk5GewIDAQAB\n\
        -----END PUBLIC KEY-----\n\
    ";
}
