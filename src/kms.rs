//! Keys in AWS KMS.
//!
//! A key signs there and never comes here. Requests are signed by the declared scheme of AWS
//! Signature Version 4, as a route's would be; so this stands above keys and schemes.

mod chain;
mod credentials;
mod fetched;
mod session;
mod variables;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chain::Chain;
use serde_json::{Value, json};
use session::{Failure, Session, Settings};
use wire::{Described, KINDS, Kind};

use crate::keys::{
    BoxFuture, Fault, Hosted, Input, KeySpec, KeyStore, Need, Parts, PublicKey, Service,
    SettingKind, Signer, SignerStore, StoreKind, StoreSetting, StoreSettings, StoreVariables,
    pasted,
};
use crate::problem::Problem;

/// `kind = "aws_kms"`.
pub(crate) const KIND: StoreKind = StoreKind {
    name: "aws_kms",
    doc: "An entry is a key's id, its ARN, or `alias/NAME`. It signs in AWS KMS: secp256k1, P-256, \
          Ed25519, RSA and HMAC. Credentials are found where AWS's own programs find them.",
    scheme: "awskms",
    uri: "awskms:key-id=alias/okx;region=eu-west-1",
    locate,
    settings: &[
        StoreSetting::optional(
            REGION,
            SettingKind::Text,
            None,
            "\"eu-west-1\"",
            "The region; what `AWS_REGION` or `AWS_DEFAULT_REGION` says, where it is left out.",
        ),
        StoreSetting::optional(
            PROFILE,
            SettingKind::Text,
            None,
            "\"trading\"",
            "The profile in the shared credentials file, and no other place for credentials.",
        ),
        StoreSetting::optional(
            ENDPOINT,
            SettingKind::Address,
            None,
            "\"https://vpce-1.kms.eu-west-1.vpce.amazonaws.com\"",
            "Where it is; what `AWS_ENDPOINT_URL_KMS` or `AWS_ENDPOINT_URL` says, or else the region's own.",
        ),
        StoreSetting::optional(
            TIMEOUT,
            SettingKind::Duration,
            Some("5s"),
            "\"5s\"",
            "How long a connection may take, and how long an answer.",
        ),
    ],
    open: |settings| {
        let (settings, sessions) = (settings.clone(), Mutex::default());
        KeyStore::Signers(Arc::new(Kms { settings, sessions }))
    },
    place: |_, entry| place(entry),
    file: |_, _| None,
    needs: |_, _| chain::files().map(Need::File).collect(),
    variables: |_| StoreVariables {
        prefix: None,
        named: chain::SECRET_VARIABLES.iter().map(|name| (*name).to_owned()).collect(),
    },
};

const REGION: &str = "region";
const PROFILE: &str = "profile";
const ENDPOINT: &str = "endpoint";
const TIMEOUT: &str = "timeout";

/// As step-ca writes it: `key-id=…;region=…`, in any order.
fn locate(rest: &str) -> Result<Parts, &'static str> {
    let (mut settings, mut entry) = (Vec::new(), String::new());
    for part in rest.split(';') {
        let (name, value) = part.split_once('=').ok_or("has a part that is no NAME=VALUE")?;
        match name {
            "key-id" => value.clone_into(&mut entry),
            REGION => settings.push((REGION, value.to_owned())),
            PROFILE => settings.push((PROFILE, value.to_owned())),
            _ => return Err("has a part that is none of key-id, region and profile"),
        }
    }
    Ok((settings, entry))
}

fn place(entry: &str) -> String {
    format!("the KMS's key {entry:?}")
}

#[derive(Debug)]
struct Kms {
    settings: StoreSettings,
    /// By region.
    sessions: Mutex<BTreeMap<Option<String>, Arc<Session>>>,
}

impl SignerStore for Kms {
    fn open<'a>(&'a self, key: &'a KeySpec) -> BoxFuture<'a, Result<Arc<dyn Signer>, Problem>> {
        Box::pin(self.open_now(key))
    }
}

