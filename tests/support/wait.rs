//! Waiting for a fact instead of for a time.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Returns once `fact` holds; the test fails when it does not within [`DEADLINE`].
#[track_caller]
pub(crate) fn eventually(what: &str, mut fact: impl FnMut() -> bool) {
    let started = Instant::now();
    while !fact() {
        assert!(started.elapsed() < DEADLINE, "in {DEADLINE:?} it never happened: {what}");
        thread::sleep(PAUSE);
    }
}

/// The connection that somebody makes to this listener, whose reads have a deadline, as the wait for it
/// has.
#[track_caller]
pub(crate) fn accepted(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).expect("a listener need not wait");
    let mut found = None;
    eventually("somebody connects", || match listener.accept() {
        Ok((stream, _)) => found.replace(stream).is_none(),
        Err(why) => {
            assert_eq!(why.kind(), ErrorKind::WouldBlock, "{why}");
            false
        }
    });
    let stream = found.expect("it has connected");
    stream.set_nonblocking(false).expect("a socket can wait");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket can have a deadline");
    stream
}

/// Far more than anything here takes, also where many tests share few cores.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);
