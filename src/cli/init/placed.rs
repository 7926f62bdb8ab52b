//! The key of a provider: one that is made, or one that exists and stays where it is.

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::keys::create_private;
use crate::cli::relative::relative;
use crate::cli::{CliError, Exit, runtime};
use crate::keys::kinds::FILE;
use crate::keys::{Algorithm, Encoding, KeySpec, PrivateKey, PublicKey, StoreSettings};
use crate::problem::Problem;
use crate::scheme::{Entry, KeySlot, Registry};

/// `--key FILE` or `--key PROVIDER=FILE`.
#[derive(Clone, Debug)]
pub(super) struct Given {
    provider: Option<Arc<Entry>>,
    file: PathBuf,
}

/// Never fails: what is no provider's name with `=` behind it is part of a file's.
pub(super) fn given(text: &str) -> Result<Given, std::convert::Infallible> {
    let schemes = Registry::built_in();
    let named = text.split_once('=').and_then(|(name, file)| Some((schemes.find(name)?, file)));
    Ok(match named {
        Some((entry, file)) => Given { provider: Some(Arc::clone(entry)), file: file.into() },
        None => Given { provider: None, file: text.into() },
    })
}

/// A key with its place in a store.
pub(super) struct Placed {
    /// The name under `[keys]`.
    pub(super) name: String,
    /// The name of its store, under `[stores]`.
    pub(super) store: String,
    /// The store, where it has to be written too.
    pub(super) own_store: Option<OwnStore>,
    /// The entry in the store.
    pub(super) file: String,
    pub(super) algorithm: Algorithm,
    /// The public half; none of a key that the provider issues and that is still to be put there.
    public: Option<PublicKey>,
}

/// The directory of a key that is no store yet.
pub(super) struct OwnStore {
    pub(super) name: String,
    /// As it is written: from the configuration's directory.
    pub(super) dir: String,
    pub(super) encrypted: bool,
}

/// Where keys are made.
pub(super) struct Store {
    pub(super) name: String,
    pub(super) dir: PathBuf,
}

/// The variable that opens encrypted keys.
pub(super) const PASSPHRASE: &str = "COUNTERSIGN_PASSPHRASE";

/// Which file each provider's key is in, where one was given.
pub(super) fn assign(
    given: &[Given],
    providers: &[Arc<Entry>],
) -> Result<Vec<(Arc<Entry>, PathBuf)>, CliError> {
    let usage = |what: String, fix: &str| Err(CliError::new(Exit::Usage, what).fix(fix));
    let with_keys: Vec<_> = providers.iter().filter(|e| !e.keys.is_empty()).collect();
    let mut files: Vec<(Arc<Entry>, PathBuf)> = Vec::new();
    for Given { provider, file } in given {
        let entry = match (provider, &with_keys[..]) {
            (Some(entry), _) => entry,
            (None, [only]) => only,
            (None, []) => return usage("--key: no provider here has a key".into(), "leave it out"),
            (None, _) => {
                let what = format!("--key {}: it is not said whose it is", file.display());
                return usage(what, "write --key PROVIDER=FILE");
            }
        };
        if !with_keys.iter().any(|with| with.name == entry.name) {
            let what = format!(
                "--key {}={}: {0} is not a provider here that has a key",
                entry.name,
                file.display()
            );
            return usage(what, "name it with --provider, or leave the key out");
        }
        if files.iter().any(|(other, _)| other.name == entry.name) {
            return usage(format!("--key: {} has one key", entry.name), "name one file");
        }
        files.push((Arc::clone(entry), file.clone()));
    }
    Ok(files)
}

/// A key for each slot: those that exist are looked at before any is made.
pub(super) fn place(
    providers: &[Arc<Entry>],
    files: &[(Arc<Entry>, PathBuf)],
    store: &Store,
    config: &Path,
    said: &mut Vec<u8>,
) -> Result<Vec<Placed>, CliError> {
    let base = config.parent().unwrap_or_else(|| Path::new(""));
    let mut placed: Vec<Placed> = Vec::new();
    for (entry, file) in files {
        let slot = entry.keys.first().expect("only providers with keys are given any");
        let mut key = Placed::open(entry, slot, file, store, base)?;
        key.share_store(&placed);
        let what = format!("uses {} ({}), which stays there", file.display(), key.algorithm);
        key.say(entry, &what, said)?;
        placed.push(key);
    }
    // A mode cannot be set on a directory that is there already: its files' modes guard the keys.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&store.dir);
    made.map_err(|error| CliError::at(&store.dir, &error))?;
    for entry in providers {
        for slot in &entry.keys {
            let name = Placed::name(entry, slot);
            if placed.iter().any(|key| key.name == name) {
                continue;
            }
            if first(slot).is_shared() {
                placed.push(Placed::awaited(entry, slot, store));
                continue;
            }
            let key = Placed::make(entry, slot, store)?;
            let (path, algorithm) = (store.dir.join(&key.file), key.algorithm);
            let what = format!("made {} ({algorithm}, mode 0600; back it up)", path.display());
            key.say(entry, &what, said)?;
            placed.push(key);
        }
    }
    Ok(placed)
}

impl Placed {
    /// One key to a provider is the rule, and then it has the provider's name.
    pub(super) fn name(entry: &Entry, slot: &KeySlot) -> String {
        match entry.keys.len() {
            1 => entry.name.to_string(),
            _ => format!("{}-{}", entry.name, slot.name),
        }
    }

