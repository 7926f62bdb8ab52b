//! Cobo's callbacks: whom the gateway believes, what it seals for which answer, and the same from
//! the node's side. The rule above all: no approval that the service did not give for that very
//! request.

mod answers;
mod asking;
mod attacks;
mod belonging;
mod given;
mod judged;
mod local;
mod once;
mod python;
#[cfg(feature = "redis")]
mod replicas;
mod rules;
mod sending;
mod verdicts;

use std::sync::Arc;

use countersign::keys::{PublicKey, Signature};
use countersign::scheme::{Binding, Bound, Envelope, Preimage, Signatures};

use crate::support::cobo::Party;
use crate::support::dialect::{SLOT, entry};

/// What a route of this scheme binds: whose key seals, whose tokens are believed, and parameters
/// that are not as they are when left out.
fn binding(scheme: &str, own: &Party, other: &str, params: &[(&str, &str)]) -> Binding {
    let mut binding = Binding::default();
    let key = PublicKey::from_pem(own.public_pem.as_bytes()).expect("the vectors have good keys");
    binding.keys.insert(SLOT.to_owned(), key);
    binding.params = entry(scheme).defaults();
    for (name, value) in params {
        let known = binding.params.insert((*name).to_owned(), (*value).to_owned());
        assert!(known.is_some(), "{name} is no param");
    }
    binding.files.insert("verify_with".to_owned(), other.as_bytes().to_vec());
    binding
}

/// The gateway's side, with the vectors' keys.
fn envelope(params: &[(&str, &str)]) -> Arc<dyn Envelope> {
    let (server, node) = (Party::server(), Party::node());
    let binding = binding("cobo_callback", &server, &node.public_pem, params);
    match entry("cobo_callback").bind(&binding) {
        Ok(Bound::Envelope(envelope)) => envelope,
        other => panic!("{other:?}"),
    }
}

/// What a party's key makes of the texts to sign.
fn sign(party: &Party, preimages: &[Preimage]) -> Signatures {
    let mut signatures = Signatures::default();
    for preimage in preimages {
        signatures
            .insert(preimage.slot.clone(), Signature::Octets(party.signature(&preimage.text)));
    }
    signatures
}
