//! Keys at a signer: another process, `countersign signer` or anybody's, that alone holds them and
//! speaks the interface of `docs/remote-signer.md`.
//!
//! A key signs there and never comes here. It is told which route it signs for, so that the signer
//! can have a list of its own of what it signs.

mod address;
mod line;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use address::Address;
use line::{Answer, Line, question};
use tokio::sync::OnceCell;
pub(crate) use wire::{Asked, LONGEST_BODY, LONGEST_MESSAGE, described, read, signed};
use zeroize::Zeroizing;

use super::content::Content;
use super::error::{SignError, pasted};
use super::file::read_private;
use super::key::{Algorithm, BoxFuture, PublicKey, Signer};
use super::need::StoreVariables;
use super::signature::Signature;
use super::store::{
    KeySpec, KeyStore, Parts, SettingKind, SignerStore, StoreKind, StoreSetting, StoreSettings,
};
use crate::problem::Problem;
use crate::tls::mutual_client;

/// `kind = "remote"`.
pub(crate) const KIND: StoreKind = StoreKind {
    name: "remote",
    doc: "An entry is the name of a key at a signer, `countersign signer` or another that speaks \
          its interface ([remote-signer.md](remote-signer.md)). It signs there.",
    scheme: "remote",
    uri: "remote:okx?url=unix:/run/countersign/signer.sock",
    locate,
    settings: &[
        StoreSetting {
            name: URL,
            kind: SettingKind::Signer,
            default: None,
            required: true,
            example: "\"unix:/run/countersign/signer.sock\"",
            doc: "Where the signer is: `unix:/path`, or `https://host:port` for mutual TLS 1.3.",
        },
        file(CA, "\"signer-ca.pem\"", "The authority that the signer's certificate is of, in PEM."),
        file(CERT, "\"proxy.pem\"", "The certificate to show to the signer, in PEM."),
        file(KEY, "\"proxy-key.pem\"", "Its private key in PEM, which nobody else may read."),
    ],
    open: |settings| {
        let (settings, line) = (settings.clone(), OnceCell::new());
        KeyStore::Signers(Arc::new(Remote { settings, line }))
    },
    place: |settings, entry| place(&settings.text(URL).unwrap_or_default(), entry),
    file: |_, _| None,
    needs: |_, _| Vec::new(),
    variables: |_| StoreVariables::default(),
};

const fn file(name: &'static str, example: &'static str, doc: &'static str) -> StoreSetting {
    StoreSetting::optional(name, SettingKind::File, None, example, doc)
}

const URL: &str = "url";
const CA: &str = "ca";
const CERT: &str = "cert";
const KEY: &str = "key";

/// `NAME?url=…`, and the files with `&` before each.
fn locate(rest: &str) -> Result<Parts, &'static str> {
    let (entry, query) = rest.split_once('?').ok_or("has no ?url=… after the key's name")?;
    let mut settings = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').ok_or("has a setting without =")?;
        let name = [URL, CA, CERT, KEY].into_iter().find(|known| *known == name);
        let name = name.ok_or("has a setting other than url, ca, cert and key")?;
        settings.push((name, value.to_owned()));
    }
    let url = settings.iter().find(|(name, _)| *name == URL).ok_or("has no url=…")?;
    check(&url.1).map_err(|_| "has a url that is neither unix:/path nor https://host:port")?;
    Ok((settings, entry.to_owned()))
}

/// Whether a text is the address of a signer.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn check(url: &str) -> Result<(), &'static str> {
    Address::read(url).map(|_| ())
}

fn place(url: &str, entry: &str) -> String {
    format!("the key {entry:?} of the signer at {url}")
}

/// A signer that is not looked at before a key of it is wanted.
#[derive(Debug)]
struct Remote {
    settings: StoreSettings,
    line: OnceCell<Arc<Line>>,
}

impl SignerStore for Remote {
    fn open<'a>(&'a self, key: &'a KeySpec) -> BoxFuture<'a, Result<Arc<dyn Signer>, Problem>> {
        Box::pin(async move {
            let at = place(&self.settings.text(URL).unwrap_or_default(), &key.entry);
            let way = || std::future::ready(way(&self.settings));
            let line = self.line.get_or_try_init(way).await?;
            open(Arc::clone(line), key).await.map_err(|problem| problem.of(at))
        })
    }
}

