//! From a name to a TCP connection, which must not lead back to this proxy.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;

use super::error::{ConnectFailure, Phase};

/// The proxy's own listening addresses, known once they are bound. A connection to one of them
/// would be a loop.
#[derive(Clone, Debug, Default)]
pub struct OwnAddresses(Arc<OnceLock<Vec<SocketAddr>>>);

impl OwnAddresses {
    /// Told once, after binding.
    pub fn set(&self, addresses: Vec<SocketAddr>) {
        let _already_told = self.0.set(addresses);
    }

    /// Whether a connection that came about between these two addresses ends at ourselves.
    fn include(&self, local: IpAddr, peer: SocketAddr) -> bool {
        let (local, place) = (local.to_canonical(), peer.ip().to_canonical());
        // A listener on every address is reached by any address of this machine. A connection to
        // one's own address comes from that address, or else both are loopback.
        let own_machine = local == place || place.is_loopback();
        self.0.get().is_some_and(|own| {
            own.iter().any(|own| {
                own.port() == peer.port()
                    && (own.ip().to_canonical() == place
                        || own.ip().is_unspecified() && own_machine)
            })
        })
    }
}

/// A TCP connection to the first address that answers, unless it is ourselves.
pub(crate) async fn dial(
    host: &str,
    port: u16,
    own: &OwnAddresses,
) -> Result<TcpStream, ConnectFailure> {
    let unresolved =
        |error: io::Error| ConnectFailure { phase: Phase::Resolve, reason: error.to_string() };
    let failed =
        |error: io::Error| ConnectFailure { phase: Phase::Connect, reason: error.to_string() };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in tokio::net::lookup_host((host, port)).await.map_err(unresolved)? {
        let stream = match TcpStream::connect(address).await {
            Ok(stream) => stream,
            Err(error) => {
                last = error;
                continue;
            }
        };
        let local = stream.local_addr().map_err(failed)?;
        // Not the address that was asked for: 0.0.0.0 is one that a connection never has.
        let peer = stream.peer_addr().map_err(failed)?;
        if own.include(local.ip(), peer) {
            return Err(ConnectFailure { phase: Phase::Loop, reason: address.to_string() });
        }
        stream.set_nodelay(true).map_err(failed)?;
        return Ok(stream);
    }
    Err(failed(last))
}
