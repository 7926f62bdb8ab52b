//! A stand-in for AWS KMS, written from its API reference, and for what gives credentials: STS, a
//! container's endpoint, an instance's metadata. It is strict: a request that is not signed as AWS's
//! documentation of Signature Version 4 has it is answered 400, and a digest is signed as it is.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use aws_lc_rs::digest::{self, Digest, SHA256};
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
use p256::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _};
use serde_json::{Value, json};

use crate::support::origin::{Answer, Origin};
use crate::support::vectors::{load, text};
use crate::support::verify::Arrived;

/// A running stand-in.
pub(super) struct Trent {
    address: SocketAddr,
    origin: Mutex<Option<Origin>>,
    pub(super) state: Arc<State>,
}

/// What it knows.
pub(super) struct State {
    p256: p256::ecdsa::SigningKey,
    k256: k256::ecdsa::SigningKey,
    ed25519: Ed25519KeyPair,
    rsa: RsaKeyPair,
    /// What is asked for, with `RAW` or `DIGEST` behind a signature.
    asked: Mutex<Vec<String>>,
    /// What is answered in place of signatures.
    odd: Mutex<Option<Answer>>,
    /// The temporary credentials that are good: so many have been given.
    given: Mutex<usize>,
    /// How many seconds temporary credentials last.
    lasting: u64,
}

/// The credentials that do not end.
pub(super) const ID: &str = "AKIDEXAMPLE";
pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(super) const MAC_KEY: &[u8] = b"thirty-two bytes that KMS has made";

impl Trent {
    pub(super) fn start() -> Self {
        Self::lasting(3600)
    }

    /// With temporary credentials that last so many seconds.
    pub(super) fn lasting(lasting: u64) -> Self {
        let der = bytes("sinohope", "/keys/test-p256/pkcs8_der_hex");
        let number = bytes("metasv", "/keys/test-a/private_key_hex");
        let state = Arc::new(State {
            p256: p256::ecdsa::SigningKey::from_pkcs8_der(&der).expect("it is a key"),
            k256: k256::ecdsa::SigningKey::from_slice(&number).expect("it is a key"),
            ed25519: Ed25519KeyPair::generate().expect("a key can be made"),
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).expect("a key can be made"),
            asked: Mutex::default(),
            odd: Mutex::default(),
            given: Mutex::default(),
            lasting,
        });
        let origin = serve("127.0.0.1:0".parse().expect("an address"), &state);
        let address = origin.url().trim_start_matches("http://").parse().expect("an address");
        Self { address, origin: Mutex::new(Some(origin)), state }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What leads a program here, with the credentials that do not end.
    pub(super) fn variables(&self) -> Vec<(&'static str, String)> {
        let own = [("AWS_ACCESS_KEY_ID", ID.to_owned()), ("AWS_SECRET_ACCESS_KEY", SECRET.into())];
        [self.ways(), own.into()].concat()
    }

    /// What leads a program here, without credentials.
    pub(super) fn ways(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials".into()),
        ]
    }

    /// Starts it again at its address, or ends it.
    pub(super) fn run(&self, run: bool) {
        let mut origin = locked(&self.origin);
        drop(origin.take());
        *origin = run.then(|| serve(self.address, &self.state));
    }

    pub(super) fn odd(&self, answer: Option<Answer>) {
        *locked(&self.state.odd) = answer;
    }

    /// How many signatures were asked for.
    pub(super) fn signatures(&self) -> usize {
        let made = |asked: &str| asked.starts_with("Sign ") || asked.starts_with("GenerateMac");
        locked(&self.state.asked).iter().filter(|asked| made(asked)).count()
    }

    /// How often this was asked for.
    pub(super) fn count(&self, what: &str) -> usize {
        locked(&self.state.asked).iter().filter(|asked| *asked == what).count()
    }
}

fn serve(address: SocketAddr, state: &Arc<State>) -> Origin {
    let state = Arc::clone(state);
    let answer = move |request: &Arrived| {
        state
            .answer(request)
            .unwrap_or_else(|code| Answer::json(400, &json!({ "__type": code, "message": "no" })))
    };
    Origin::start_at(address, Box::new(answer))
}

