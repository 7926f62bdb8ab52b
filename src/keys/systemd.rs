//! Keys and secrets that systemd hands to a service: `LoadCredential=`, `LoadCredentialEncrypted=`,
//! `SetCredential=` and their like.
//!
//! They are files in `$CREDENTIALS_DIRECTORY`, decrypted there where they were encrypted, on memory
//! that is never swapped; nothing more is to be known of them than the directory.

use std::path::PathBuf;
use std::sync::Arc;

use super::env::variable;
use super::error::pasted;
use super::file::FileStore;
use super::file::readers::CREDENTIALS;
use super::key::BoxFuture;
use super::need::StoreVariables;
use super::store::all_entry;
use super::store::{ByteStore, KeyStore, StoreKind};
use crate::problem::Problem;
use crate::secret::Secret;

/// `kind = "systemd"`.
pub(crate) const KIND: StoreKind = StoreKind {
    name: "systemd",
    doc: "An entry is a credential of the unit (`LoadCredential=`, `LoadCredentialEncrypted=`), in \
          `$CREDENTIALS_DIRECTORY`.",
    scheme: "systemd",
    uri: "systemd:okx.pem",
    locate: all_entry,
    settings: &[],
    open: |_| KeyStore::Bytes(Arc::new(Credentials(directory().map(FileStore::plain)))),
    place: |_, entry| place(entry),
    file: |_, entry| Some(directory().unwrap_or_default().join(FileStore::file_of(entry))),
    needs: |_, _| Vec::new(),
    variables: |_| StoreVariables::default(),
};

/// Entry `X` is the credential `X`; `X#member` a member of the JSON object in it, as for files.
#[derive(Debug)]
struct Credentials(Option<FileStore>);

impl ByteStore for Credentials {
    fn read<'a>(&'a self, entry: &'a str) -> BoxFuture<'a, Result<Secret, Problem>> {
        let Some(files) = &self.0 else {
            let error = pasted(entry).unwrap_or_else(|| Problem::new(format!("is not there: the variable {CREDENTIALS} is not set"), format!(
                    "write LoadCredential={0}:/etc/countersign/{0} into the unit, and start the \
                     proxy by systemd",
                    FileStore::file_of(entry)
                )).of(place(entry)));
            return Box::pin(std::future::ready(Err(error)));
        };
        files.read(entry)
    }

    fn place(&self, entry: &str) -> String {
        self.0.as_ref().map_or_else(|| place(entry), |files| files.place(entry))
    }

    fn passphrase(&self) -> Result<(&str, Secret), (String, String)> {
        let fix = "store it without one, and have systemd encrypt it: systemd-creds encrypt";
        Err(("is encrypted, and credentials have no passphrase".into(), fix.into()))
    }
}

fn directory() -> Option<PathBuf> {
    variable(CREDENTIALS).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn place(entry: &str) -> String {
    format!("the credential {entry}")
}
