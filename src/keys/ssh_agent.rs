//! Keys in an SSH agent: OpenSSH's, and those of password managers, secure enclaves, smart cards
//! and TPMs that speak its protocol.
//!
//! A key signs there and never comes here. An agent hashes what it signs itself, so that it is given
//! messages: a scheme whose digest is of another kind cannot use such a key.

mod line;
mod wire;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use line::Line;
use sha2::{Digest as _, Sha256};
use wire::{KINDS, Kind, Listed};

use super::content::Content;
use super::env::variable;
use super::error::{SignError, pasted};
use super::key::{BoxFuture, PublicKey, Signer};
use super::need::StoreVariables;
use super::signature::Signature;
use super::store::all_entry;
use super::store::{
    KeySpec, KeyStore, SettingKind, SignerStore, StoreKind, StoreSetting, StoreSettings,
};
use crate::problem::Problem;

/// `kind = "ssh_agent"`.
pub(crate) const KIND: StoreKind = StoreKind {
    name: "ssh_agent",
    doc: "An entry is a key's fingerprint, `SHA256:…` as `ssh-add -l` prints it, or its comment. It \
          signs in the agent: P-256, Ed25519 and RSA.",
    scheme: "ssh-agent",
    uri: "ssh-agent:SHA256:…",
    locate: all_entry,
    settings: &[StoreSetting {
        name: SOCKET,
        kind: SettingKind::File,
        default: None,
        required: false,
        example: "\"/run/user/1000/agent.sock\"",
        doc: "The agent's socket; what `SSH_AUTH_SOCK` says, where it is left out.",
    }],
    open: |settings| KeyStore::Signers(Arc::new(Agent(socket(settings)))),
    place: |_, entry| place(entry),
    file: |_, _| None,
    needs: |_, _| Vec::new(),
    variables: |_| StoreVariables { prefix: None, named: vec![VARIABLE.into()] },
};

const SOCKET: &str = "socket";
const VARIABLE: &str = "SSH_AUTH_SOCK";

fn socket(settings: &StoreSettings) -> Option<PathBuf> {
    let named = settings.text(SOCKET).map(OsString::from);
    named.or_else(|| variable(VARIABLE)).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn place(entry: &str) -> String {
    format!("the agent's key {entry:?}")
}

/// The socket, where one is known.
#[derive(Debug)]
struct Agent(Option<PathBuf>);

impl SignerStore for Agent {
    fn open<'a>(&'a self, key: &'a KeySpec) -> BoxFuture<'a, Result<Arc<dyn Signer>, Problem>> {
        Box::pin(self.open_now(key))
    }
}

impl Agent {
    async fn open_now(&self, key: &KeySpec) -> Result<Arc<dyn Signer>, Problem> {
        let failed = |what: String, fix: String| Problem::new(what, fix).of(place(&key.entry));
        let Some(socket) = &self.0 else {
            let fix = "start an agent, or write socket = \"…\" in the store".into();
            return Err(failed(format!("is out of reach: {VARIABLE} is not set"), fix));
        };
        let line = Line::new(socket.clone());
        let answer = line.ask(wire::LIST).await;
        let answer = answer.map_err(|error| failed(error.to_string(), AGAIN.into()))?;
        let answer = answer.map_err(|error| {
            let what = format!("is out of reach: {}: {error}", socket.display());
            failed(what, "start the agent, or mend the store's socket".into())
        })?;
        let listed = wire::listed(&answer);
        let listed = listed.ok_or_else(|| failed(SILENT.into(), AGAIN.into()))?;
        let found = find(&listed, &key.entry);
        let [found] = found.as_slice() else {
            return Err(none_or_many(&key.entry, &listed, found.len()));
        };
        let fits: Vec<_> =
            KINDS.iter().filter(|kind| kind.public_key(&found.blob).is_some()).collect();
        let kinds: Vec<_> = fits.iter().map(|kind| kind.algorithm).collect();
        let algorithm = key.decide(&kinds).map_err(|(what, fix)| failed(what, fix))?;
        let kind =
            **fits.iter().find(|kind| kind.algorithm == algorithm).expect("it is one of them");
        let public = kind.public_key(&found.blob).expect("it was read before");
        let blob = found.blob.clone();
        Ok(Arc::new(AgentKey { line, kind, blob, public, away: AtomicBool::new(false) }))
    }
}

/// The keys that an entry names.
fn find<'l>(listed: &'l [Listed], entry: &str) -> Vec<&'l Listed> {
    let named = |key: &&Listed| match entry.starts_with("SHA256:") {
        true => fingerprint(&key.blob) == entry,
        false => key.comment == entry,
    };
    listed.iter().filter(named).collect()
}

