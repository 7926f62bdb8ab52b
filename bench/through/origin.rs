//! The provider's place: answers every request with the same 200 bytes, and counts those that
//! carried a signature, so that no figure is of something else than it says.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::wire::Wire;

/// Runs until the process ends, with a thread for each connection.
pub(crate) struct Origin {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    signed: AtomicU64,
}

/// How many requests have arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) signed: u64,
}

impl Origin {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let counts = Arc::<Counts>::default();
        let shared = Arc::clone(&counts);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                // A connection ends with an error when the proxy is killed in the end.
                thread::spawn(move || drop(serve(stream, &shared)));
            }
        });
        Ok(Self { address, counts })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn seen(&self) -> Seen {
        let load = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Seen { requests: load(&self.counts.requests), signed: load(&self.counts.signed) }
    }
}

fn serve(stream: TcpStream, counts: &Counts) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {BODY}\r\n\r\n{:x<BODY$}",
        ""
    );
    let mut wire = Wire::over(stream)?;
    while let Some(request) = wire.read()? {
        counts.requests.fetch_add(1, Ordering::SeqCst);
        // "MetaSV-Signature", "BIZ-API-SIGNATURE" and "OK-ACCESS-SIGN", as providers write them.
        let head = request.head.to_ascii_lowercase();
        if head.contains("-signature: ") || head.contains("-sign: ") {
            counts.signed.fetch_add(1, Ordering::SeqCst);
        }
        wire.write(answer.as_bytes())?;
    }
    Ok(())
}

/// A short JSON answer, as these APIs give.
const BODY: usize = 200;
