//! Keys and secrets in the files of a directory.
//!
//! Files that others may read are refused, as ssh refuses them; `readers` has the two exceptions. So are
//! those that another user owns, and those in a directory where others could put another.
//! Permissions are those of the opened file, so that nothing can be exchanged between the look and
//! the reading; symbolic links are followed, which is how orchestrators mount secrets.

pub(super) mod readers;

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::future::ready;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::env::{Lookup, variable};
use super::error::pasted;
use super::formats::{Members, plain};
use super::key::BoxFuture;
use super::need::StoreVariables;
use super::store::Parts;
use super::store::{ByteStore, KeyStore, SettingKind, StoreKind, StoreSetting};
use crate::problem::Problem;
use crate::secret::Secret;
use crate::strict_modes;

/// `kind = "file"`.
pub(crate) const KIND: StoreKind = StoreKind {
    name: "file",
    doc: "An entry is a file, or `file#member` of a JSON object in one. Its owner alone may read it; or \
          root owns it, and its group is one of the process's own.",
    scheme: "file",
    uri: "file:keys/okx.pem",
    locate,
    settings: &[
        StoreSetting {
            name: DIR,
            kind: SettingKind::Directory,
            default: None,
            required: true,
            example: "\"keys\"",
            doc: "The directory of the files, which nobody else may write.",
        },
        StoreSetting {
            name: PASSPHRASE_ENV,
            kind: SettingKind::Variable,
            default: None,
            required: false,
            example: "\"COUNTERSIGN_PASSPHRASE\"",
            doc: "The variable with the passphrase that opens encrypted keys.",
        },
    ],
    open: |settings| {
        let dir = settings.path(DIR).to_owned();
        KeyStore::Bytes(Arc::new(FileStore::new(dir, settings.text(PASSPHRASE_ENV))))
    },
    place: |settings, entry| settings.path(DIR).join(entry).display().to_string(),
    file: |settings, entry| Some(settings.path(DIR).join(FileStore::file_of(entry))),
    needs: |_, _| Vec::new(),
    variables: |settings| StoreVariables {
        prefix: None,
        named: settings.text(PASSPHRASE_ENV).into_iter().collect(),
    },
};

/// A path: the directory is the store's, and the file's name the entry.
fn locate(rest: &str) -> Result<Parts, &'static str> {
    let path = Path::new(rest);
    let name = path.file_name().ok_or("names no file")?;
    let dir = path.parent().unwrap_or_else(|| Path::new(""));
    let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
    Ok((vec![(DIR, text(dir.as_os_str()))], text(name)))
}

const DIR: &str = "dir";
const PASSPHRASE_ENV: &str = "passphrase_env";

/// Reads a file that nobody else may read, as an entry of a store.
///
/// # Errors
///
/// Which file, what is wrong with it, and how to mend it.
pub(crate) fn read_private(path: &Path) -> Result<Secret, Problem> {
    let dir = path.parent().unwrap_or_else(|| Path::new("")).to_owned();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    FileStore::plain(dir).read_whole(&name)
}

/// Entry `X` is the file `X` in the store's directory, and entry `X#member` the text of that member
/// of the JSON object in the file `X`: providers export tokens beside keys.
pub(super) struct FileStore {
    dir: PathBuf,
    passphrase_env: Option<String>,
    lookup: Lookup,
}

impl FileStore {
    /// A store of the files in `dir`. `passphrase_env` names the variable with the passphrase of
    /// encrypted keys; it is looked up when one is opened, and not kept.
    pub(super) fn new(dir: PathBuf, passphrase_env: Option<String>) -> Self {
        Self { dir, passphrase_env, lookup: variable }
    }

    /// A store of files that no passphrase opens.
    pub(super) fn plain(dir: PathBuf) -> Self {
        Self::new(dir, None)
    }

    /// The file that an entry is in: `account.json#apiKey` is a member of one.
    pub(super) fn file_of(entry: &str) -> &str {
        entry.rsplit_once('#').map_or(entry, |(file, _)| file)
    }

