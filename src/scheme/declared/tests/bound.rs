//! A file bound to the keys, secrets and params of one of its vectors.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::keys::{PrivateKey, Signer};
use crate::scheme::declared::compiled::Compiled;
use crate::scheme::declared::scheme::Declared;
use crate::scheme::declared::trial::wait;
use crate::scheme::declared::vector::Vector;
use crate::scheme::{Binding, Head, Preimage, Signatures};
use crate::secret::{Secret, SecretCell};

/// A scheme and the private keys of its slots.
pub(super) struct Bound {
    pub(super) scheme: Declared,
    signers: BTreeMap<String, Arc<dyn Signer>>,
}

impl Bound {
    pub(super) fn of(compiled: &Arc<Compiled>, vector: &Vector) -> Self {
        let mut binding = Binding::default();
        let mut signers = BTreeMap::new();
        for slot in &compiled.slots {
            let written = vector.keys[&slot.name].expose();
            let read = slot.algorithms.iter().find_map(|algorithm| {
                PrivateKey::parse_encoded(written, slot.secret, Some(*algorithm), None).ok()
            });
            let signer = read.expect("a key of the slot").signer().expect("it signs");
            binding.keys.insert(slot.name.clone(), signer.public_key().clone());
            signers.insert(slot.name.clone(), signer);
        }
        for own in &compiled.secrets {
            let secret = Secret::new(vector.secrets[&own.name].clone().into_bytes());
            binding.secrets.insert(own.name.clone(), SecretCell::fixed(secret));
        }
        for own in &compiled.params {
            let param = vector.params.get(&own.name).or(own.default.as_ref());
            binding.params.insert(own.name.clone(), param.cloned().unwrap_or_default());
        }
        Self { scheme: Declared::bind(compiled, &binding).expect("all is bound"), signers }
    }

    /// What the keys make of the texts; none where one of them does not sign such a text.
    pub(super) fn sign(&self, preimages: &[Preimage]) -> Option<Signatures> {
        let mut signatures = Signatures::default();
        for preimage in preimages {
            let signer = &self.signers[preimage.slot.as_ref()];
            signatures.insert(preimage.slot.clone(), wait(signer.sign(preimage.content())).ok()?);
        }
        Some(signatures)
    }
}

/// A vector's request.
pub(super) fn request(compiled: &Compiled, vector: &Vector) -> (Head, Bytes) {
    let head = vector.request.head(&compiled.host).expect("a request");
    (head, vector.request.body.clone().into())
}
