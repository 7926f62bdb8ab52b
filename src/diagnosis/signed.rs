//! Signatures that nothing explains, and the key that several of them are of.

use crate::keys::{Hashing, PublicKey, Signature};
use crate::scheme::Suspect;

/// A signature that is not this route's key's, and the text that it should be of.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The key that it should be of.
    pub key: PublicKey,
    /// The signature.
    pub signature: Signature,
    /// The text.
    pub text: Vec<u8>,
    /// How the text becomes what is signed.
    pub hashing: Hashing,
}

impl Signed {
    /// Of a signature over a text that is no secret.
    pub(super) fn of(suspect: &Suspect) -> Option<Self> {
        let Suspect { key, signature, wanted, .. } = suspect;
        let (text, hashing) = (wanted.text.clone(), wanted.hashing.clone());
        (!wanted.secret).then(|| Self {
            key: key.clone(),
            signature: signature.clone(),
            text,
            hashing,
        })
    }
}

/// The keys, found from both signatures over the texts that are wanted, that signed all of them.
pub fn recovered(signed: &[Signed]) -> Vec<PublicKey> {
    let mut all = signed.iter().map(|own| {
        let digest = own.hashing.digest();
        digest.map_or_else(Vec::new, |digest| {
            PublicKey::recover(own.key.algorithm(), digest, &own.signature)
        })
    });
    let mut common = all.next().unwrap_or_default();
    for keys in all {
        common.retain(|key| keys.contains(key));
    }
    common
}