    fn read_now(&self, entry: &str) -> Result<(PathBuf, Secret), Problem> {
        let path = self.path(entry)?;
        let failed = |what: String, fix: String| Problem::new(what, fix).of(path.display());
        let file = File::open(&path).map_err(|error| {
            pasted(entry).unwrap_or_else(|| {
                let (what, fix) = cannot_open(&error, &path);
                failed(what, fix)
            })
        })?;
        check(&file, &path).map_err(|(what, fix)| failed(what, fix))?;
        strict_modes::check(&path)?;
        let bytes = read_all(file)
            .map_err(|error| failed(format!("cannot be read: {error}"), "try again".into()))?;
        match bytes.expose().len() {
            0 => Err(failed("is empty".into(), "put the key or secret into it".into())),
            length if length as u64 > MAX_BYTES => Err(failed(too_long(), NAME_THE_FILE.into())),
            _ => Ok((path, bytes)),
        }
    }

    fn read_whole(&self, entry: &str) -> Result<Secret, Problem> {
        let (path, bytes) = self.read_now(entry)?;
        let mut plain = plain(bytes.expose()).map_err(|error| {
            let path = path.display().to_string();
            Problem::new(error.what, error.fix.replace("FILE", &path)).of(path)
        })?;
        Ok(Secret::new(std::mem::take(&mut *plain)))
    }

    fn read_member(&self, file: &str, member: &str) -> Result<Secret, Problem> {
        let json = self.read_whole(file)?;
        let path = self.path(file)?;
        let failed = |what: String, fix: &str| Problem::new(what, fix).of(path.display());
        let members = Members::read(json.expose())
            .ok_or_else(|| failed("is not a JSON object".into(), "name a file of JSON before #"))?;
        let text = members.get(member).ok_or_else(|| {
            let what = format!("has no member {member:?} that is text");
            failed(what, "name one of the JSON object's own members after #")
        })?;
        if text.is_empty() {
            return Err(failed(
                format!("has an empty member {member:?}"),
                "put the secret into it",
            ));
        }
        Ok(Secret::new(text.as_bytes().to_vec()))
    }

    /// The absolute path of an entry, which is inside the directory.
    fn path(&self, entry: &str) -> Result<PathBuf, Problem> {
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if entry.is_empty() || !Path::new(entry).components().all(inside) {
            return Err(pasted(entry).unwrap_or_else(|| {
                let what = format!("is not the name of a file in {}", self.dir.display());
                let fix = "name a file in the store's dir, without a leading / and without ..";
                Problem::new(what, fix).of(format_args!("the entry {entry:?}"))
            }));
        }
        let path = self.dir.join(entry);
        Ok(std::path::absolute(&path).unwrap_or(path))
    }
}

impl ByteStore for FileStore {
    fn read<'a>(&'a self, entry: &'a str) -> BoxFuture<'a, Result<Secret, Problem>> {
        Box::pin(ready(match entry.rsplit_once('#') {
            Some((file, member)) => self.read_member(file, member),
            None => self.read_whole(entry),
        }))
    }

    fn place(&self, entry: &str) -> String {
        let path = self.dir.join(Self::file_of(entry));
        std::path::absolute(&path).unwrap_or(path).display().to_string()
    }

    fn passphrase(&self) -> Result<(&str, Secret), (String, String)> {
        let Some(name) = &self.passphrase_env else {
            return Err((
                "is encrypted, and its store names no passphrase".into(),
                "add passphrase_env = \"COUNTERSIGN_PASSPHRASE\" to the store, under [stores]"
                    .into(),
            ));
        };
        match (self.lookup)(name).map(OsString::into_encoded_bytes) {
            Some(value) if !value.is_empty() => Ok((name, Secret::new(value))),
            _ => Err((
                format!("is encrypted, and the variable {name} with its passphrase is not set"),
                format!("set {name}"),
            )),
        }
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileStore({})", self.dir.display())
    }
}

fn cannot_open(error: &io::Error, path: &Path) -> (String, String) {
    if error.kind() == io::ErrorKind::NotFound {
        let fix = "put the file there, or mend the entry's name or the store's dir";
        return ("does not exist".into(), fix.into());
    }
    if error.kind() == io::ErrorKind::PermissionDenied {
        let fix = format!("give it to the user countersign runs as: chown USER {}", path.display());
        return ("may not be read by this user".into(), fix);
    }
    (format!("cannot be opened: {error}"), NAME_THE_FILE.into())
}

