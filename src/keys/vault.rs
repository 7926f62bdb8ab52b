//! Keys in HashiCorp Vault's or OpenBao's Transit engine.
//!
//! A key signs there and never comes here. Which of its versions signs is settled when it is opened:
//! the one that the entry names, or the latest of that moment, so that signatures are of the key
//! whose public half is known.

mod login;
mod session;
mod wire;

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method};
use login::Login;
use session::{Failure, Session};
use wire::{KINDS, Kind, Listed};

use super::env::{self, variable};
use super::error::{SignError, pasted};
use super::hosted::{Fault, Hosted, Input, Service};
use super::key::{BoxFuture, Signer};
use super::need::StoreVariables;
use super::store::{
    KeySpec, KeyStore, Needed, SettingKind, SignerStore, StoreKind, StoreSetting, StoreSettings,
    all_entry,
};
use crate::https::Client;
use crate::problem::Problem;

/// `kind = "vault"`.
pub(crate) const KIND: StoreKind = StoreKind {
    name: "vault",
    doc: "An entry is a key of the Transit engine, `okx`, or one version of it, `okx:3`. It signs in \
          HashiCorp Vault or OpenBao: P-256, Ed25519, RSA and HMAC.",
    scheme: "vault",
    uri: "vault:okx",
    locate: all_entry,
    settings: &[
        StoreSetting::optional(
            ADDRESS,
            SettingKind::Address,
            None,
            "\"https://vault.internal:8200\"",
            "Where it is; what `VAULT_ADDR` says, where it is left out. Plain HTTP is for this machine.",
        ),
        StoreSetting::optional(
            MOUNT,
            SettingKind::Text,
            Some("transit"),
            "\"transit\"",
            "Where the engine is mounted.",
        ),
        StoreSetting::optional(NAMESPACE, SettingKind::Text, None, "\"trading\"", "The namespace."),
        StoreSetting::optional(
            CA,
            SettingKind::File,
            None,
            "\"vault-ca.pem\"",
            "The certificates that its own must lead to; the system's, where it is left out.",
        ),
        StoreSetting::optional(
            TIMEOUT,
            SettingKind::Duration,
            Some("5s"),
            "\"5s\"",
            "How long a connection may take, and how long an answer.",
        ),
        StoreSetting::optional(
            TOKEN,
            SettingKind::Secret,
            None,
            "\"file:vault-token\"",
            "Where the token is; the variable `VAULT_TOKEN`, where it and the next three are left out.",
        ),
        StoreSetting::optional(
            ROLE_ID,
            SettingKind::Text,
            None,
            "\"675a50e7-cfe0-be76-e35f-49ec009731ea\"",
            "Logs in by AppRole, with this role's id.",
        ),
        StoreSetting::optional(
            SECRET_ID,
            SettingKind::Secret,
            None,
            "\"file:vault-secret-id\"",
            "Where the AppRole's secret id is.",
        ),
        StoreSetting::optional(
            KUBERNETES_ROLE,
            SettingKind::Text,
            None,
            "\"countersign\"",
            "Logs in as this role with a Kubernetes service account.",
        ),
        StoreSetting::optional(
            JWT,
            SettingKind::File,
            Some("/var/run/secrets/kubernetes.io/serviceaccount/token"),
            "\"/var/run/secrets/kubernetes.io/serviceaccount/token\"",
            "The service account's token, which is read at each login.",
        ),
        StoreSetting::optional(
            LOGIN_MOUNT,
            SettingKind::Text,
            None,
            "\"kubernetes\"",
            "Where the login method is mounted; `approle` or `kubernetes`, where it is left out.",
        ),
    ],
    open: |settings| KeyStore::Signers(Arc::new(Vault(connect(settings)))),
    place: |_, entry| place(entry),
    file: |_, _| None,
    needs: |_, _| Vec::new(),
    variables: |settings| {
        let token = settings.secret(TOKEN).is_none().then(|| VAULT_TOKEN.to_owned());
        StoreVariables { prefix: None, named: token.into_iter().collect() }
    },
};

const ADDRESS: &str = "address";
const MOUNT: &str = "mount";
const NAMESPACE: &str = "namespace";
const CA: &str = "ca";
const TIMEOUT: &str = "timeout";
const TOKEN: &str = "token";
const ROLE_ID: &str = "role_id";
const SECRET_ID: &str = "secret_id";
const KUBERNETES_ROLE: &str = "kubernetes_role";
const JWT: &str = "jwt";
const LOGIN_MOUNT: &str = "login_mount";
const VAULT_ADDR: &str = "VAULT_ADDR";
const VAULT_TOKEN: &str = "VAULT_TOKEN";

/// A way to it, or what is wrong with the settings.
#[derive(Debug)]
struct Vault(Result<(Arc<Session>, String), Problem>);

fn connect(settings: &StoreSettings) -> Result<(Arc<Session>, String), Problem> {
    let named = settings.text(ADDRESS).map(OsString::from).or_else(|| variable(VAULT_ADDR));
    let Some(address) = named.filter(|address| !address.is_empty()) else {
        let fix = "write address = \"https://…\" in the store";
        return Err(Problem::new(format!("is nowhere: {VAULT_ADDR} is not set"), fix));
    };
    let address = address.to_string_lossy();
    let limit = Duration::from_millis(settings.number(TIMEOUT).unwrap_or(5_000));
    let ca = settings.text(CA).map(|_| settings.path(CA));
    let client = Client::new(&address, ca, limit)
        .map_err(|error| error.of(format_args!("at {address:?}")))?;
    let namespace = settings.text(NAMESPACE);
    let namespace =
        namespace.as_deref().map(HeaderValue::from_str).transpose().map_err(|_| {
            Problem::new("has a namespace that no header can say", "correct namespace")
        })?;
    let mount = settings.text(MOUNT).unwrap_or_else(|| "transit".into());
    Ok((Session::new(client, namespace, login(settings)?), mount))
}

