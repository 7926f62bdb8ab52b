//! Cobo's two sides for tests: tokens with anything in them, and the keys of the vectors.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaEncoding, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::client::{Client, Reply};
use super::vectors::{load, text};
use super::verify::cobo::Believer;
use super::verify::now_ms;

/// A key pair of the vectors.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) private_pem: String,
    pub(crate) public_pem: String,
    pair: RsaKeyPair,
}

impl Party {
    /// The node.
    pub(crate) fn node() -> Self {
        Self::of("tss_node")
    }

    /// The callback server.
    pub(crate) fn server() -> Self {
        Self::of("callback_server")
    }

    fn of(name: &str) -> Self {
        let vectors = load("cobo");
        let private_pem = text(&vectors, &format!("/keys/{name}/private_pkcs8_pem")).to_owned();
        let public_pem = text(&vectors, &format!("/keys/{name}/public_spki_pem")).to_owned();
        let body: String = private_pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body).expect("a PEM is base64 between its lines");
        let pair = RsaKeyPair::from_pkcs8(&der).expect("the vectors have good keys");
        Self { private_pem, public_pem, pair }
    }

    /// Believes this party's tokens now.
    pub(crate) fn believer(&self) -> Believer {
        Believer::of(&self.public_pem, now())
    }

    /// A token of this header and payload, signed with SHA-256 whatever the header says.
    pub(crate) fn sign(&self, header: &str, payload: &str) -> String {
        self.sign_as(&RSA_PKCS1_SHA256, header, payload)
    }

    /// The same with another kind of signature.
    pub(crate) fn sign_as(
        &self,
        kind: &'static dyn RsaEncoding,
        header: &str,
        payload: &str,
    ) -> String {
        let text = unsigned(header, payload);
        let signature = self.signature_as(kind, text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A PKCS#1 v1.5 signature over the SHA-256 of a text.
    pub(crate) fn signature(&self, text: &[u8]) -> Vec<u8> {
        self.signature_as(&RSA_PKCS1_SHA256, text)
    }

    fn signature_as(&self, kind: &'static dyn RsaEncoding, text: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let signed = self.pair.sign(kind, &SystemRandom::new(), text, &mut signature);
        signed.expect("the key is large enough");
        signature
    }

    /// A good token around this JSON.
    pub(crate) fn seal(&self, package: impl AsRef<[u8]>) -> String {
        self.sign(HEADER, &claims(package, now() + 120))
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    now_ms() / 1000
}

/// Header and payload, encoded.
pub(crate) fn unsigned(header: &str, payload: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

/// The usual payload.
pub(crate) fn claims(package: impl AsRef<[u8]>, expiry: u64) -> String {
    let package = STANDARD.encode(package);
    format!(r#"{{"package_data":"{package}","exp":{expiry},"iss":"node"}}"#)
}

/// The usual header.
pub(crate) const HEADER: &str = r#"{"alg":"RS256","typ":"JWT"}"#;

/// A KeySign request with this id.
pub(crate) fn keysign(id: &str) -> String {
    let rest = r#""request_type":2,"request_detail":"{}","extra_info":"{\"note\":\"é\"}""#;
    format!(r#"{{"request_id":"{id}",{rest}}}"#)
}

/// Asks the route `cobo` of the gateway at `url` as a node does, with this form.
pub(crate) fn ask(url: &str, form: &str) -> Reply {
    Client::connect(url).exchange(post(url, "application/x-www-form-urlencoded", form))
}

/// A POST to the route `cobo` of the gateway at `url`.
pub(crate) fn post(url: &str, kind: &str, body: &str) -> String {
    let (host, length) = (url.trim_start_matches("http://"), body.len());
    format!(
        "POST /cobo/v1/check HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n\
         Accept-Encoding: gzip, br\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}