impl State {
    fn answer(&self, request: &Arrived) -> Result<Answer, String> {
        let path = request.target.as_str();
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let text = |text: &str| Answer::Whole {
            status: 200,
            headers: vec![],
            body: text.as_bytes().to_vec(),
        };
        Ok(match (request.method.as_str(), path) {
            ("PUT", "/latest/api/token") => {
                request.once("X-aws-ec2-metadata-token-ttl-seconds")?;
                text("metadata-t0ken")
            }
            ("GET", "/latest/meta-data/iam/security-credentials/") => {
                self.is(request, "X-aws-ec2-metadata-token", "metadata-t0ken")?;
                text("trader\n")
            }
            ("GET", "/latest/meta-data/iam/security-credentials/trader") => {
                self.is(request, "X-aws-ec2-metadata-token", "metadata-t0ken")?;
                Answer::json(200, &self.temporary())
            }
            ("GET", "/container?role=1") => {
                self.is(request, "Authorization", "container-t0ken")?;
                Answer::json(200, &self.temporary())
            }
            ("POST", "/")
                if body.starts_with("Action=AssumeRoleWithWebIdentity&Version=2011-06-15") =>
            {
                if !body.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Ft")
                    || !body.ends_with("&WebIdentityToken=eyJ.web.id")
                {
                    return Err("InvalidIdentityToken".into());
                }
                let given = self.temporary();
                let of = |name: &str| given[name].as_str().unwrap_or_default().to_owned();
                text(&format!(
                    "<A><R><Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}\
                     </SecretAccessKey><SessionToken>{}</SessionToken><Expiration>{}</Expiration>\
                     </Credentials></R></A>",
                    of("AccessKeyId"),
                    of("SecretAccessKey"),
                    of("Token"),
                    of("Expiration"),
                ))
            }
            ("POST", "/") => self.kms(request)?,
            _ => return Err("UnknownOperationException".into()),
        })
    }

    fn is(&self, request: &Arrived, name: &str, value: &str) -> Result<(), String> {
        if request.once(name)? == value { Ok(()) } else { Err("Unauthorized".into()) }
    }

    /// New temporary credentials, as the endpoints write them.
    fn temporary(&self) -> Value {
        let mut given = locked(&self.given);
        *given += 1;
        let until = now() + self.lasting;
        json!({
            "Code": "Success", "AccessKeyId": format!("ASIA{given}"),
            "SecretAccessKey": format!("temporary/{given}"), "Token": format!("session+{given}=="),
            "Expiration": stamp(until, "-", ":"),
        })
    }

    /// How many temporary credentials were given.
    pub(super) fn given(&self) -> usize {
        *locked(&self.given)
    }

    /// Ends all temporary credentials but those that are given from now on.
    pub(super) fn end(&self) {
        *locked(&self.given) += 100;
    }

    fn kms(&self, request: &Arrived) -> Result<Answer, String> {
        self.verify(request)?;
        let act = request.once("X-Amz-Target")?.strip_prefix("TrentService.").unwrap_or_default();
        let body: Value =
            serde_json::from_slice(&request.body).map_err(|_| "SerializationException")?;
        let how = body["MessageType"].as_str().map(|how| format!(" {how}")).unwrap_or_default();
        locked(&self.asked).push(format!("{act}{how}"));
        let id = body["KeyId"].as_str().unwrap_or_default();
        let name = id.rsplit('/').next().unwrap_or_default();
        let (spec, public) = self.described(name).ok_or("com.amazonaws.kms#NotFoundException")?;
        let arn = format!("arn:aws:kms:eu-west-1:1:key/{name}");
        let said = match act {
            "DescribeKey" => json!({ "KeyMetadata": {
                "Arn": arn, "KeySpec": spec, "Enabled": true, "KeyState": "Enabled",
            } }),
            "GetPublicKey" if id == arn => {
                json!({ "KeyId": arn, "PublicKey": STANDARD.encode(public) })
            }
            "Sign" | "GenerateMac" if id == arn => {
                if let Some(odd) = locked(&self.odd).clone() {
                    return Ok(odd);
                }
                let made = STANDARD.encode(self.made(act, name, &body)?);
                json!({ "KeyId": arn, if act == "Sign" { "Signature" } else { "Mac" }: made })
            }
            _ => return Err("ValidationException".into()),
        };
        Ok(Answer::json(200, &said))
    }

