//! A stand-in for Vault's Transit engine, written from Vault's public API documentation ("Transit
//! secrets engine", "Token", "AppRole" and "Kubernetes auth method"). It is strict: what the
//! documentation does not know is answered 400, and what has no good token 403.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _, LineEnding};
use serde_json::{Value, json};

use crate::support::origin::{Answer, Origin};
use crate::support::vectors::{load, text};
use crate::support::verify::Arrived;

/// A running stand-in.
pub(super) struct Transit {
    address: SocketAddr,
    origin: Mutex<Option<Origin>>,
    state: Arc<State>,
}

/// What it knows.
pub(super) struct State {
    /// Tokens, and until when they are good.
    tokens: Mutex<BTreeMap<String, Instant>>,
    /// How long a login lasts, and a renewal.
    lease: Duration,
    /// Every path, in the order of asking, with the status of the answer.
    asked: Mutex<Vec<(String, u16)>>,
    /// What is answered in place of signatures.
    odd: Mutex<Option<Answer>>,
    keys: BTreeMap<&'static str, Key>,
}

enum Key {
    P256(SigningKey),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
    Hmac,
    /// One that only encrypts.
    Aes,
}

impl Transit {
    /// A token that does not end.
    pub(super) const ROOT: &str = "hvs.CAESIJlWh0dD6sZq5t3rootrootroot";
    pub(super) const HMAC_KEY: &[u8] = b"a-secret-of-an-exchange";
    pub(super) const NAMESPACE: &str = "trading/eu";

    pub(super) fn start() -> Self {
        Self::with_lease(Duration::from_secs(3600))
    }

