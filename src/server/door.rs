//! Taking connections: what one has to pass before it is heard, and what is said to one that does
//! not.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::shared::Shared;
use super::stream::Duplex;
use super::told::tell;
use crate::refusal::Refusal;
use crate::snapshot::Snapshot;

/// What a connection has to pass, in this order, before it has a place anywhere.
///
/// # Errors
///
/// `client_not_allowed`.
pub(super) fn pass(snapshot: &Snapshot, peer: Option<IpAddr>) -> Result<(), Refusal> {
    snapshot.access.address(peer)
}

/// Says to a connection why it did not pass, and closes it. While [`FAREWELLS`] others are told, it
/// is closed without a word.
pub(super) fn turn_away(
    socket: Box<dyn Duplex>,
    peer: Option<IpAddr>,
    refusal: Refusal,
    shared: &Arc<Shared>,
) {
    shared.surroundings.metrics.turned_away(refusal.code.name()).inc();
    let Ok(permit) = Arc::clone(&shared.farewells).try_acquire_owned() else { return };
    let (told, closing) = (said(socket, peer, refusal, shared), shared.closing.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = told => {}
            () = closing.cancelled() => {}
        }
        drop(permit);
    });
}

fn said(
    socket: Box<dyn Duplex>,
    peer: Option<IpAddr>,
    refusal: Refusal,
    shared: &Shared,
) -> impl Future<Output = ()> + Send + 'static {
    let (snapshot, mut record) = (shared.pipeline.snapshot(), shared.pipeline.record());
    record.arrived(peer, "");
    async move {
        let _too_slow = timeout(FAREWELL, tell(socket, refusal, &snapshot, record)).await;
    }
}

/// Whether it says something of one connection, and nothing of the next.
pub(super) fn is_of_one(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// How many are told at once why they did not pass.
pub(super) const FAREWELLS: usize = 16;
/// How long one may take to hear it.
const FAREWELL: Duration = Duration::from_secs(3);
