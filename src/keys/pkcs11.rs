//! Keys in a token by PKCS#11: a hardware security module, a TPM, a smart card, or SoftHSM.
//!
//! A key signs in the token and never comes here; what comes here is the vendor's module, a library
//! that is loaded into this process. It blocks, so that it has threads of its own.

#[cfg(feature = "pkcs11")]
mod fault;
#[cfg(feature = "pkcs11")]
mod making;
#[cfg(feature = "pkcs11")]
mod mechanism;
#[cfg(feature = "pkcs11")]
mod module;
#[cfg(feature = "pkcs11")]
mod object;
#[cfg(feature = "pkcs11")]
mod signer;
#[cfg(feature = "pkcs11")]
mod store;
#[cfg(feature = "pkcs11")]
mod token;
mod uri;

use super::need::{Need, StoreVariables};
use super::store::{KeyStore, SettingKind, StoreKind, StoreSetting, StoreSettings};
use uri::{MODULE, PIN, SERIAL, TOKEN, place};

/// `kind = "pkcs11"`.
pub(crate) const KIND: StoreKind = StoreKind {
    name: "pkcs11",
    doc: "An entry is a key's label (`CKA_LABEL`), or what a PKCS#11 URI says of it: `id=%01%02`, \
          `object=okx;id=%01`. It signs in the token: secp256k1, P-256, Ed25519, RSA and HMAC.",
    scheme: "pkcs11",
    uri: "pkcs11:token=…;object=…?module-path=…&pin-source=…",
    locate: uri::locate,
    settings: &[
        StoreSetting {
            name: MODULE,
            kind: SettingKind::File,
            default: None,
            required: true,
            example: "\"/usr/lib/softhsm/libsofthsm2.so\"",
            doc: "The module: the vendor's library.",
        },
        StoreSetting {
            name: TOKEN,
            kind: SettingKind::Text,
            default: None,
            required: false,
            example: "\"trading\"",
            doc: "The token's label; it and `serial` may be left out where there is one token.",
        },
        StoreSetting {
            name: SERIAL,
            kind: SettingKind::Text,
            default: None,
            required: false,
            example: "\"3c2a6d0f9e1b7a54\"",
            doc: "The token's serial number.",
        },
        StoreSetting {
            name: PIN,
            kind: SettingKind::Secret,
            default: None,
            required: false,
            example: "\"file:keys/pin\"",
            doc: "Where the user's PIN is: a key URI of a file, a variable, a credential or a command.",
        },
    ],
    open,
    place: |settings, entry| place(&settings.text(TOKEN).unwrap_or_default(), entry),
    file: |_, _| None,
    needs: |_, _| vec![Need::Library],
    variables: |_| StoreVariables::default(),
};

#[cfg(feature = "pkcs11")]
fn open(settings: &StoreSettings) -> KeyStore {
    KeyStore::Signers(std::sync::Arc::new(store::Tokens::new(settings)))
}

#[cfg(not(feature = "pkcs11"))]
fn open(_: &StoreSettings) -> KeyStore {
    use super::key::{BoxFuture, Signer};
    use super::store::{KeySpec, SignerStore};
    use crate::problem::Problem;

    #[derive(Debug)]
    struct LeftOut;

    impl SignerStore for LeftOut {
        fn open<'a>(
            &'a self,
            key: &'a KeySpec,
        ) -> BoxFuture<'a, Result<std::sync::Arc<dyn Signer>, Problem>> {
            let problem = Problem::new(
                "is out of reach: this program was built without PKCS#11",
                "build it with the cargo feature `pkcs11`, which is on by default",
            );
            Box::pin(std::future::ready(Err(problem.of(place("", &key.entry)))))
        }
    }

    KeyStore::Signers(std::sync::Arc::new(LeftOut))
}
