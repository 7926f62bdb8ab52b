//! From a name to a TCP connection, which must not lead back to this proxy, nor where it may not.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::net::TcpStream;

use super::error::{ConnectFailure, Phase};
use super::race::{order, race};
use super::reach::Reach;
use crate::descriptors::ran_out;
use crate::tunnel::keep_alive;

/// Makes connections. One for the whole process: what it learns of addresses is for everybody.
#[derive(Clone, Debug, Default)]
pub struct Dialer(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The proxy's own listening addresses, known once they are bound. A connection to one of
    /// them would be a loop.
    own: OnceLock<Vec<SocketAddr>>,
    /// Which address answered, of hosts whose first one did not.
    answered: Mutex<HashMap<(String, u16), SocketAddr>>,
}

impl Dialer {
    /// Told once, after binding, where the proxy itself listens.
    pub fn set_own(&self, addresses: Vec<SocketAddr>) {
        let _already_told = self.0.own.set(addresses);
    }

    /// Where it listens; nowhere before that is told.
    pub fn own(&self) -> &[SocketAddr] {
        self.0.own.get().map_or(&[], Vec::as_slice)
    }

    /// A TCP connection to the address that answers first, of those within `reach`, unless that is
    /// ourselves. The name is resolved once: what was judged is what is dialled.
    pub(crate) async fn dial(
        &self,
        host: &str,
        port: u16,
        reach: &Reach,
    ) -> Result<TcpStream, ConnectFailure> {
        let unresolved = |error: io::Error| ConnectFailure::system(Phase::Resolve, &error);
        let resolved = tokio::net::lookup_host((host, port)).await.map_err(unresolved)?;
        let resolved = within(reach, resolved)?;
        let first = resolved.first().copied();
        let place = (host.to_owned(), port);
        let addresses = order(resolved, self.0.answered().get(&place).copied());
        let (stream, address) = race(addresses, |address| async move {
            TcpStream::connect(address).await.map(|stream| (stream, address))
        })
        .await
        .map_err(|failed| match failed.iter().find(|(_, error)| ran_out(error)) {
            Some((_, error)) => ConnectFailure::system(Phase::Connect, error),
            None => ConnectFailure { phase: Phase::Connect, reason: list(&failed) },
        })?;
        self.0.remember(place, Some(address).filter(|_| first != Some(address)));
        let failed =
            |error: io::Error| ConnectFailure { phase: Phase::Connect, reason: error.to_string() };
        let local = stream.local_addr().map_err(failed)?;
        // Not the address that was asked for: 0.0.0.0 is one that a connection never has.
        let peer = stream.peer_addr().map_err(failed)?;
        if self.0.is_own(local.ip(), peer) {
            return Err(ConnectFailure { phase: Phase::Loop, reason: address.to_string() });
        }
        if let Some(reason) = reach.denial_of_own(local.ip(), peer.ip()) {
            return Err(ConnectFailure { phase: Phase::Private, reason });
        }
        stream.set_nodelay(true).map_err(failed)?;
        keep_alive(&stream).map_err(failed)?;
        Ok(stream)
    }
}

impl Known {
    /// Whether a connection that came about between these two addresses ends at ourselves.
    fn is_own(&self, local: IpAddr, peer: SocketAddr) -> bool {
        let (local, place) = (local.to_canonical(), peer.ip().to_canonical());
        // A listener on every address is reached by any address of this machine. A connection to
        // one's own address comes from that address, or else both are loopback.
        let own_machine = local == place || place.is_loopback();
        self.own.get().is_some_and(|own| {
            own.iter().any(|own| {
                own.port() == peer.port()
                    && (own.ip().to_canonical() == place
                        || own.ip().is_unspecified() && own_machine)
            })
        })
    }

    /// Notes which address to try first the next time; none where that is the system's first.
    fn remember(&self, place: (String, u16), address: Option<SocketAddr>) {
        let mut answered = self.answered();
        let Some(address) = address else {
            answered.remove(&place);
            return;
        };
        // Clients choose the hosts of blind tunnels. To forget costs a quarter of a second.
        if answered.len() >= MOST_PLACES {
            answered.clear();
        }
        answered.insert(place, address);
    }

    fn answered(&self) -> MutexGuard<'_, HashMap<(String, u16), SocketAddr>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The addresses that may be dialled; where a name has none but others, that is said of the first.
fn within(
    reach: &Reach,
    resolved: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, ConnectFailure> {
    let (mut left, mut denied) = (Vec::new(), None);
    for address in resolved {
        match reach.denial(address.ip()) {
            None => left.push(address),
            Some(reason) => denied = denied.or(Some(reason)),
        }
    }
    match denied {
        Some(reason) if left.is_empty() => Err(ConnectFailure { phase: Phase::Private, reason }),
        _ => Ok(left),
    }
}

/// What became of each address; of one alone, without it.
fn list(failed: &[(SocketAddr, io::Error)]) -> String {
    match failed {
        [] => "the name has no address".to_owned(),
        [(_, error)] => error.to_string(),
        _ => {
            let each = failed.iter().map(|(address, error)| format!("{}: {error}", address.ip()));
            each.collect::<Vec<_>>().join(", ")
        }
    }
}

/// Hosts whose answering address is remembered.
const MOST_PLACES: usize = 1024;