    /// A key's specification, and its public half in DER.
    pub(super) fn described(&self, name: &str) -> Option<(&'static str, Vec<u8>)> {
        let spki = |der: Result<p256::pkcs8::Document, _>| {
            der.ok().map(|der: p256::pkcs8::Document| der.into_vec())
        };
        Some(match name {
            "p256" => (
                "ECC_NIST_P256",
                spki(self.p256.verifying_key().to_public_key_der().map_err(drop))?,
            ),
            "k256" => (
                "ECC_SECG_P256K1",
                spki(self.k256.verifying_key().to_public_key_der().map_err(drop))?,
            ),
            "ed25519" => {
                let der: PublicKeyX509Der<'_> = self.ed25519.public_key().as_der().ok()?;
                ("ECC_NIST_EDWARDS25519", der.as_ref().to_vec())
            }
            "rsa" => {
                let der: PublicKeyX509Der<'_> = self.rsa.public_key().as_der().ok()?;
                ("RSA_2048", der.as_ref().to_vec())
            }
            "mac" => ("HMAC_256", Vec::new()),
            "mac384" => ("HMAC_384", Vec::new()),
            "mac512" => ("HMAC_512", Vec::new()),
            "aes" => ("SYMMETRIC_DEFAULT", Vec::new()),
            _ => return None,
        })
    }

