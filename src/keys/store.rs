//! Stores: the table of their kinds, and the one place where bytes become a signer.
//!
//! A store is of one of two sorts. A [`ByteStore`] gives bytes (a file, a variable), and the key is
//! then in this process's memory; a [`SignerStore`] gives signers and never a key (a device, an
//! agent, another process). A kind of store is its file and its line in the table: what the
//! configuration reads, what is watched and what `exec` hides come from the row.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::future::ready;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::formats::{Encoding, FormatError, PassphraseFault};
use super::key::{Algorithm, PrivateKey, PublicKey};
use super::key::{BoxFuture, Signer};
use super::need::{Need, StoreVariables};
use crate::problem::Problem;
use crate::secret::Secret;

/// A kind of store: what the rest of the program knows of it.
pub struct StoreKind {
    /// The value of `kind` in a store.
    pub name: &'static str,
    /// A sentence or two: what its entries are.
    pub doc: &'static str,
    /// What a key URI of the kind begins with, before the colon.
    pub scheme: &'static str,
    /// A key URI.
    pub uri: &'static str,
    /// What is said by the part of a key URI behind the colon.
    pub locate: fn(&str) -> Result<Parts, &'static str>,
    /// Its settings in the configuration.
    pub settings: &'static [StoreSetting],
    /// Opens a store.
    pub open: fn(&StoreSettings) -> KeyStore,
    /// Where an entry is, for messages: `the variable X`.
    pub place: fn(&StoreSettings, &str) -> String,
    /// The file that an entry is in, where it is in one: that can be watched, and written.
    pub file: fn(&StoreSettings, &str) -> Option<PathBuf>,
    /// What it takes to open an entry, beside that file and what settings name.
    pub needs: fn(&StoreSettings, &str) -> Vec<Need>,
    /// The variables that a program must not see beside the proxy.
    pub variables: fn(&StoreSettings) -> StoreVariables,
}

/// A setting of a store.
#[derive(Debug)]
pub struct StoreSetting {
    /// Its name below `[stores.NAME]`.
    pub name: &'static str,
    /// What its text says.
    pub kind: SettingKind,
    /// What it is when it is left out; none where that has a meaning of its own, or is refused.
    pub default: Option<&'static str>,
    /// Whether the store is wrong without it.
    pub required: bool,
    /// A right value, as it is written in the file.
    pub example: &'static str,
    /// One sentence.
    pub doc: &'static str,
}

impl StoreSetting {
    /// One that may be left out.
    pub(crate) const fn optional(
        name: &'static str,
        kind: SettingKind,
        default: Option<&'static str>,
        example: &'static str,
        doc: &'static str,
    ) -> Self {
        Self { name, kind, default, required: false, example, doc }
    }
}

/// What the text of a store's setting says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SettingKind {
    /// A directory, from the configuration's own.
    Directory,
    /// The name of an environment variable.
    Variable,
    /// How names of environment variables begin; may be empty.
    Prefix,
    /// A file, from the configuration's own directory.
    File,
    /// A program and its arguments, in one text or a list of them; kept as one text.
    Command,
    /// A duration; kept in milliseconds.
    Duration,
    /// Any text.
    Text,
    /// The URL of a service.
    Address,
    /// The address of a signer.
    Signer,
    /// A key URI: where a secret is that the store itself needs.
    Secret,
}

impl SettingKind {
    /// What it must be in the file.
    pub fn written(self) -> &'static str {
        match self {
            Self::Directory
            | Self::Variable
            | Self::Prefix
            | Self::File
            | Self::Text
            | Self::Address
            | Self::Signer => "a string",
            Self::Secret => "a key URI",
            Self::Command => "a string or a list of strings",
            Self::Duration => "a duration in quotes",
        }
    }
}

/// A store's settings, each by its name; those that are left out have their default.
#[derive(Clone, Debug, Default, Hash)]
pub struct StoreSettings {
    values: BTreeMap<&'static str, OsString>,
    secrets: BTreeMap<&'static str, Needed>,
}