/// As `ssh-add -l` prints it: of the key as SSH writes it, so not that of [`PublicKey`].
fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

fn none_or_many(entry: &str, listed: &[Listed], found: usize) -> Problem {
    let (what, fix) = match (found, listed.len()) {
        (0, 0) => (
            "is not there: the agent shows no keys, and may be locked".to_owned(),
            "unlock it (ssh-add -X), or add the key (ssh-add FILE)".to_owned(),
        ),
        (0, others) => (
            format!("is not among the {others} that the agent shows"),
            "write a fingerprint or a comment that ssh-add -l prints".to_owned(),
        ),
        _ => (
            format!("is {found} keys: they have the same comment"),
            "write the fingerprint that ssh-add -l prints".to_owned(),
        ),
    };
    pasted(entry)
        .filter(|_| !entry.starts_with("SHA256:"))
        .unwrap_or_else(|| Problem::new(what, fix).of(place(entry)))
}

/// A key in an agent.
struct AgentKey {
    line: Line,
    kind: Kind,
    blob: Vec<u8>,
    public: PublicKey,
    /// Nobody answers at the socket.
    away: AtomicBool,
}

impl AgentKey {
    /// Has the agent sign. While there is none, it is waited for until the caller gives up.
    async fn ask(&self, message: &[u8]) -> Result<Signature, SignError> {
        if message.len() > LONGEST {
            return Err(SignError::Failed("an agent signs no messages of more than 255 KiB"));
        }
        let request = self.kind.request(&self.blob, message);
        loop {
            if let Ok(answer) = self.line.ask(&request).await? {
                self.away.store(false, Ordering::Relaxed);
                return self.kind.signature(&answer, &self.public).ok_or(REFUSED);
            }
            self.away.store(true, Ordering::Relaxed);
            tokio::time::sleep(RETRY).await;
        }
    }
}

impl Signer for AgentKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign<'a>(&'a self, content: Content<'a>) -> BoxFuture<'a, Result<Signature, SignError>> {
        let message = match content {
            Content::Message(message) | Content::Digest { sha256_of: Some(message), .. } => message,
            Content::Digest { sha256_of: None, .. } => {
                let error = SignError::Failed("an agent signs messages, and no digests");
                return Box::pin(std::future::ready(Err(error)));
            }
            Content::Mac { .. } | Content::Hash { .. } => {
                return Box::pin(std::future::ready(Err(SignError::NO_MAC)));
            }
        };
        Box::pin(self.ask(message))
    }

    fn away(&self) -> Option<SignError> {
        let gone = SignError::Failed("the agent is out of reach");
        self.away.load(Ordering::Relaxed).then_some(gone)
    }

    fn signs_digests(&self) -> bool {
        false
    }
}

impl fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentKey({:?} in {})", self.public, self.line.socket().display())
    }
}

const REFUSED: SignError = SignError::Failed(
    "the agent refused: it is locked, the key is not there any more, or its user said no",
);
const SILENT: &str = "is out of reach: what answers at the socket is no agent, or a locked one";
const AGAIN: &str = "try again";

/// How often an agent that is gone is looked for.
const RETRY: Duration = Duration::from_millis(50);

/// OpenSSH takes 256 KiB, with the key's name and a few bytes more.
const LONGEST: usize = 255 * 1024;
