//! Keys and secrets in environment variables.
//!
//! A value is what is between its quotation marks, if it has any, and has no byte order mark.

use std::ffi::OsString;
use std::fmt;
use std::future::ready;
use std::sync::Arc;

use super::error::pasted;
use super::formats::{plain, unquoted};
use super::key::BoxFuture;
use super::need::StoreVariables;
use super::store::{ByteStore, KeyStore, SettingKind, StoreKind, StoreSetting, StoreSettings};
use crate::problem::Problem;
use crate::secret::Secret;

/// `kind = "env"`.
pub(crate) const KIND: StoreKind = StoreKind {
    name: "env",
    doc: "An entry is the end of a variable's name.",
    scheme: "env",
    uri: "env:OKX_SECRET",
    locate: |rest| Ok((vec![(PREFIX, String::new())], rest.to_owned())),
    settings: &[StoreSetting {
        name: PREFIX,
        kind: SettingKind::Prefix,
        default: Some(PRIVATE),
        required: false,
        example: "\"COUNTERSIGN_\"",
        doc: "How the variables' names begin: entry `TOKENS` is `COUNTERSIGN_TOKENS`.",
    }],
    open: |settings| KeyStore::Bytes(Arc::new(EnvStore::new(prefix(settings)))),
    place: |settings, entry| place(&prefix(settings), entry),
    file: |_, _| None,
    needs: |_, _| Vec::new(),
    variables: |settings| StoreVariables { prefix: settings.text(PREFIX), named: Vec::new() },
};

const PREFIX: &str = "prefix";

fn prefix(settings: &StoreSettings) -> String {
    settings.text(PREFIX).unwrap_or_default()
}

/// Entry `X` is the variable named by the store's prefix and `X`.
struct EnvStore {
    prefix: String,
    lookup: Lookup,
}

/// Where variables are looked up: [`variable`], or a test's own table.
pub(crate) type Lookup = fn(&str) -> Option<OsString>;

impl EnvStore {
    /// A store of the variables whose names begin with `prefix`, which may be empty.
    fn new(prefix: String) -> Self {
        Self { prefix, lookup: variable }
    }

    fn read_now(&self, entry: &str) -> Result<Secret, Problem> {
        let name = self.name(entry);
        let failed = |what: &str| {
            Problem::new(what, format!("export {name}=...")).of(place(&self.prefix, entry))
        };
        let missing = || pasted(entry).unwrap_or_else(|| failed("is not set"));
        let value = (self.lookup)(&name).ok_or_else(missing)?;
        let value = Secret::new(value.into_encoded_bytes());
        if value.expose().is_empty() {
            return Err(failed("is empty"));
        }
        if std::str::from_utf8(value.expose()).is_err() {
            return Err(failed("is not Unicode text"));
        }
        // A shell takes quotes away, `docker --env-file` and its like keep them: whoever wrote them
        // meant what is inside.
        let inside = unquoted(value.expose()).unwrap_or_else(|| value.expose());
        let mut plain = plain(inside).map_err(|error| failed(&error.what))?;
        if plain.is_empty() {
            return Err(failed("is empty but for quotation marks"));
        }
        Ok(Secret::new(std::mem::take(&mut *plain)))
    }

    fn name(&self, entry: &str) -> String {
        format!("{}{entry}", self.prefix)
    }
}

fn place(prefix: &str, entry: &str) -> String {
    format!("the variable {prefix}{entry}")
}

impl ByteStore for EnvStore {
    fn read<'a>(&'a self, entry: &'a str) -> BoxFuture<'a, Result<Secret, Problem>> {
        Box::pin(ready(self.read_now(entry)))
    }

    fn place(&self, entry: &str) -> String {
        place(&self.prefix, entry)
    }

    fn passphrase(&self) -> Result<(&str, Secret), (String, String)> {
        let fix = "keep it in a file store with passphrase_env, or store it unencrypted";
        Err(("is encrypted, and variables have no passphrase".into(), fix.into()))
    }
}