impl Kms {
    async fn open_now(&self, key: &KeySpec) -> Result<Arc<dyn Signer>, Problem> {
        let failed = |problem: Problem| problem.of(place(&key.entry));
        let session = self.session(&key.entry).map_err(failed)?;
        let asked = |why: Failure| {
            let may_be_secret = matches!(why, Failure::Missing);
            let problem = failed(why.problem());
            pasted(&key.entry).filter(|_| may_be_secret).unwrap_or(problem)
        };
        let question = json!({ "KeyId": key.entry });
        let answer = session.ask("DescribeKey", &question).await.map_err(asked)?;
        let described = Described::read(&answer).map_err(failed)?;
        let fits: Vec<_> = KINDS.iter().filter(|kind| kind.fits(&described.spec)).collect();
        let algorithms: Vec<_> = fits.iter().map(|kind| kind.algorithm).collect();
        let algorithm = key.decide(&algorithms);
        let algorithm = algorithm.map_err(|(what, fix)| failed(Problem::new(what, fix)))?;
        let kind = **fits.iter().find(|kind| kind.algorithm == algorithm).expect("it fits");
        // By its ARN from here on: an alias may be given to another key.
        let service = Key { session, arn: described.arn, kind };
        if algorithm.is_shared() {
            let opened = Hosted::mac(service, algorithm).await;
            let fix = "allow kms:GenerateMac on the key";
            return opened.map_err(|error| failed(Problem::new(error.to_string(), fix)));
        }
        let question = json!({ "KeyId": service.arn });
        let answer = service.session.ask("GetPublicKey", &question).await.map_err(asked)?;
        let spki = wire::bytes(&answer, "PublicKey");
        let public = spki.and_then(|spki| PublicKey::of(algorithm, &spki)).ok_or_else(|| {
            failed(Problem::new("has a public half that cannot be read", "use another key"))
        })?;
        Ok(Hosted::signer(service, public))
    }

    /// A way to the region of the store, or of the key's ARN.
    fn session(&self, entry: &str) -> Result<Arc<Session>, Problem> {
        let settings = &self.settings;
        let arn = entry.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2));
        let region = settings.text(REGION).or_else(|| arn.map(str::to_owned));
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get(&region) {
            return Ok(Arc::clone(session));
        }
        let limit = Duration::from_millis(settings.number(TIMEOUT).unwrap_or(5_000));
        let endpoint = settings.text(ENDPOINT);
        let chain = Chain::found(settings.text(PROFILE), limit);
        let session = Session::new(Settings { region: region.clone(), endpoint, chain, limit })?;
        let session = Arc::new(session);
        sessions.insert(region, Arc::clone(&session));
        Ok(session)
    }
}

/// A key.
struct Key {
    session: Arc<Session>,
    arn: String,
    kind: Kind,
}

impl Key {
    async fn sign_now(&self, input: Input<'_>) -> Result<Vec<u8>, Fault> {
        let (act, question) = self.kind.question(&self.arn, input);
        let answer: Value =
            self.session.ask(act, &question).await.map_err(|error| error.fault())?;
        let made = self.kind.made(&answer);
        made.ok_or(Fault::Refused("the KMS answered with something that is no signature"))
    }
}

impl Service for Key {
    fn whole(&self) -> usize {
        MOST_RAW
    }

    fn longest(&self) -> usize {
        MOST_RAW
    }

    fn sign<'a>(&'a self, input: Input<'a>) -> BoxFuture<'a, Result<Vec<u8>, Fault>> {
        Box::pin(self.sign_now(input))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:?}", self.arn, self.session)
    }
}

/// What KMS takes of a message in one request.
const MOST_RAW: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_step_cas() {
        let read =
            |rest: &str| locate(rest).map(|(settings, entry)| format!("{settings:?} {entry}"));
        assert_eq!(
            read("region=eu-west-1;key-id=alias/okx"),
            Ok("[(\"region\", \"eu-west-1\")] alias/okx".into())
        );
        assert_eq!(read("key-id=arn:aws:kms:x:1:key/2"), Ok("[] arn:aws:kms:x:1:key/2".into()));
        for wrong in ["alias/okx", "key-id=a;secret=b", "key-id=a;"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
