//! Taking connections: what one has to pass before it is heard, and what is said to one that does
//! not, or that there is no descriptor for.

use std::io;
use std::net::IpAddr;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::listener::Listener;
use super::shared::Shared;
use super::stream::Duplex;
use super::told::tell;
use crate::descriptors::ran_out;
use crate::refusal::{Code, Refusal};
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

/// A listener's descriptor in reserve: with none left, it is what a connection is answered by.
#[derive(Debug)]
pub(super) struct Reserve {
    spare: Option<UnixDatagram>,
    /// Whether the log has it.
    told: bool,
}

impl Reserve {
    pub(super) fn new() -> Self {
        Self { spare: spare(), told: false }
    }

    /// Connections are accepted.
    pub(super) fn well(&mut self) {
        self.told = false;
    }

    /// A connection was not accepted, and why not is the same for the next: room is made, or it is
    /// told, and nobody tries again at once.
    pub(super) async fn failed(
        &mut self,
        listener: &Listener,
        shared: &Arc<Shared>,
        error: &io::Error,
    ) {
        let role = listener.role();
        if !ran_out(error) {
            tracing::warn!(listener = role.name(), %error, "a connection was not accepted");
            return tokio::time::sleep(PAUSE).await;
        }
        if !self.told {
            self.told = true;
            let fix = Code::OutOfDescriptors.facts().remedy;
            tracing::error!(listener = role.name(), %error, fix, "connections are not accepted");
        }
        if shared.lobby(role).turn_oldest_out() {
            return tokio::task::yield_now().await;
        }
        self.spare = None;
        match timeout(PAUSE, listener.accept(|_| Ok(false))).await {
            Ok(Ok((socket, peer, _))) => {
                let socket = socket.here();
                let refusal = Refusal::new(Code::OutOfDescriptors, error.to_string());
                shared.surroundings.metrics.turned_away(refusal.code.name()).inc();
                let _gone = timeout(PAUSE, said(socket, peer, refusal, shared)).await;
            }
            // Others were faster.
            Ok(Err(_)) => tokio::time::sleep(PAUSE).await,
            Err(_nobody_is_left) => {}
        }
        self.spare = spare();
    }
}

/// Nothing but a descriptor. A sandbox may let us open no file.
fn spare() -> Option<UnixDatagram> {
    UnixDatagram::unbound().ok()
}

/// Whether it says something of one connection, and nothing of the next.
pub(super) fn is_of_one(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// How many are told at once why they did not pass.
pub(super) const FAREWELLS: usize = 16;
/// How long one may take to hear it.
const FAREWELL: Duration = Duration::from_secs(3);
/// Trying again at once would only spin.
const PAUSE: Duration = Duration::from_millis(100);