/// A secret that a store itself needs, to open what its keys are in.
#[derive(Clone, Debug, Hash)]
pub enum Needed {
    /// It is an entry of a store.
    Kept(&'static StoreKind, StoreSettings, String),
    /// It stands in a key URI.
    Given(Given),
}

/// A secret out of a key URI. It is of no hash: those of configurations are shown.
#[derive(Clone, Debug)]
pub struct Given(Arc<Secret>);

impl Hash for Given {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Needed {
    /// The secret of this text.
    pub fn given(text: &str) -> Self {
        Self::Given(Given(Arc::new(Secret::new(text.as_bytes().to_vec()))))
    }

    /// The secret, without white space at its ends.
    ///
    /// # Errors
    ///
    /// Which entry, what is wrong with it, and how to mend it.
    pub(super) async fn read(&self) -> Result<Arc<Secret>, Problem> {
        match self {
            Self::Given(Given(secret)) => Ok(Arc::clone(secret)),
            Self::Kept(kind, settings, entry) => {
                Ok(Arc::new((kind.open)(settings).read(entry).await?.trimmed()))
            }
        }
    }
}

impl StoreSettings {
    /// With these values.
    pub fn new(values: impl IntoIterator<Item = (&'static str, OsString)>) -> Self {
        Self { values: values.into_iter().collect(), secrets: BTreeMap::new() }
    }

    /// The same, with this secret.
    #[must_use]
    pub fn needing(mut self, name: &'static str, secret: Needed) -> Self {
        self.secrets.insert(name, secret);
        self
    }

    /// The variables that its secrets are in.
    pub fn secret_variables(&self) -> Vec<String> {
        let kept = self.secrets.values().filter_map(|needed| match needed {
            Needed::Kept(kind, settings, entry) => {
                let StoreVariables { prefix, named } = (kind.variables)(settings);
                let own = prefix.map(|prefix| format!("{prefix}{entry}"));
                Some(named.into_iter().chain(own))
            }
            Needed::Given(_) => None,
        });
        kept.flatten().collect()
    }

    /// The directories that its secrets are in.
    pub fn secret_directories(&mut self) -> impl Iterator<Item = &mut OsString> {
        self.secrets.values_mut().filter_map(|needed| match needed {
            Needed::Kept(kind, settings, _) => kind.directory(settings),
            Needed::Given(_) => None,
        })
    }

    pub(super) fn secret(&self, name: &str) -> Option<&Needed> {
        self.secrets.get(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        Some(self.values.get(name)?.to_string_lossy().into_owned())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    pub(crate) fn path(&self, name: &str) -> &Path {
        Path::new(self.values.get(name).map_or_else(|| OsStr::new(""), OsString::as_os_str))
    }
}

impl StoreKind {
    /// The directory that a store of this kind is, where it is one.
    pub fn directory<'s>(&self, settings: &'s mut StoreSettings) -> Option<&'s mut OsString> {
        let named = self.settings.iter().find(|setting| setting.kind == SettingKind::Directory)?;
        settings.values.get_mut(named.name)
    }
}

/// What a kind's own part of a URI says: settings, and the entry.
pub type Parts = (Vec<(&'static str, String)>, String);

/// What stands before the value of a setting that is a secret, and not where one is.
pub(crate) const GIVEN: &str = "given:";

/// A URI that is all entry.
#[expect(clippy::unnecessary_wraps, reason = "other kinds' URIs may be wrong")]
pub(super) fn all_entry(rest: &str) -> Result<Parts, &'static str> {
    Ok((Vec::new(), rest.to_owned()))
}

/// A name has one row.
impl Hash for StoreKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKind({})", self.name)
    }
}

/// Which key to open: an entry of a store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySpec {
    /// The name under `[keys]`, for messages.
    pub name: String,
    /// The entry in the store: a file name, a variable's suffix.
    pub entry: String,
    /// What the configuration says the key is. Needed where the entry does not say (raw hex);
    /// checked where it does.
    pub algorithm: Option<Algorithm>,
    /// Where it says nothing: what the slots take that name the key. One of them must fit, and one
    /// alone. Empty where the entry says what it is.
    pub candidates: Vec<Algorithm>,
    /// How the entry's bytes are written.
    pub encoding: Encoding,
}

impl KeySpec {
    /// A key of which nothing more is known, or its algorithm.
    pub fn of(entry: &str, algorithm: Option<Algorithm>) -> Self {
        let (entry, encoding) = (entry.to_owned(), Encoding::Text);
        Self { name: entry.clone(), entry, algorithm, candidates: vec![], encoding }
    }