    /// Opens a key that exists, as the proxy will. It is not copied: whoever renews or removes it
    /// does so where it is.
    pub(super) fn open(
        entry: &Entry,
        slot: &KeySlot,
        file: &Path,
        store: &Store,
        base: &Path,
    ) -> Result<Self, CliError> {
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = dir.unwrap_or_else(|| Path::new("."));
        let name = Self::name(entry, slot);
        let leaf = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (public, encrypted) = opened(dir, &leaf, &name, slot)?;
        let at = |dir: &Path| std::path::absolute(dir).map_err(|error| CliError::at(dir, &error));
        if at(dir)? == at(&store.dir)? && !encrypted {
            return Ok(Self::of(name, store, leaf, public));
        }
        let dir = relative(base, dir).map_err(|error| CliError::at(dir, &error))?;
        let own = OwnStore { name: name.clone(), dir, encrypted };
        let key = Self::of(name.clone(), store, leaf, public);
        Ok(Self { store: name, own_store: Some(own), ..key })
    }

    /// Takes the store of another key that is in the same directory.
    pub(super) fn share_store(&mut self, others: &[Self]) {
        let Some(own) = &self.own_store else { return };
        let same = others.iter().filter_map(|other| other.own_store.as_ref());
        let same = same.filter(|other| other.dir == own.dir && other.encrypted == own.encrypted);
        if let Some(other) = same.into_iter().next() {
            self.store.clone_from(&other.name);
            self.own_store = None;
        }
    }

    /// Makes a key.
    pub(super) fn make(entry: &Entry, slot: &KeySlot, store: &Store) -> Result<Self, CliError> {
        let algorithm = first(slot);
        let key = PrivateKey::generate(algorithm);
        let name = Self::name(entry, slot);
        let file = format!("{name}.{}", algorithm.file_extension());
        create_private(&store.dir.join(&file), key.to_text().as_bytes())?;
        Ok(Self::of(name, store, file, key.public_key()))
    }

    /// A key that the provider issues: where it is to be put.
    fn awaited(entry: &Entry, slot: &KeySlot, store: &Store) -> Self {
        let name = Self::name(entry, slot);
        let (file, store) = (format!("{name}.secret"), store.name.clone());
        Self { name, store, own_store: None, file, algorithm: first(slot), public: None }
    }

    fn of(name: String, store: &Store, file: String, public: PublicKey) -> Self {
        let (store, algorithm) = (store.name.clone(), public.algorithm());
        Self { name, store, own_store: None, file, algorithm, public: Some(public) }
    }

    /// What is to be done before the key is there.
    pub(super) fn step(&self, dir: &Path) -> Option<String> {
        let path = dir.join(&self.file);
        let put =
            || format!("put the secret key of {} into {}, mode 0600", self.name, path.display());
        self.public.is_none().then(put)
    }

    /// What there is to register.
    pub(super) fn say(
        &self,
        entry: &Entry,
        what: &str,
        out: &mut dyn Write,
    ) -> std::io::Result<()> {
        let Some(public) = &self.public else { return Ok(()) };
        writeln!(out, "{what}")?;
        writeln!(out, "  fingerprint  {}", public.fingerprint())?;
        if let Some(form) = entry.public_form.filter(|_| !self.algorithm.is_shared()) {
            writeln!(out, "  register this public key with {} ({}):", entry.name, form.name)?;
            let written = (form.write)(public);
            writeln!(out, "  {}", written.trim_end().replace('\n', "\n  "))?;
        }
        writeln!(out)
    }
}

fn first(slot: &KeySlot) -> Algorithm {
    *slot.algorithms.first().expect("a slot takes some algorithm")
}

/// The public half, and whether a passphrase was needed.
fn opened(
    dir: &Path,
    leaf: &str,
    name: &str,
    slot: &KeySlot,
) -> Result<(PublicKey, bool), CliError> {
    let runtime = runtime()?;
    let open = |algorithm: Option<Algorithm>, passphrase: Option<&str>| {
        let settings =
            [("dir", Some(dir.as_os_str())), ("passphrase_env", passphrase.map(OsStr::new))];
        let settings = settings.into_iter().filter_map(|(name, it)| Some((name, it?.to_owned())));
        let store = (FILE.open)(&StoreSettings::new(settings));
        let encoding = Encoding::default();
        let spec = KeySpec {
            name: name.into(),
            entry: leaf.into(),
            algorithm,
            candidates: vec![],
            encoding,
        };
        let opened = runtime.block_on(store.open(&spec));
        opened.map(|signer| (signer.public_key().clone(), passphrase.is_some()))
    };
    // A bare number says nothing of its curve; where one alone will do, it is that.
    let told = (slot.algorithms.len() == 1).then(|| first(slot));
    let found = open(told, None).or_else(|_| open(told, Some(PASSPHRASE)));
    let (public, encrypted) = match found {
        Ok(found) => found,
        Err(_) if told.is_none() && open(Some(first(slot)), None).is_ok() => {
            let algorithms: Vec<_> = slot.algorithms.iter().map(|a| a.name()).collect();
            let file = dir.join(leaf);
            let what = format!("{} is a number, and does not say of which curve", file.display());
            return Err(CliError::failed(
                what,
                format!(
                    "countersign keys import --in {} --algorithm {} --out NEW.pem, and give NEW.pem",
                    file.display(),
                    algorithms.join("|")
                ),
            ));
        }
        Err(error) => return Err(error.into()),
    };
    if slot.algorithms.contains(&public.algorithm()) {
        return Ok((public, encrypted));
    }
    let wanted: Vec<_> = slot.algorithms.iter().map(|a| a.name()).collect();
    let what = format!("is an {} key", public.algorithm());
    let fix = format!("give one of {}", wanted.join(" or "));
    Err(Problem::new(what, fix).of(dir.join(leaf).display()).into())
}