/// The way to the signer of a store, with the certificates of this moment.
fn way(settings: &StoreSettings) -> Result<Arc<Line>, Problem> {
    let url = settings.text(URL).unwrap_or_default();
    let fix = "write url = \"unix:/path\" or \"https://host:port\"";
    let address = Address::read(&url).map_err(|what| Problem::new(what, fix).of("url"))?;
    let Address::Tls(..) = address else { return Ok(Arc::new(Line::new(address, None))) };
    let missing = [CA, CERT, KEY].into_iter().find(|name| settings.text(name).is_none());
    if let Some(missing) = missing {
        let fix = format!("write {missing} = \"FILE.pem\" in the store");
        let what = "is missing: a signer at https:// is spoken to in mutual TLS";
        return Err(Problem::new(what, fix).of(missing));
    }
    let read = |name| {
        let path = settings.path(name);
        std::fs::read(path).map_err(|error| {
            Problem::new(error.to_string(), "name a file that you may read")
                .of(format_args!("{}:", path.display()))
        })
    };
    let client = mutual_client(&read(CA)?, &read(CERT)?, &read_private(settings.path(KEY))?);
    Ok(Arc::new(Line::new(address, Some(client?))))
}

/// A signer that is asked what no store asks.
#[derive(Debug)]
pub(crate) struct Asker(Arc<Line>);

/// A signer as a store and by itself: its address, and the files of `ca`, `cert` and `key`.
///
/// # Errors
///
/// What is wrong with one of them.
pub(crate) fn at(url: &str, files: [Option<PathBuf>; 3]) -> Result<(KeyStore, Asker), Problem> {
    let files = [CA, CERT, KEY].into_iter().zip(files);
    let files = files.filter_map(|(name, file)| Some((name, file?.into_os_string())));
    let settings = StoreSettings::new(files.chain([(URL, url.into())]));
    let line = way(&settings)?;
    Ok(((KIND.open)(&settings), Asker(line)))
}

impl Asker {
    /// The algorithms of a key that are known here.
    ///
    /// # Errors
    ///
    /// Why nothing is known of it.
    pub(crate) async fn algorithms(&self, name: &str) -> Result<Vec<Algorithm>, String> {
        let answer = self.ask(question(name, "", None)).await?;
        let described = wire::describes(&answer.body).filter(|_| answer.status == 200);
        described.map(|described| described.algorithms).ok_or_else(|| strange(&answer))
    }

    /// The status of a key's description.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub(crate) async fn get(&self, name: &str) -> Result<u16, String> {
        Ok(self.ask(question(name, "", None)).await?.status)
    }

    /// The status of what answers this body where a signature is asked for.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub(crate) async fn sign(&self, name: &str, body: &str) -> Result<u16, String> {
        Ok(self.ask(question(name, "/sign", Some(body))).await?.status)
    }

    async fn ask(&self, question: Zeroizing<Vec<u8>>) -> Result<Answer, String> {
        match tokio::time::timeout(OPEN, self.0.ask(&question)).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => Err(format!("is out of reach: {error}")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("is out of reach: no answer within {OPEN:?}")),
        }
    }
}

