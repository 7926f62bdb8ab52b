//! MAC keys that stay in their store, as far as they are known here.
//!
//! There is no public half: such a key is known by the MAC that it makes of a constant, which is its
//! fingerprint, and the only MAC that can be told to be its own.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use super::hmac::{FINGERPRINT, Hmac, SHA1, SHA256, SHA384, SHA512, fingerprint};
use crate::cost::Cost;
use crate::keys::content::{Content, Derivation};
use crate::keys::key::{Algorithm, Form, Public, PublicKey};
use crate::keys::signature::Signature;

/// The MAC of [`FINGERPRINT`].
struct Held(Vec<u8>);

impl Algorithm {
    fn hmac(self) -> Option<Hmac> {
        [SHA1, SHA256, SHA384, SHA512].into_iter().find(|kind| kind.name == self.name())
    }

    /// A MAC under a key that is derived from one that stays in its store. `first` is the store's
    /// own MAC, over the first of what the key is derived over; from there on it is made here.
    pub(crate) fn mac_on(
        self,
        first: &[u8],
        derivation: &Derivation,
        message: &[u8],
    ) -> Option<Vec<u8>> {
        let (kind, (_, rest)) = (self.hmac()?, derivation.over.split_first()?);
        let key = kind.next(first, derivation.written);
        let key = kind.chain(key, rest, derivation.written);
        Some(hmac::sign(&key, message).as_ref().to_vec())
    }
}

impl PublicKey {
    /// A MAC key that stays in its store, by the MAC that it made of [`Algorithm::probe`]; `None` if
    /// that is none of this algorithm's.
    pub(crate) fn of_mac(algorithm: Algorithm, tag: &[u8]) -> Option<Self> {
        let length = algorithm.hmac()?.hash.digest_algorithm().output_len();
        (tag.len() == length).then(|| Self::new(algorithm, Held(tag.to_vec())))
    }
}

impl Public for Held {
    /// There is none.
    fn spki(&self) -> Vec<u8> {
        Vec::new()
    }

    fn fingerprint(&self) -> String {
        fingerprint(&self.0)
    }

    fn forms(&self) -> Vec<Form> {
        Vec::new()
    }

    fn verifying(&self) -> Cost {
        Cost::NOTHING
    }

    fn verifies(&self, content: Content<'_>, signature: &Signature) -> bool {
        let (Content::Message(FINGERPRINT), Signature::Octets(tag)) = (content, signature) else {
            return false;
        };
        verify_slices_are_equal(&self.0, tag).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::keys::content::Written;
    use crate::keys::{Encoding, PrivateKey};

    #[tokio::test]
    async fn a_held_key_is_known_as_the_same_key_in_memory() {
        for algorithm in [Algorithm::HMAC_SHA1, Algorithm::HMAC_SHA384] {
            let key = PrivateKey::parse_encoded(b"secret", Encoding::Text, Some(algorithm), None);
            let signer = key.unwrap().signer().unwrap();
            let signed = signer.sign(algorithm.probe()).await.unwrap();
            let Signature::Octets(tag) = &signed else { panic!("{signed:?}") };
            let held = PublicKey::of_mac(algorithm, tag).unwrap();
            assert_eq!(held.fingerprint(), signer.public_key().fingerprint());
            assert!(held.verifies(algorithm.probe(), &signed));
            assert!(!held.verifies(Content::Message(b"text"), &signed));
            assert!(PublicKey::of_mac(Algorithm::HMAC_SHA256, tag).is_none());

            // What a store begins is ended here as it would have been in memory.
            for written in [Written::Raw, Written::Base64, Written::Hex] {
                let over = vec![b"one".to_vec(), b"two".to_vec()];
                let derivation = Derivation { over, written, ..Derivation::default() };
                let content = Content::Mac { derivation: &derivation, message: b"text" };
                let whole = signer.sign(content).await.unwrap();
                let first = Arc::clone(&signer);
                let first = first.sign(Content::Message(b"one")).await.unwrap();
                let Signature::Octets(first) = first else { panic!("{first:?}") };
                let rest = algorithm.mac_on(&first, &derivation, b"text").unwrap();
                assert_eq!(whole, Signature::Octets(rest));
            }
        }
    }
}