/// What the opened file must be before a byte of it is read.
fn check(file: &File, path: &Path) -> Result<(), (String, String)> {
    let found = file
        .metadata()
        .map_err(|error| (format!("cannot be looked at: {error}"), "try again".into()))?;
    if found.is_dir() {
        return Err(("is a directory".into(), NAME_THE_FILE.into()));
    }
    if !found.is_file() {
        return Err(("is not a regular file".into(), NAME_THE_FILE.into()));
    }
    if let Some(mode) = readers::too_open(path, &found) {
        let what = format!("is open to its group or to others (mode {mode:04o})");
        return Err((what, format!("chmod 600 {}", path.display())));
    }
    if found.len() > MAX_BYTES {
        return Err((too_long(), NAME_THE_FILE.into()));
    }
    Ok(())
}

/// Reads one byte beyond the limit at most, so that a file that grew shows.
fn read_all(file: File) -> io::Result<Secret> {
    let length = file.metadata()?.len().min(MAX_BYTES);
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let room = usize::try_from(length).map_err(io::Error::other)? + 64;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(Secret::new(std::mem::take(&mut *bytes)))
}

fn too_long() -> String {
    format!("is longer than {} KiB", MAX_BYTES / 1024)
}

const NAME_THE_FILE: &str = "name the file itself";
const MAX_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use tempfile::TempDir;

    use super::*;
    use crate::keys::{Algorithm, Encoding, KeySpec, PrivateKey};

    fn lookup(name: &str) -> Option<OsString> {
        match name {
            "RIGHT" => Some("sesame".into()),
            "WRONG" => Some("semase".into()),
            "EMPTY" => Some(OsString::new()),
            _ => None,
        }
    }

    fn store(dir: &TempDir, passphrase_env: Option<&str>) -> KeyStore {
        let passphrase_env = passphrase_env.map(str::to_owned);
        let store = FileStore { lookup, ..FileStore::new(dir.path().into(), passphrase_env) };
        KeyStore::Bytes(Arc::new(store))
    }

    fn write(dir: &TempDir, name: &str, bytes: &[u8], mode: u32) {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    fn spec(entry: &str) -> KeySpec {
        KeySpec {
            name: "test".into(),
            entry: entry.into(),
            algorithm: None,
            candidates: vec![],
            encoding: Encoding::Text,
        }
    }

    #[tokio::test]
    async fn a_key_opens_by_name_and_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let key = PrivateKey::generate(Algorithm::ECDSA_P256);
        fs::create_dir(dir.path().join("sub")).unwrap();
        write(&dir, "sub/a.pem", key.to_text().as_bytes(), 0o400);
        symlink("sub/a.pem", dir.path().join("link.pem")).unwrap();
        for entry in ["sub/a.pem", "./sub/a.pem", "link.pem"] {
            let signer = store(&dir, None).open(&spec(entry)).await.unwrap();
            assert_eq!(signer.public_key(), &key.public_key(), "{entry}");
        }
    }

    #[tokio::test]
    async fn secrets_are_read_as_they_are_but_for_a_byte_order_mark() {
        let dir = tempfile::tempdir().unwrap();
        let long = vec![b'x'; 1024 * 1024];
        for content in [&b" token\r\n"[..], &[0, 0xff], b"\"token\"", &long] {
            write(&dir, "token", content, 0o600);
            let read = store(&dir, None).read("token").await.unwrap();
            assert!(read.expose() == content);
        }
        write(&dir, "token", b"\xef\xbb\xbftoken\n", 0o600);
        assert_eq!(store(&dir, None).read("token").await.unwrap().expose(), b"token\n");
        write(&dir, "token", b"\xff\xfet\0k\0", 0o600);
        let error = store(&dir, None).read("token").await.unwrap_err();
        assert!(error.what.contains("UTF-16") && error.fix.contains("token"), "{error:?}");
    }

    #[tokio::test]
    async fn a_member_of_a_json_object_is_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let account = br#"{"accountId": 5, "apiKey": "t0k\u0065n", "empty": "", "a#b": "c"}"#;
        write(&dir, "account.json", account, 0o600);
        write(&dir, "list.json", b"[\"t0ken\"]", 0o600);
        write(&dir, "open.json", account, 0o644);
        let read = store(&dir, None).read("account.json#apiKey").await.unwrap();
        assert_eq!(read.expose(), b"t0ken");
        for (entry, what) in [
            ("account.json#accountId", "has no member \"accountId\" that is text"),
            ("account.json#none", "has no member \"none\" that is text"),
            ("account.json#", "has no member \"\" that is text"),
            ("account.json#empty", "has an empty member \"empty\""),
            ("account.json#a#b", "does not exist"),
            ("list.json#apiKey", "is not a JSON object"),
            ("open.json#apiKey", "is open to its group or to others (mode 0644)"),
            ("none.json#apiKey", "does not exist"),
            ("../account.json#apiKey", "is not the name of a file in"),
        ] {
            let error = store(&dir, None).read(entry).await.unwrap_err();
            assert!(error.what.contains(what), "{entry}: {error}");
            assert!(!format!("{error:?}").contains("t0k"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn entries_stay_inside_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir, "a", b"x", 0o600);
        let absolute = dir.path().join("a").display().to_string();
        for entry in ["", "..", "../a", "sub/../a", "/etc/passwd", &absolute] {
            let error = store(&dir, None).read(entry).await.unwrap_err();
            let what = format!("the entry {entry:?} is not the name of a file in ");
            assert!(error.what.starts_with(&what), "{error}");
        }
    }

    #[tokio::test]
    async fn files_open_to_others_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601, 0o644] {
            write(&dir, "a", b"x", mode);
            symlink("a", dir.path().join("link")).ok();
            for entry in ["a", "link"] {
                let error = store(&dir, None).read(entry).await.unwrap_err();
                assert!(error.what.ends_with(&format!("(mode {mode:04o})")), "{error}");
                let path = dir.path().join(entry);
                assert_eq!(error.fix, format!("chmod 600 {}", path.display()));
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_file_of_the_right_size_says_so() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        write(&dir, "empty", b"", 0o600);
        write(&dir, "long", &vec![b'0'; 64 * 1024 + 1], 0o600);
        write(&dir, "longer", &vec![b'0'; 1024 * 1024 + 1], 0o600);
        for (entry, key, message) in [
            ("none", false, "does not exist"),
            ("sub", false, "is a directory"),
            ("empty", false, "is empty"),
            ("long", true, "is 65537 bytes, far too long for a private key"),
            ("longer", false, "is longer than 1024 KiB"),
        ] {
            let store = store(&dir, None);
            let error = match key {
                true => store.open(&spec(entry)).await.unwrap_err(),
                false => store.read(entry).await.unwrap_err(),
            };
            assert_eq!(error.what, format!("{} {message}", dir.path().join(entry).display()));
        }
        assert!(store(&dir, None).read("long").await.is_ok(), "the limit of secrets is higher");
    }

    #[tokio::test]
    async fn a_bad_key_is_explained_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let text = b"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n-----END EC PRIVATE KEY-----";
        write(&dir, "a", text, 0o600);
        let error = store(&dir, None).open(&spec("a")).await.unwrap_err();
        let path = dir.path().join("a").display().to_string();
        assert!(error.what.starts_with(&format!("{path} ")), "{error}");
        assert!(error.fix.ends_with(&format!("-in {path} -out {path}.new")), "{}", error.fix);
    }

    #[tokio::test]
    async fn encrypted_keys_say_which_passphrase_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let key = PrivateKey::generate(Algorithm::ECDSA_SECP256K1);
        let pem = key.to_encrypted_pem(&Secret::new(b"sesame".to_vec())).unwrap();
        write(&dir, "a", pem.as_bytes(), 0o600);
        let opened = store(&dir, Some("RIGHT")).open(&spec("a")).await.unwrap();
        assert_eq!(opened.public_key(), &key.public_key());
        for (variable, what, fix) in [
            (None, "its store names no passphrase", "add passphrase_env = \"COUNTERSIGN_PASS"),
            (Some("UNSET"), "UNSET with its passphrase is not set", "set UNSET"),
            (Some("EMPTY"), "EMPTY with its passphrase is not set", "set EMPTY"),
            (Some("WRONG"), "the passphrase in WRONG does not open it", "set WRONG to the pass"),
        ] {
            let error = store(&dir, variable).open(&spec("a")).await.unwrap_err();
            assert!(error.what.ends_with(what), "{error}");
            assert!(error.fix.starts_with(fix), "{}", error.fix);
            assert!(!format!("{error:?}").contains("semase"));
        }
    }
}