    /// Which algorithm a key is for that could be for any of `fits`, the first of them by default.
    ///
    /// # Errors
    ///
    /// What is wrong, and how to mend it: none is wanted, or several are.
    pub(crate) fn decide(&self, fits: &[Algorithm]) -> Result<Algorithm, (String, String)> {
        let names = |list: &[Algorithm], word: &str| {
            list.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(word)
        };
        let Some(first) = fits.first() else {
            let what = "is a key of a kind that does not sign here".to_owned();
            return Err((what, "name a key for P-256, Ed25519 or RSA".into()));
        };
        let wanted = self.algorithm.as_slice();
        let wanted = if wanted.is_empty() { &self.candidates } else { wanted };
        if wanted.is_empty() {
            return Ok(*first);
        }
        let both: Vec<_> = fits.iter().copied().filter(|fits| wanted.contains(fits)).collect();
        match both.as_slice() {
            [one] => Ok(*one),
            [] => {
                let wanted = names(wanted, " or ");
                let what = format!("is an {first} key where an {wanted} key is asked for");
                Err((what, format!("use another key, or ask for algorithm {first}")))
            }
            several => Err((
                format!("fits {}", names(several, " and ")),
                format!("write [keys.{}] with store, entry and algorithm", self.name),
            )),
        }
    }
}

/// A place that bytes live in.
pub trait ByteStore: fmt::Debug + Send + Sync {
    /// Reads an entry as bytes, as they are stored but for what a tool has put around them.
    ///
    /// # Errors
    ///
    /// Which entry, what is wrong with it, and how to mend it.
    fn read<'a>(&'a self, entry: &'a str) -> BoxFuture<'a, Result<Secret, Problem>>;

    /// Where an entry is, for messages.
    fn place(&self, entry: &str) -> String;

    /// What opens the encrypted keys in it, and what that is called.
    ///
    /// # Errors
    ///
    /// There is nothing: what is wrong with an encrypted key then, and how to mend it.
    fn passphrase(&self) -> Result<(&str, Secret), (String, String)>;
}

/// A place that keys live in and do not leave.
pub trait SignerStore: fmt::Debug + Send + Sync {
    /// Opens a key.
    ///
    /// # Errors
    ///
    /// Which entry, what is wrong with it, and how to mend it.
    fn open<'a>(&'a self, key: &'a KeySpec) -> BoxFuture<'a, Result<Arc<dyn Signer>, Problem>>;

    /// Makes a new key, where none is.
    ///
    /// # Errors
    ///
    /// What is wrong with the entry, and how to mend it; of every entry where nothing is made.
    fn create<'a>(
        &'a self,
        entry: &'a str,
        _algorithm: Algorithm,
        _bits: Option<usize>,
    ) -> BoxFuture<'a, Result<PublicKey, Problem>> {
        Box::pin(ready(Err(not_written(entry))))
    }

    /// Puts a key in, where none is.
    ///
    /// # Errors
    ///
    /// As [`Self::create`].
    fn import<'a>(
        &'a self,
        entry: &'a str,
        _key: PrivateKey,
    ) -> BoxFuture<'a, Result<PublicKey, Problem>> {
        Box::pin(ready(Err(not_written(entry))))
    }
}

fn not_written(entry: &str) -> Problem {
    let fix = "put the key there with the store's own program, or write a file: --out NEW.pem";
    Problem::new("is in a store that keys are not put into from here", fix)
        .of(format_args!("the entry {entry:?}"))
}

/// A store that is open. Asked when a snapshot is built, never by a request.
#[derive(Clone, Debug)]
pub enum KeyStore {
    /// Its keys come into this process's memory.
    Bytes(Arc<dyn ByteStore>),
    /// Its keys sign where they are.
    Signers(Arc<dyn SignerStore>),
}

