//! Waiting for a fact instead of for a time.

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

/// Far more than anything here takes, also where many tests share few cores.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);
