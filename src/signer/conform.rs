//! Whether a signer conforms to the interface: a proxy's own requests to it, whose signatures are
//! verified, and then those that it must refuse.

use std::sync::Arc;

use base16ct::lower::encode_string as hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::task::JoinSet;

use crate::keys::remote::{Asker, LONGEST_MESSAGE};
use crate::keys::{
    Algorithm, Content, Derivation, Digest, Encoding, KeySpec, KeyStore, PrivateKey, Signature,
    Signer, Written,
};
use crate::secret::Secret;

/// What is asked of a signer, and what came of it.
#[derive(Debug)]
pub(crate) struct Case {
    /// The key and the algorithm, or nothing; and what was tried.
    pub(crate) name: String,
    /// Why it does not conform.
    pub(crate) fault: Result<(), String>,
}

/// Where a signer is, and what may be asked of it.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    /// The store of the address.
    pub(crate) store: KeyStore,
    /// The same for requests that no store makes.
    pub(crate) asker: Asker,
    /// Names of keys.
    pub(crate) keys: &'a [String],
    /// The route to ask for.
    pub(crate) route: Option<&'a str>,
}

impl Trial<'_> {
    /// Tries everything.
    pub(crate) async fn run(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for key in self.keys {
            match self.asker.algorithms(key).await {
                Ok(algorithms) if !algorithms.is_empty() => {
                    for algorithm in algorithms {
                        self.key(key, algorithm, &mut cases).await;
                    }
                    self.refusals(key, &mut cases).await;
                }
                Ok(_) => cases.push(case(key, "describes algorithms", Err("none is known".into()))),
                Err(why) => cases.push(case(key, "describes itself", Err(why))),
            }
        }
        let (status, name) = (self.asker.get("no-such-key").await, "a key that is not there: 404");
        cases.push(case("", name, is(status, 404)));
        cases
    }

    async fn key(&self, name: &str, algorithm: Algorithm, cases: &mut Vec<Case>) {
        let subject = format!("{name} {algorithm}");
        let spec = KeySpec {
            name: name.to_owned(),
            entry: name.to_owned(),
            algorithm: Some(algorithm),
            candidates: Vec::new(),
            encoding: Encoding::Text,
        };
        let signer = match self.store.open(&spec).await {
            Ok(signer) => signer,
            Err(problem) => return cases.push(case(&subject, "opens", Err(problem.what))),
        };
        let test = verified(&signer, algorithm.probe()).await;
        cases.push(case(&subject, "the self-test, which has no route", test));
        let signer = self.route.and_then(|route| signer.for_route(route)).unwrap_or(signer);
        let digest = Digest([7; 32]);
        if DIGESTS.contains(&algorithm) {
            let signed = verified(&signer, Content::digest(&digest)).await;
            cases.push(case(&subject, "a digest", signed));
        }
        if algorithm == Algorithm::EDDSA_BABYJUB {
            return;
        }
        if algorithm.is_shared() {
            return self.macs(&subject, algorithm, &signer, cases).await;
        }
        let longest = vec![0xa5; LONGEST_MESSAGE];
        for (what, message) in
            [("a message", &b"\0\xff text"[..]), ("an empty message", b""), ("1 MiB", &longest)]
        {
            let signed = verified(&signer, Content::Message(message)).await;
            cases.push(case(&subject, what, signed));
        }
        let mut many = JoinSet::new();
        for _ in 0..32 {
            let signer = Arc::clone(&signer);
            many.spawn(async move { verified(&signer, Content::Message(b"one of 32")).await });
        }
        let many = many.join_all().await.into_iter().collect();
        cases.push(case(&subject, "32 at once", many));
    }

    /// A MAC's key is known to the signer alone: what its MACs are to each other is what can be seen.
    async fn macs(
        &self,
        subject: &str,
        algorithm: Algorithm,
        signer: &Arc<dyn Signer>,
        cases: &mut Vec<Case>,
    ) {
        let plain = mac(signer, &Derivation::default(), b"text").await;
        let message = signer.sign(Content::Message(b"text")).await.map_err(|why| why.to_string());
        let same = plain.and_then(|plain| Ok((plain, message?)));
        let same = same.and_then(|(plain, message)| match message == Signature::Octets(plain) {
            true => Ok(()),
            false => Err("a derivation without steps gives another MAC".into()),
        });
        cases.push(case(subject, "a message", same));
        for (word, written) in
            [("raw", Written::Raw), ("base64", Written::Base64), ("hex", Written::Hex)]
        {
            let chain = chain(algorithm, signer, written).await;
            cases.push(case(subject, &format!("a derivation, {word}"), chain));
        }
    }

    /// What is no request of the interface.
    async fn refusals(&self, key: &str, cases: &mut Vec<Case>) {
        // Short enough to be read, so that the answer is not lost with the connection.
        let long = STANDARD.encode(vec![0; LONGEST_MESSAGE + 1]);
        let long = json!({ "algorithm": "ed25519", "message": long }).to_string();
        for (name, body, expected) in [
            ("no JSON: 400", "{", 400),
            ("neither digest nor message: 400", r#"{"algorithm":"ecdsa_p256"}"#, 400),
            ("31 bytes: 400", r#"{"algorithm":"ecdsa_p256","digest":"AAAA"}"#, 400),
            ("more than 1 MiB: 413", long.as_str(), 413),
        ] {
            cases.push(case(key, name, is(self.asker.sign(key, body).await, expected)));
        }
    }
}

async fn verified(signer: &Arc<dyn Signer>, content: Content<'_>) -> Result<(), String> {
    let signature = signer.sign(content).await.map_err(|why| why.to_string())?;
    match signer.public_key().verifies(content, &signature) {
        true => Ok(()),
        false => Err("the signature does not verify".into()),
    }
}

async fn mac(
    signer: &Arc<dyn Signer>,
    derivation: &Derivation,
    message: &[u8],
) -> Result<Vec<u8>, String> {
    match signer.sign(Content::Mac { derivation, message }).await {
        Ok(Signature::Octets(octets)) => Ok(octets),
        Ok(_) => Err("it is no MAC".into()),
        Err(why) => Err(why.to_string()),
    }
}

/// The MAC under a key that was derived in one step is what a key of that step's result makes.
async fn chain(
    algorithm: Algorithm,
    signer: &Arc<dyn Signer>,
    written: Written,
) -> Result<(), String> {
    let suffix = Some(Arc::new(Secret::new(b"after".to_vec())));
    let none = Derivation { prefix: b"AWS4".to_vec(), suffix, over: vec![], written };
    let one = Derivation { over: vec![b"20261128".to_vec()], ..none.clone() };
    let step = mac(signer, &none, b"20261128").await?;
    let step = match written {
        Written::Raw => step,
        Written::Base64 => STANDARD.encode(step).into_bytes(),
        Written::Hex => hex(&step).into_bytes(),
    };
    let step = hex(&step).into_bytes();
    let own = PrivateKey::parse_encoded(&step, Encoding::Hex, Some(algorithm), None);
    let own = own.map_err(|error| error.what)?.signer().map_err(|error| error.to_string())?;
    let expected = own.sign(Content::Message(b"text")).await.map_err(|error| error.to_string())?;
    match Signature::Octets(mac(signer, &one, b"text").await?) == expected {
        true => Ok(()),
        false => Err("the derived key is another".into()),
    }
}

fn is(status: Result<u16, String>, expected: u16) -> Result<(), String> {
    match status? {
        status if status == expected => Ok(()),
        status => Err(format!("it is {status}")),
    }
}

fn case(subject: &str, what: &str, fault: Result<(), String>) -> Case {
    let name = if subject.is_empty() { what.to_owned() } else { format!("{subject}: {what}") };
    Case { name, fault }
}

/// What signs digests of 32 bytes that it has not made itself.
const DIGESTS: [Algorithm; 4] = [
    Algorithm::ECDSA_P256,
    Algorithm::ECDSA_SECP256K1,
    Algorithm::RSA_PKCS1_SHA256,
    Algorithm::RSA_PSS_SHA256,
];