impl KeyStore {
    /// Opens a private key.
    ///
    /// # Errors
    ///
    /// Which entry, what is wrong with it, and how to mend it.
    pub async fn open(&self, key: &KeySpec) -> Result<Arc<dyn Signer>, Problem> {
        match self {
            Self::Bytes(store) => {
                let bytes = store.read(&key.entry).await?;
                in_memory(store.as_ref(), key, &bytes)
            }
            Self::Signers(store) => store.open(key).await,
        }
    }

    /// Makes a new key that stays in the store.
    ///
    /// # Errors
    ///
    /// As [`SignerStore::create`].
    pub async fn create(
        &self,
        entry: &str,
        algorithm: Algorithm,
        bits: Option<usize>,
    ) -> Result<PublicKey, Problem> {
        match self {
            Self::Bytes(_) => Err(not_written(entry)),
            Self::Signers(store) => store.create(entry, algorithm, bits).await,
        }
    }

    /// Puts a key in, which stays there.
    ///
    /// # Errors
    ///
    /// As [`SignerStore::import`].
    pub async fn import(&self, entry: &str, key: PrivateKey) -> Result<PublicKey, Problem> {
        match self {
            Self::Bytes(_) => Err(not_written(entry)),
            Self::Signers(store) => store.import(entry, key).await,
        }
    }

    /// Reads an entry as bytes.
    ///
    /// # Errors
    ///
    /// Which entry, what is wrong with it, and how to mend it; of every entry where keys do not
    /// leave.
    pub async fn read(&self, entry: &str) -> Result<Secret, Problem> {
        match self {
            Self::Bytes(store) => store.read(entry).await,
            Self::Signers(_) => Err(Problem::new(
                "is in a store of keys, which gives no secrets",
                "keep secrets in a store of kind \"file\" or \"env\"",
            )
            .of(format_args!("the entry {entry:?}"))),
        }
    }
}

/// Makes a signer of an entry's bytes: the one place where a key comes into memory.
fn in_memory(
    store: &dyn ByteStore,
    key: &KeySpec,
    bytes: &Secret,
) -> Result<Arc<dyn Signer>, Problem> {
    let place = store.place(&key.entry);
    let failed =
        |what: String, fix: String| Problem::new(what, fix.replace("FILE", &place)).of(&place);
    let algorithm = match key.candidates.as_slice() {
        [] => key.algorithm,
        candidates => {
            let fits = |wanted: &Algorithm| {
                let read =
                    PrivateKey::parse_encoded(bytes.expose(), key.encoding, Some(*wanted), None);
                // An encrypted key is read as what it is once it is open.
                read.map_or_else(|error| error.passphrase == PassphraseFault::Missing, |_| true)
            };
            match candidates.iter().copied().filter(fits).collect::<Vec<_>>().as_slice() {
                // It says itself what is wrong with it.
                [] => candidates.first().copied(),
                fits => Some(key.decide(fits).map_err(|(what, fix)| failed(what, fix))?),
            }
        }
    };
    let parse =
        |passphrase| PrivateKey::parse_encoded(bytes.expose(), key.encoding, algorithm, passphrase);
    let parsed = match parse(None) {
        Err(error) if error.passphrase == PassphraseFault::Missing => {
            let (name, secret) = store.passphrase().map_err(|(what, fix)| failed(what, fix))?;
            parse(Some(&secret)).map_err(|error| wrong_passphrase(name, error))
        }
        other => other,
    };
    let key = parsed.map_err(|error| failed(error.what, error.fix))?;
    key.signer().map_err(|error| failed(format!("is unusable: {error}"), "make a new key".into()))
}

fn wrong_passphrase(name: &str, error: FormatError) -> FormatError {
    if error.passphrase != PassphraseFault::Wrong {
        return error;
    }
    FormatError {
        what: format!("is encrypted, and the passphrase in {name} does not open it"),
        fix: format!("set {name} to the passphrase the key was encrypted with"),
        ..error
    }
}

#[cfg(test)]
mod tests;