/// Has a key described, and chooses what it is for.
async fn open(line: Arc<Line>, key: &KeySpec) -> Result<Arc<dyn Signer>, Problem> {
    let failed = |what: String, fix: &str| Problem::new(what, fix);
    let asker = Asker(Arc::clone(&line));
    let fix = "start the signer, or mend the store's url, ca, cert or key";
    let answer = asker.ask(question(&key.entry, "", None)).await;
    let answer = answer.map_err(|what| failed(what, fix))?;
    if answer.status == 404 {
        let fix = "name a key that the signer has, and a grant of it there gives to this caller";
        let missing = || failed("is not there, or not for this caller".into(), fix);
        return Err(pasted(&key.entry).unwrap_or_else(missing));
    }
    let described = Some(&answer).filter(|answer| answer.status == 200);
    let described = described.and_then(|answer| wire::describes(&answer.body));
    let described = described.ok_or_else(|| failed(strange(&answer), fix))?;
    let algorithm = key.decide(&described.algorithms);
    let algorithm = algorithm.map_err(|(what, fix)| failed(what, &fix))?;
    let unread = || failed(format!("has no public key that is one of {algorithm}"), fix);
    let public = if algorithm.is_shared() {
        let body = wire::write(algorithm, None, algorithm.probe());
        let body =
            body.map_err(|error| failed(error.to_string(), "keep the key in another store"))?;
        let answer = asker.ask(question(&key.entry, "/sign", Some(&body))).await;
        let answer = answer.map_err(|what| failed(what, fix))?;
        match wire::signature(algorithm, &answer.body) {
            Some(Signature::Octets(tag)) => PublicKey::of_mac(algorithm, &tag),
            _ => return Err(failed(strange(&answer), fix)),
        }
    } else {
        PublicKey::of(algorithm, &described.public)
    };
    let public = public.ok_or_else(unread)?;
    let name = key.entry.clone();
    Ok(Arc::new(RemoteKey { line, name, algorithm, public, route: None, away: Arc::default() }))
}

/// What an answer that is of no use is called. Nothing of its body is shown.
fn strange(answer: &Answer) -> String {
    format!("cannot be used: the signer answered {} where 200 was expected", answer.status)
}

/// A key at a signer.
#[derive(Clone)]
struct RemoteKey {
    line: Arc<Line>,
    name: String,
    algorithm: Algorithm,
    public: PublicKey,
    /// The route that it signs for.
    route: Option<Arc<str>>,
    /// Nobody answers.
    away: Arc<AtomicBool>,
}

impl RemoteKey {
    /// Has the signer sign. While there is none, it is waited for until the caller gives up.
    async fn ask(&self, content: Content<'_>) -> Result<Signature, SignError> {
        let message = match content {
            Content::Digest { .. } | Content::Hash { .. } => &[][..],
            Content::Message(message) | Content::Mac { message, .. } => message,
        };
        if message.len() > LONGEST_MESSAGE {
            return Err(SignError::Failed("a signer signs no messages of more than 1 MiB"));
        }
        let body = wire::write(self.algorithm, self.route.as_deref(), content)?;
        let question = question(&self.name, "/sign", Some(&body));
        loop {
            match self.line.ask(&question).await? {
                // It is being stopped, or started.
                Ok(Answer { status: 503, .. }) | Err(_) => {}
                Ok(answer) => {
                    self.away.store(false, Ordering::Relaxed);
                    return self.signature(&answer);
                }
            }
            self.away.store(true, Ordering::Relaxed);
            tokio::time::sleep(RETRY).await;
        }
    }

    fn signature(&self, answer: &Answer) -> Result<Signature, SignError> {
        Err(match answer.status {
            200 => return wire::signature(self.algorithm, &answer.body).ok_or(STRANGE),
            403 => SignError::Failed("the signer gives this key to this caller for other uses"),
            404 => SignError::Failed("the signer has no such key any more, or not for this caller"),
            413 => SignError::Failed("the signer takes no message of this length"),
            429 => SignError::Busy,
            _ => SignError::Failed("the signer signed nothing; its log says why"),
        })
    }
}

impl Signer for RemoteKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign<'a>(&'a self, content: Content<'a>) -> BoxFuture<'a, Result<Signature, SignError>> {
        Box::pin(self.ask(content))
    }

    fn away(&self) -> Option<SignError> {
        let gone = SignError::Failed("the signer is out of reach");
        self.away.load(Ordering::Relaxed).then_some(gone)
    }

    fn for_route(&self, route: &str) -> Option<Arc<dyn Signer>> {
        Some(Arc::new(Self { route: Some(route.into()), ..self.clone() }))
    }
}

impl fmt::Debug for RemoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteKey({:?} at {})", self.public, self.line.address())
    }
}

const STRANGE: SignError = SignError::Failed("the signer's answer holds no signature of the key");

/// How often a signer that is gone is looked for.
const RETRY: Duration = Duration::from_millis(50);

/// How long a signer may take to describe a key.
const OPEN: Duration = Duration::from_secs(5);
