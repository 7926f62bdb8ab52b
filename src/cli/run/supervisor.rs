//! What a supervisor is told of the process: systemd's readiness protocol, sd_notify(3).
//!
//! The socket is opened at the start, before the process gives up connecting to others. Without one
//! nobody is told, and nothing is lost.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::keys::variable;

/// The supervisor's end.
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The one that the environment names.
    pub(super) fn find() -> Self {
        let number = |name| variable(name).and_then(|value| value.to_str()?.parse::<u64>().ok());
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        Self {
            socket: variable("NOTIFY_SOCKET").and_then(connect),
            watchdog: number("WATCHDOG_USEC").filter(|_| ours).map(Duration::from_micros),
        }
    }

    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        self.tell(&format!(
            "RELOADING=1\nMONOTONIC_USEC={}",
            now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
        ));
    }

    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Says that the process lives, twice as often as it has to, for as long as it can say anything.
    pub(super) async fn watch(&self) {
        let Some(every) = self.watchdog else { return std::future::pending().await };
        let mut tick = tokio::time::interval((every / 2).max(Duration::from_millis(1)));
        loop {
            tick.tick().await;
            self.tell("WATCHDOG=1");
        }
    }

    /// A supervisor that does not listen is not waited for.
    fn tell(&self, what: &str) {
        if let Some(socket) = &self.socket {
            let _unheard = socket.send(what.as_bytes());
        }
    }
}

/// A path, or a name in the abstract space after an `@`.
fn connect(name: OsString) -> Option<UnixDatagram> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path)),
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect_addr(&address.ok()?).ok()?;
    Some(socket)
}