impl fmt::Debug for EnvStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvStore({}*)", self.prefix)
    }
}

/// A variable of this process's environment.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// How the names of variables begin that are for this program alone.
pub(super) const PRIVATE: &str = "COUNTERSIGN_";

/// The variables of this process's environment that are for it alone.
pub(super) fn private_variables() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.as_encoded_bytes().starts_with(PRIVATE.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Algorithm, Encoding, KeySpec, PrivateKey};

    const NUMBER: &str = "65310c1ec3061ce77435570772eda106648ca04d0f6f4ba0286985fd9cf51206";

    fn lookup(name: &str) -> Option<OsString> {
        match name {
            "CS_KEY" => Some(format!("{NUMBER}\n").into()),
            "CS_TOKEN" => Some(" t0ken\n".into()),
            "CS_QUOTED" => Some("\"t0k\\nen'\"".into()),
            "CS_MARKED" => Some("\u{feff}t0ken".into()),
            "CS_QUOTES" => Some("''".into()),
            "CS_EMPTY" => Some(OsString::new()),
            #[cfg(unix)]
            "CS_LATIN" => Some(std::os::unix::ffi::OsStringExt::from_vec(vec![b'a', 0xe9])),
            "CS_LOCKED" => {
                let passphrase = Secret::new(b"sesame".to_vec());
                let key = PrivateKey::generate(Algorithm::ECDSA_P256);
                Some(key.to_encrypted_pem(&passphrase).unwrap().as_str().into())
            }
            _ => None,
        }
    }

    fn store() -> KeyStore {
        KeyStore::Bytes(Arc::new(EnvStore { lookup, ..EnvStore::new("CS_".into()) }))
    }

    fn spec(entry: &str, algorithm: Option<Algorithm>) -> KeySpec {
        KeySpec {
            name: "test".into(),
            entry: entry.into(),
            algorithm,
            candidates: vec![],
            encoding: Encoding::Text,
        }
    }

    #[tokio::test]
    async fn a_variable_is_a_key_or_a_secret_as_it_is() {
        let signer = store().open(&spec("KEY", Some(Algorithm::ECDSA_SECP256K1))).await.unwrap();
        let point = base16ct::lower::encode_string(&signer.public_key().compressed());
        assert_eq!(&point[2..], "2a5ba4ecba86735521a7d929b2da48dc45656ab93f789f48da3f9c8df408ea6c");
        for (entry, value) in
            [("TOKEN", &b" t0ken\n"[..]), ("QUOTED", b"t0k\\nen'"), ("MARKED", b"t0ken")]
        {
            assert_eq!(store().read(entry).await.unwrap().expose(), value, "{entry}");
        }
    }

    #[tokio::test]
    async fn errors_name_the_variable_and_never_its_value() {
        let table = [
            ("NONE", "the variable CS_NONE is not set"),
            ("EMPTY", "the variable CS_EMPTY is empty"),
            ("QUOTES", "the variable CS_QUOTES is empty but for quotation marks"),
            #[cfg(unix)]
            ("LATIN", "the variable CS_LATIN is not Unicode text"),
        ];
        for (entry, message) in table {
            let error = store().read(entry).await.unwrap_err();
            assert_eq!(error.to_string(), message);
            assert_eq!(error.fix, format!("export CS_{entry}=..."));
        }
        for (entry, message) in [
            ("KEY", "the variable CS_KEY is a bare number"),
            ("TOKEN", "the variable CS_TOKEN is not a private key"),
            ("LOCKED", "the variable CS_LOCKED is encrypted, and variables have no passphrase"),
        ] {
            let error = store().open(&spec(entry, None)).await.unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
            assert!(!error.contains("t0ken") && !error.contains(&NUMBER[..8]), "{error}");
        }
    }
}
