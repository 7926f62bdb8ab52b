//! A store of signers, and the names of kinds and settings.

use super::*;
use crate::keys::Content;

/// A device with one key.
#[derive(Debug)]
struct Device(Arc<dyn Signer>);

impl SignerStore for Device {
    fn open<'a>(&'a self, _: &'a KeySpec) -> BoxFuture<'a, Result<Arc<dyn Signer>, Problem>> {
        Box::pin(ready(Ok(Arc::clone(&self.0))))
    }
}

#[tokio::test]
async fn a_store_of_signers_signs_and_gives_no_bytes() {
    let key = PrivateKey::generate(Algorithm::ECDSA_P256);
    let store = KeyStore::Signers(Arc::new(Device(key.signer().unwrap())));
    let spec = KeySpec::of("k", None);
    let signer = store.open(&spec).await.unwrap();
    let signature = signer.sign(Content::Message(b"text")).await.unwrap();
    assert!(key.public_key().verifies(Content::Message(b"text"), &signature));
    let error = store.read("k").await.unwrap_err();
    assert_eq!(error.what, "the entry \"k\" is in a store of keys, which gives no secrets");
}

#[test]
fn names_of_kinds_and_settings_are_found_once() {
    for (at, kind) in crate::stores::STORES.iter().enumerate() {
        assert!(crate::stores::STORES[at + 1..].iter().all(|other| other.name != kind.name));
        for setting in kind.settings {
            assert!(!setting.required || setting.default.is_none(), "{}", setting.name);
        }
    }
}
