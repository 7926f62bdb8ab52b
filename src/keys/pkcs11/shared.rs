//! What is known of a MAC's key that does not leave its token: the MACs that it makes.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::fault::Fault;
use super::signer::Held;
use crate::keys::algorithm::hmac;
use crate::keys::key::{Form, Public};
use crate::keys::{Content, PublicKey, Signature};

/// In place of a public half.
struct Shared {
    key: Arc<Held>,
    fingerprint: String,
    /// The MAC of what keys are tried with: the trial at a load asks the token once, and nobody waits
    /// for it here.
    probe: Vec<u8>,
}

/// Asks the token for what is to be known. It blocks.
pub(super) fn public_key(key: &Arc<Held>) -> Result<PublicKey, Fault> {
    let algorithm = key.asked.algorithm;
    let Content::Message(probe) = algorithm.probe() else {
        return Err(Fault::Refused("the algorithm is none of a MAC"));
    };
    let (mac, probe) = (key.ask(hmac::FINGERPRINT)?, key.ask(probe)?);
    let fingerprint = match mac.len() {
        0..16 => return Err(Fault::Refused("the token's MACs are too short")),
        _ => hmac::fingerprint(&mac),
    };
    Ok(PublicKey::new(algorithm, Shared { key: Arc::clone(key), fingerprint, probe }))
}

impl Public for Shared {
    /// There is none.
    fn spki(&self) -> Vec<u8> {
        Vec::new()
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    fn forms(&self) -> Vec<Form> {
        Vec::new()
    }

    /// Of anything but the trial, the token is asked, and waited for.
    fn verifies(&self, content: Content<'_>, signature: &Signature) -> bool {
        let Signature::Octets(octets) = signature else { return false };
        let probe = self.key.asked.algorithm.probe();
        if let (Content::Message(message), Content::Message(probe)) = (content, probe)
            && message == probe
        {
            return verify_slices_are_equal(octets, &self.probe).is_ok();
        }
        self.key.mac(content).is_ok_and(|mac| verify_slices_are_equal(octets, &mac).is_ok())
    }
}
