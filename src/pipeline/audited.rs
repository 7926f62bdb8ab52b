//! The audit of signatures on the way of a request: its entry before anything is sent.

use base16ct::lower::encode_string as hex;
use sha2::{Digest as _, Sha256};

use crate::audit::{Sending, Signatures, Signed};
use crate::keys::Content;
use crate::record::Record;
use crate::refusal::{Code, Refusal};
use crate::route::Route;
use crate::scheme::Preimage;
use crate::snapshot::Snapshot;

/// Writes down what is signed and about to be sent; nothing where there is no audit.
///
/// # Errors
///
/// `audit_failed`: it must not be sent.
pub(super) async fn written(
    snapshot: &Snapshot,
    route: &Route,
    preimages: &[Preimage],
    record: &mut Record,
) -> Result<(), Refusal> {
    match &snapshot.signatures {
        None => Ok(()),
        // Boxed, as is all that is rare.
        Some(audit) => Box::pin(write(audit, snapshot, route, preimages, record)).await,
    }
}

async fn write(
    audit: &Signatures,
    snapshot: &Snapshot,
    route: &Route,
    preimages: &[Preimage],
    record: &mut Record,
) -> Result<(), Refusal> {
    let (client, peer) = record.sender();
    let sending = Sending {
        id: record.id().into(),
        route: route.name.clone(),
        client: client.map(str::to_owned),
        peer,
        signatures: preimages.iter().filter_map(|preimage| signed(route, preimage)).collect(),
    };
    let (sent, done) = audit.sending(sending, snapshot.timeouts.log).await;
    record.audited(sent);
    done.map_err(|problem| {
        tracing::error!(route = %route.name, fix = %problem.fix, "not audited, so not sent: {problem}");
        // What is wrong with the file is nothing to a client.
        Refusal::new(Code::AuditFailed, "audit.required is set, and the entry is not on the disk")
    })
}

fn signed(route: &Route, preimage: &Preimage) -> Option<Signed> {
    let key = route.keys.iter().find(|key| key.slot == preimage.slot)?;
    let digest = match preimage.content() {
        _ if preimage.secret => None,
        Content::Digest { digest, .. } => Some(hex(&digest.0)),
        Content::Message(_) | Content::Mac { .. } | Content::Hash { .. } => {
            Some(hex(&Sha256::digest(&preimage.text)))
        }
    };
    let fingerprint = key.signer.public_key().fingerprint();
    Some(Signed { key: key.name.clone(), fingerprint, digest })
}
