//! Keep-alive and slowloris timeouts of HTTP/1.1 clients: how long one may be silent, and how it is
//! told.
//!
//! hyper has one limit from the end of an answer to the end of the next head, and takes its clock
//! from outside. So the clock that it is given knows two: silence between requests, and a head
//! from its first byte on.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::HeaderValue;
use hyper::rt::{Sleep, Timer};
use tokio::time::Instant;

use super::stream::Unread;

/// The clock for the heads of one connection.
pub(super) struct Patience {
    /// From the first byte of a head to its end; for the first, from the connection's begin.
    pub(super) head: Duration,
    /// From an answer to the first byte of the next head.
    pub(super) idle: Duration,
    pub(super) unread: Unread,
}

impl Timer for Patience {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        let (unread, head) = (self.unread.clone(), self.head);
        let limit = if unread.has_answered() { self.idle } else { head };
        let timer = Box::pin(tokio::time::sleep(limit));
        let read = unread.before();
        Box::pin(Wait { unread, head, timer, read, begun: false })
    }

    /// hyper begins to wait now, whatever it thinks until when.
    fn sleep_until(&self, _: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(self.head)
    }
}

/// The wait for a head.
struct Wait {
    unread: Unread,
    head: Duration,
    timer: Pin<Box<tokio::time::Sleep>>,
    /// What had come before any of it.
    read: usize,
    /// The first byte has come. Others gain no time.
    begun: bool,
}

impl Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.begun && self.unread.read() != self.read {
            self.begun = true;
            let deadline = Instant::now() + self.head;
            self.timer.as_mut().reset(deadline);
        }
        self.timer.as_mut().poll(cx)
    }
}

/// What a client is told of `idle`: less, so that it does not send its next request just as the
/// connection is closed. Nothing where there is not a second to promise.
pub(super) fn promise(idle: Duration) -> Option<HeaderValue> {
    let margin = (idle / 8).clamp(Duration::from_secs(1), Duration::from_secs(5));
    let seconds = idle.saturating_sub(margin).as_secs();
    let text = format!("timeout={seconds}");
    HeaderValue::try_from(text).ok().filter(|_| seconds > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_promised_than_is_kept() {
        for (idle, told) in [
            (500, None),
            (1_999, None),
            (2_000, Some("1")),
            (10_000, Some("8")),
            (120_000, Some("115")),
        ] {
            let told = told.map(|seconds| format!("timeout={seconds}"));
            let promised = promise(Duration::from_millis(idle));
            assert_eq!(
                promised.as_ref().map(HeaderValue::as_bytes),
                told.as_ref().map(String::as_bytes)
            );
        }
    }
}