    /// With tokens of logins that last so long, in whole seconds.
    pub(super) fn with_lease(lease: Duration) -> Self {
        let number = text(&load("sinohope"), "/keys/test-p256/pkcs8_der_hex").to_owned();
        let der = base16ct::lower::decode_vec(number).expect("the vectors are lower-case hex");
        let p256 = SigningKey::from_pkcs8_der(&der).expect("it is a key");
        let ed25519 = Ed25519KeyPair::generate().expect("a key can be made");
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
        let keys = [
            ("p256", Key::P256(p256)),
            ("ed25519", Key::Ed25519(ed25519)),
            ("rsa", Key::Rsa(rsa)),
            ("hmac", Key::Hmac),
            ("aes", Key::Aes),
        ];
        let state = State {
            tokens: Mutex::default(),
            lease,
            asked: Mutex::default(),
            odd: Mutex::default(),
            keys: keys.into(),
        };
        let state = Arc::new(state);
        let any = "127.0.0.1:0".parse().expect("an address");
        let origin = serve(any, &state);
        let address = origin.url().trim_start_matches("http://").parse().expect("an address");
        Self { address, origin: Mutex::new(Some(origin)), state }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it again at its address, or ends it.
    pub(super) fn run(&self, run: bool) {
        let mut origin = locked(&self.origin);
        drop(origin.take());
        *origin = run.then(|| serve(self.address, &self.state));
    }

    /// How often a path was answered with this status.
    pub(super) fn count(&self, path: &str, status: u16) -> usize {
        let asked = locked(&self.state.asked);
        asked.iter().filter(|(own, code)| own.ends_with(path) && *code == status).count()
    }

    /// The namespaces that requests were for, each once.
    pub(super) fn namespaces(&self) -> BTreeSet<Option<String>> {
        let origin = locked(&self.origin);
        let arrived = origin.as_ref().map(Origin::arrived).unwrap_or_default();
        let of = |request: &Arrived| request.once("X-Vault-Namespace").ok().map(str::to_owned);
        arrived.iter().map(of).collect()
    }

    /// A key's public half, as the engine describes it.
    pub(super) fn public(&self, name: &str) -> String {
        let described = self.state.described(name).expect("it is there");
        described["data"]["keys"]["1"]["public_key"].as_str().unwrap_or_default().to_owned()
    }

    /// How many signatures were asked for.
    pub(super) fn signatures(&self) -> usize {
        let made = |path: &str| path.contains("/sign/") || path.contains("/hmac/");
        locked(&self.state.asked).iter().filter(|(path, _)| made(path)).count()
    }

    /// Answers this in place of every signature, or signs again.
    pub(super) fn odd(&self, answer: Option<Answer>) {
        *locked(&self.state.odd) = answer;
    }

    /// Takes every token of a login back.
    pub(super) fn revoke(&self) {
        locked(&self.state.tokens).clear();
    }
}

fn serve(address: SocketAddr, state: &Arc<State>) -> Origin {
    let state = Arc::clone(state);
    Origin::start_at(
        address,
        Box::new(move |request| {
            let answer = state
                .answer(request)
                .unwrap_or_else(|(status, why)| Answer::json(status, &json!({ "errors": [why] })));
            let status = if let Answer::Whole { status, .. } = &answer { *status } else { 0 };
            locked(&state.asked).push((request.target.clone(), status));
            answer
        }),
    )
}

type Refused = (u16, String);

fn refused<T>(status: u16, why: &str) -> Result<T, Refused> {
    Err((status, why.to_owned()))
}

impl State {
    fn answer(&self, request: &Arrived) -> Result<Answer, Refused> {
        if request.once("X-Vault-Request") != Ok("true") {
            return refused(412, "no X-Vault-Request");
        }
        let path = request.target.strip_prefix("/v1/").unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let said = match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["auth", "approle", "login"]) => {
                let good = json!({ "role_id": "role-1", "secret_id": "s3cret-id" });
                self.logged_in(body == good)?
            }
            ("POST", ["auth", "cluster", "login"]) => {
                self.logged_in(body == json!({ "role": "countersign", "jwt": "eyJ.a.b" }))?
            }
            ("GET", ["auth", "token", "lookup-self"]) => {
                let left = self.left(request)?;
                json!({ "data": { "ttl": left.as_secs(), "renewable": !left.is_zero() } })
            }
            ("POST", ["auth", "token", "renew-self"]) => {
                self.left(request)?;
                let token = request.once("X-Vault-Token").unwrap_or_default();
                self.granted(token)
            }
            ("GET", ["transit", "keys", name]) => {
                self.left(request)?;
                self.described(name)?
            }
            ("POST", ["transit", how @ ("sign" | "hmac"), name, hash @ ..]) => {
                self.left(request)?;
                if let Some(odd) = locked(&self.odd).clone() {
                    return Ok(odd);
                }
                self.made(how, name, hash, &body)?
            }
            _ => return refused(404, "no handler for route"),
        };
        Ok(Answer::json(200, &said))
    }

    fn logged_in(&self, good: bool) -> Result<Value, Refused> {
        if !good {
            return refused(400, "invalid role or secret ID");
        }
        let token = format!("hvs.login-{:020}", locked(&self.asked).len());
        Ok(self.granted(&token))
    }

    fn granted(&self, token: &str) -> Value {
        locked(&self.tokens).insert(token.to_owned(), Instant::now() + self.lease);
        json!({ "auth": {
            "client_token": token, "lease_duration": self.lease.as_secs(), "renewable": true,
        } })
    }

    /// How long a request's token is good; zero where it does not end.
    fn left(&self, request: &Arrived) -> Result<Duration, Refused> {
        let spaces = request.values("X-Vault-Namespace");
        if !spaces.is_empty() && spaces != [Transit::NAMESPACE] {
            return refused(404, "no such namespace");
        }
        let token = request.once("X-Vault-Token").unwrap_or_default();
        if token == Transit::ROOT {
            return Ok(Duration::ZERO);
        }
        let until = locked(&self.tokens).get(token).copied();
        let left = until.and_then(|until| until.checked_duration_since(Instant::now()));
        left.ok_or_else(|| (403, "permission denied".into()))
    }

    fn described(&self, name: &str) -> Result<Value, Refused> {
        let Some(key) = self.keys.get(name) else { return refused(404, "") };
        let pem = |der: &[u8]| {
            pkcs8::Document::try_from(der)
                .and_then(|der| der.to_pem("PUBLIC KEY", LineEnding::LF))
                .expect("DER has a form in PEM")
        };
        let (kind, public) = match key {
            Key::P256(key) => {
                let der = key.verifying_key().to_public_key_der().expect("it has an encoding");
                ("ecdsa-p256", pem(der.as_bytes()))
            }
            Key::Ed25519(key) => ("ed25519", STANDARD.encode(key.public_key().as_ref())),
            Key::Rsa(key) => {
                let der: PublicKeyX509Der<'_> = key.public_key().as_der().expect("it has one");
                ("rsa-2048", pem(der.as_ref()))
            }
            Key::Hmac => ("hmac", String::new()),
            Key::Aes => ("aes256-gcm96", String::new()),
        };
        let version = match key {
            Key::Hmac | Key::Aes => json!(1_442_851_412),
            Key::P256(_) | Key::Ed25519(_) | Key::Rsa(_) => {
                json!({ "creation_time": "2026-01-01T00:00:00Z", "public_key": public })
            }
        };
        Ok(json!({ "data": {
            "type": kind, "name": name, "derived": false, "exportable": false,
            "latest_version": 1, "min_available_version": 0, "keys": { "1": version },
        } }))
    }

    fn made(&self, how: &str, name: &str, hash: &[&str], body: &Value) -> Result<Value, Refused> {
        let Some(key) = self.keys.get(name) else {
            return refused(400, "encryption key not found");
        };
        let known = [
            "input",
            "key_version",
            "prehashed",
            "marshaling_algorithm",
            "signature_algorithm",
            "salt_length",
        ];
        let members = body.as_object().ok_or_else(|| (400, "no JSON".to_owned()))?;
        if let Some(odd) = members.keys().find(|member| !known.contains(&member.as_str())) {
            return refused(400, odd);
        }
        if body["key_version"] != 1 {
            return refused(400, "no such version");
        }
        let input = STANDARD.decode(body["input"].as_str().unwrap_or_default());
        let input = input.map_err(|_| (400, "input is no base64".to_owned()))?;
        let asks = (how, hash, body["prehashed"] == true);
        let bytes = match (key, asks) {
            (Key::P256(key), ("sign", ["sha2-256"], true))
                if input.len() == 32 && body["marshaling_algorithm"] == "asn1" =>
            {
                let made: Signature = key.sign_prehash(&input).expect("it signs");
                made.to_der().as_bytes().to_vec()
            }
            (Key::Ed25519(key), ("sign", [], false)) => key.sign(&input).as_ref().to_vec(),
            (Key::Rsa(key), ("sign", [hash], true)) => rsa(key, hash, body, &input)?,
            (Key::Hmac, ("hmac", [hash], false)) => {
                let hash = match *hash {
                    "sha2-256" => hmac::HMAC_SHA256,
                    "sha2-384" => hmac::HMAC_SHA384,
                    "sha2-512" => hmac::HMAC_SHA512,
                    _ => return refused(400, "unsupported hash"),
                };
                hmac::sign(&hmac::Key::new(hash, Transit::HMAC_KEY), &input).as_ref().to_vec()
            }
            _ => return refused(400, "unsupported operation for this key"),
        };
        let member = if how == "sign" { "signature" } else { "hmac" };
        let made = format!("vault:v1:{}", STANDARD.encode(bytes));
        Ok(json!({ "data": { member: made, "key_version": 1 } }))
    }
}

fn rsa(key: &RsaKeyPair, hash: &str, body: &Value, input: &[u8]) -> Result<Vec<u8>, Refused> {
    let padding = body["signature_algorithm"].as_str().unwrap_or_default();
    let (hash, encoding): (_, &dyn RsaEncoding) = match (hash, padding) {
        ("sha2-256", "pkcs1v15") => (&digest::SHA256, &RSA_PKCS1_SHA256),
        ("sha2-512", "pkcs1v15") => (&digest::SHA512, &RSA_PKCS1_SHA512),
        ("sha2-256", "pss") if body["salt_length"] == "hash" => (&digest::SHA256, &RSA_PSS_SHA256),
        ("sha2-512", "pss") if body["salt_length"] == "hash" => (&digest::SHA512, &RSA_PSS_SHA512),
        _ => return refused(400, "unsupported hash or padding"),
    };
    let digest = Digest::import_less_safe(input, hash);
    let digest = digest.map_err(|_| (400, "input is no digest".to_owned()))?;
    let mut made = vec![0; key.public_modulus_len()];
    key.sign_digest(encoding, &digest, &mut made).expect("it signs");
    Ok(made)
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
