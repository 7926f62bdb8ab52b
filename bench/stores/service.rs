//! A stand-in for Vault's Transit engine and for AWS KMS at once: it answers what the stores ask, looks
//! at nothing else, and signs with keys in memory.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign::keys::{Algorithm, Content, Digest, PrivateKey, Signature, Signer};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A running one; it ends when dropped.
pub(crate) struct Service {
    address: SocketAddr,
    _runtime: Runtime,
}

/// What it signs with.
struct Keys {
    p256: Arc<dyn Signer>,
    mac: Arc<dyn Signer>,
}

impl Service {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().expect("threads can be started");
        let made = |algorithm| PrivateKey::generate(algorithm).signer().expect("it signs");
        let (p256, mac) = (made(Algorithm::ECDSA_P256), made(Algorithm::HMAC_SHA256));
        let keys = Arc::new(Keys { p256, mac });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("it has one");
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("it is TCP");
                let keys = Arc::clone(&keys);
                let answer = service_fn(move |request| answer(request, Arc::clone(&keys)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Self { address, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn answer(
    request: Request<Incoming>,
    keys: Arc<Keys>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let target = request.headers().get("x-amz-target");
    let asked = match target {
        Some(target) => target.to_str().expect("it is text").to_owned(),
        None => request.uri().path().to_owned(),
    };
    let body = request.into_body().collect().await.expect("it arrives whole").to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let said = match asked.strip_prefix("TrentService.") {
        Some(act) => keys.kms(act, &body).await,
        None => keys.vault(&asked, &body).await,
    };
    Ok(Response::new(Full::new(said.to_string().into())))
}

impl Keys {
    async fn vault(&self, path: &str, body: &Value) -> Value {
        let key = |kind: &str, version: Value| {
            json!({ "data": {
                "type": kind, "derived": false, "latest_version": 1, "keys": { "1": version },
            } })
        };
        match path.strip_prefix("/v1/").expect("the interface's version") {
            "auth/token/lookup-self" => json!({ "data": { "ttl": 0, "renewable": false } }),
            "transit/keys/p256" => key("ecdsa-p256", json!({ "public_key": self.pem() })),
            "transit/keys/mac" => key("hmac", json!(1_442_851_412)),
            path => {
                let input = bytes(&body["input"]);
                let (member, made) = match body["prehashed"] == true {
                    true => ("signature", self.sign(&input).await),
                    false => ("hmac", made(&self.mac, Content::Message(&input)).await),
                };
                assert!(path.starts_with("transit/"), "{path} is not known here");
                json!({ "data": { member: format!("vault:v1:{made}") } })
            }
        }
    }

    async fn kms(&self, act: &str, body: &Value) -> Value {
        let id = body["KeyId"].as_str().expect("a key's id");
        let spec = if id.ends_with("mac") { "HMAC_256" } else { "ECC_NIST_P256" };
        match act {
            "DescribeKey" => {
                json!({ "KeyMetadata": { "Arn": id, "KeySpec": spec, "KeyState": "Enabled" } })
            }
            "GetPublicKey" => {
                json!({ "PublicKey": STANDARD.encode(self.p256.public_key().spki()) })
            }
            "Sign" => {
                assert_eq!(body["MessageType"], "RAW", "a short message is sent as it is");
                let digest =
                    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes(&body["Message"]));
                json!({ "Signature": self.sign(digest.as_ref()).await })
            }
            "GenerateMac" => {
                let message = bytes(&body["Message"]);
                json!({ "Mac": made(&self.mac, Content::Message(&message)).await })
            }
            _ => panic!("{act} is not known here"),
        }
    }

    async fn sign(&self, digest: &[u8]) -> String {
        let digest = Digest(digest.try_into().expect("a SHA-256"));
        made(&self.p256, Content::digest(&digest)).await
    }

    fn pem(&self) -> String {
        let spki = self.p256.public_key().spki();
        let base64 = STANDARD.encode(spki);
        let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }
}

/// A signature in base64: DER, or a MAC's bytes.
async fn made(signer: &Arc<dyn Signer>, content: Content<'_>) -> String {
    let signature: Signature = signer.sign(content).await.expect("it signs");
    match (signature.to_der(), &signature) {
        (Some(der), _) => STANDARD.encode(der),
        (None, Signature::Octets(octets)) => STANDARD.encode(octets),
        (None, _) => panic!("a signature of another kind"),
    }
}

fn bytes(base64: &Value) -> Vec<u8> {
    STANDARD.decode(base64.as_str().expect("a text")).expect("it is base64")
}
