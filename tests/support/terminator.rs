//! What speaks TLS in front of a server that does not.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// Ends TLS and passes on what is inside; stopped when dropped.
pub(crate) struct Terminator {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Terminator {
    /// In front of the server at `place`.
    pub(crate) fn start(tls: Arc<ServerConfig>, place: SocketAddr) -> Self {
        let runtime = Runtime::new().expect("a runtime can be started");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let tls = TlsAcceptor::from(tls);
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let tls = tls.clone();
                tokio::spawn(async move {
                    let Ok(mut inside) = tls.accept(socket).await else { return };
                    let Ok(mut server) = TcpStream::connect(place).await else { return };
                    let _ended = copy_bidirectional(&mut inside, &mut server).await;
                });
            }
        });
        Self { address, _runtime: runtime }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