fn login(settings: &StoreSettings) -> Result<Login, Problem> {
    let mount = settings.text(LOGIN_MOUNT);
    let set = |name| settings.text(name);
    let secret = |name| settings.secret(name).cloned();
    match (secret(TOKEN), set(ROLE_ID), set(KUBERNETES_ROLE)) {
        (token, None, None) => Ok(Login::Token(token.unwrap_or_else(usual_token))),
        (None, Some(role), None) => Login::app_role(mount, role, secret(SECRET_ID)),
        (None, None, Some(role)) => {
            Ok(Login::kubernetes(mount, role, settings.path(JWT).to_owned()))
        }
        _ => Err(Problem::new(
            "is logged in to in two ways",
            "write one of token, role_id and kubernetes_role",
        )),
    }
}

/// Where Vault's own programs look for a token.
fn usual_token() -> Needed {
    let (settings, entry) = (env::KIND.locate)(VAULT_TOKEN).expect("every variable can be named");
    let settings = settings.into_iter().map(|(name, value)| (name, value.into()));
    Needed::Kept(&env::KIND, StoreSettings::new(settings), entry)
}

fn place(entry: &str) -> String {
    format!("the Vault's key {entry:?}")
}

impl SignerStore for Vault {
    fn open<'a>(&'a self, key: &'a KeySpec) -> BoxFuture<'a, Result<Arc<dyn Signer>, Problem>> {
        Box::pin(self.open_now(key))
    }
}

impl Vault {
    async fn open_now(&self, key: &KeySpec) -> Result<Arc<dyn Signer>, Problem> {
        let failed = |problem: Problem| problem.of(place(&key.entry));
        let (session, mount) = match &self.0 {
            Ok((session, mount)) => (Arc::clone(session), mount),
            Err(problem) => return Err(failed(problem.clone())),
        };
        let (name, version) = named(&key.entry).ok_or_else(|| {
            pasted(&key.entry).unwrap_or_else(|| {
                failed(Problem::new("is no name of a key", "write it as okx, or as okx:3"))
            })
        })?;
        let path = format!("{mount}/keys/{name}");
        let answer = match session.ask(Method::GET, &path, None).await {
            Ok(answer) => answer,
            Err(Failure::Missing) => {
                let none = Problem::new("is not there", format!("vault write -f {path} type=…"));
                return Err(pasted(&key.entry).unwrap_or_else(|| failed(none)));
            }
            Err(error) => return Err(failed(error.problem())),
        };
        let listed = Listed::read(&answer, version).map_err(failed)?;
        let fits: Vec<_> = KINDS.iter().filter(|kind| kind.fits(&listed.kind)).collect();
        let algorithms: Vec<_> = fits.iter().map(|kind| kind.algorithm).collect();
        let algorithm = key.decide(&algorithms);
        let algorithm = algorithm.map_err(|(what, fix)| failed(Problem::new(what, fix)))?;
        let kind = **fits.iter().find(|kind| kind.algorithm == algorithm).expect("it fits");
        let service = Key {
            session,
            path: kind.path(mount, name),
            kind,
            name: name.to_owned(),
            version: listed.version,
        };
        if algorithm.is_shared() {
            let opened = Hosted::mac(service, algorithm).await;
            let why = |error: SignError| failed(Problem::new(error.to_string(), TRY));
            return opened.map_err(why);
        }
        let public = listed.public_key(algorithm).ok_or_else(|| {
            failed(Problem::new("has a public half that cannot be read", "use another key"))
        })?;
        Ok(Hosted::signer(service, public))
    }
}

/// A key's name, and its version where the entry says one.
fn named(entry: &str) -> Option<(&str, Option<u64>)> {
    let (name, version) = match entry.split_once(':') {
        Some((name, version)) => (name, Some(version.parse().ok().filter(|v| *v > 0)?)),
        None => (entry, None),
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let right = !name.is_empty() && name.bytes().all(allowed) && !name.starts_with('.');
    right.then_some((name, version))
}

/// A version of a key.
struct Key {
    session: Arc<Session>,
    path: String,
    kind: Kind,
    name: String,
    version: u64,
}

impl Key {
    async fn sign_now(&self, input: Input<'_>) -> Result<Vec<u8>, Fault> {
        let question = self.kind.question(input, self.version);
        let answer = self.session.ask(Method::POST, &self.path, Some(&question)).await;
        let answer = answer.map_err(|error| error.fault())?;
        let made = self.kind.made(&answer, self.version);
        made.ok_or(Fault::Refused("the Vault answered with something that is no signature"))
    }
}

impl Service for Key {
    fn whole(&self) -> usize {
        0
    }

    fn longest(&self) -> usize {
        LONGEST
    }

    fn sign<'a>(&'a self, input: Input<'a>) -> BoxFuture<'a, Result<Vec<u8>, Fault>> {
        Box::pin(self.sign_now(input))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} of {:?}", self.name, self.version, self.session)
    }
}

const TRY: &str = "give the token's policy `update` on the key, and see that the Vault is unsealed";

/// A Vault takes requests of 32 MiB where nobody has changed it, and base64 takes a third.
const LONGEST: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_name_and_perhaps_a_version() {
        for (entry, expected) in [
            ("okx", Some(("okx", None))),
            ("a.b-c_d:12", Some(("a.b-c_d", Some(12)))),
            ("okx:0", None),
            ("okx:latest", None),
            ("../sys/seal", None),
            ("a/b", None),
            ("a?b", None),
            ("", None),
        ] {
            assert_eq!(named(entry), expected, "{entry}");
        }
    }
}