    fn made(&self, act: &str, name: &str, body: &Value) -> Result<Vec<u8>, String> {
        let message = STANDARD.decode(body["Message"].as_str().unwrap_or_default());
        let message = message.map_err(|_| "SerializationException")?;
        if message.is_empty() || message.len() > 4096 {
            return Err("ValidationException".into());
        }
        let digested = body["MessageType"] == "DIGEST";
        let by = |hash: &'static digest::Algorithm| match digested {
            true => Digest::import_less_safe(&message, hash).map_err(|_| "ValidationException"),
            false => Ok(digest::digest(hash, &message)),
        };
        let how = body["SigningAlgorithm"].as_str().unwrap_or_default();
        let rsa = |hash, encoding: &'static dyn RsaEncoding| {
            let mut made = vec![0; self.rsa.public_modulus_len()];
            self.rsa.sign_digest(encoding, &by(hash)?, &mut made).map_err(|_| "KMSInternal")?;
            Ok::<_, &str>(made)
        };
        Ok(match (act, name, how) {
            ("Sign", "p256", "ECDSA_SHA_256") => {
                let made: p256::ecdsa::Signature =
                    self.p256.sign_prehash(by(&SHA256)?.as_ref()).map_err(|_| "KMSInternal")?;
                made.to_der().as_bytes().to_vec()
            }
            ("Sign", "k256", "ECDSA_SHA_256") => {
                let made: k256::ecdsa::Signature =
                    self.k256.sign_prehash(by(&SHA256)?.as_ref()).map_err(|_| "KMSInternal")?;
                // KMS takes no care which of the two numbers s is; here it is always the other one.
                let (r, s) = made.normalize_s().split_scalars();
                let made =
                    k256::ecdsa::Signature::from_scalars(r, -s).map_err(|_| "KMSInternal")?;
                made.to_der().as_bytes().to_vec()
            }
            ("Sign", "ed25519", "ED25519_SHA_512") if !digested => {
                self.ed25519.sign(&message).as_ref().to_vec()
            }
            ("Sign", "rsa", "RSASSA_PKCS1_V1_5_SHA_256") => rsa(&SHA256, &RSA_PKCS1_SHA256)?,
            ("Sign", "rsa", "RSASSA_PKCS1_V1_5_SHA_512") => {
                rsa(&digest::SHA512, &RSA_PKCS1_SHA512)?
            }
            ("Sign", "rsa", "RSASSA_PSS_SHA_256") => rsa(&SHA256, &RSA_PSS_SHA256)?,
            ("Sign", "rsa", "RSASSA_PSS_SHA_512") => rsa(&digest::SHA512, &RSA_PSS_SHA512)?,
            ("GenerateMac", _, "") => {
                let hash = match (name, body["MacAlgorithm"].as_str()) {
                    ("mac", Some("HMAC_SHA_256")) => hmac::HMAC_SHA256,
                    ("mac384", Some("HMAC_SHA_384")) => hmac::HMAC_SHA384,
                    ("mac512", Some("HMAC_SHA_512")) => hmac::HMAC_SHA512,
                    _ => return Err("InvalidKeyUsageException".into()),
                };
                hmac::sign(&hmac::Key::new(hash, MAC_KEY), &message).as_ref().to_vec()
            }
            _ => return Err("InvalidKeyUsageException".into()),
        })
    }

    /// Signature Version 4, by its documentation.
    fn verify(&self, request: &Arrived) -> Result<(), String> {
        let given = request.once("Authorization")?;
        let part = |name: &str| {
            let (_, rest) = given.split_once(name).ok_or("IncompleteSignature")?;
            Ok::<_, String>(rest.split([',', ' ']).next().unwrap_or_default())
        };
        let (credential, names) = (part("Credential=")?, part("SignedHeaders=")?);
        let (id, scope) = credential.split_once('/').ok_or("IncompleteSignature")?;
        let time = request.once("X-Amz-Date")?;
        let wanted = format!("{}/eu-west-1/kms/aws4_request", &time[..8]);
        let near = [now() - 60, now() + 60].map(|at| stamp(at, "", ""));
        if scope != wanted || !(near[0].as_str()..=near[1].as_str()).contains(&time) {
            return Err("SignatureDoesNotMatch".into());
        }
        let last = self.given();
        let secret = match request.values("X-Amz-Security-Token").as_slice() {
            [] if id == ID => SECRET.to_owned(),
            [token] if id == format!("ASIA{last}") && *token == format!("session+{last}==") => {
                format!("temporary/{last}")
            }
            _ => return Err("UnrecognizedClientException".into()),
        };
        let mut all: Vec<String> =
            request.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
        all.retain(|name| name == "host" || name == "content-type" || name.starts_with("x-amz-"));
        all.sort();
        if all.join(";") != names {
            return Err("SignatureDoesNotMatch".into());
        }
        let lines: Result<String, String> =
            all.iter().map(|name| Ok(format!("{name}:{}\n", request.once(name)?))).collect();
        let hash =
            |bytes: &[u8]| base16ct::lower::encode_string(digest::digest(&SHA256, bytes).as_ref());
        let text = format!("POST\n/\n\n{}\n{names}\n{}", lines?, hash(&request.body));
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hash(text.as_bytes()));
        let mut key = format!("AWS4{secret}").into_bytes();
        for step in scope.split('/').chain([text.as_str()]) {
            key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), step.as_bytes())
                .as_ref()
                .to_vec();
        }
        let right = base16ct::lower::encode_string(&key) == part("Signature=")?;
        if right { Ok(()) } else { Err("InvalidSignatureException".into()) }
    }
}

fn bytes(vectors: &str, pointer: &str) -> Vec<u8> {
    let hex = text(&load(vectors), pointer).to_owned();
    base16ct::lower::decode_vec(hex).expect("the vectors are lower-case hex")
}

#[expect(clippy::disallowed_methods, reason = "the provider's own clock")]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later").as_secs()
}

/// A time as AWS writes it, with or without separators.
fn stamp(seconds: u64, dash: &str, colon: &str) -> String {
    let seconds = i64::try_from(seconds).expect("it is near");
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).expect("it is near");
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = time.time().as_hms();
    format!("{year}{dash}{month:02}{dash}{day:02}T{hour:02}{colon}{minute:02}{colon}{second:02}Z")
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
