//! One of the streams that a shared connection may have at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A stream of a shared connection, counted until it is dropped.
#[derive(Debug)]
pub struct Lease(Arc<AtomicUsize>);

impl Lease {
    /// One more.
    pub fn take(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
