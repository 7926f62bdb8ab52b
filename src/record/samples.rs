//! Sampling of refusals in the access log: whoever is refused may send as many requests as it likes,
//! and must not fill the log with them.
//!
//! Of each code, the first [`EACH`] of a second have lines of their own; the others are counted, and
//! one line says how many they were.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tracing::{Level, info, warn};

/// What was logged of each code.
#[derive(Debug, Default)]
pub struct Samples(Mutex<BTreeMap<&'static str, Second>>);

/// A second that began with a refusal.
#[derive(Debug)]
struct Second {
    began: Instant,
    logged: u32,
    counted: u64,
}

impl Samples {
    /// Whether a refusal has a line of its own. Otherwise it is counted.
    pub(super) fn takes(self: &Arc<Self>, (code, level): (&'static str, Level)) -> bool {
        let mut codes = self.lock();
        let began = || Second { began: Instant::now(), logged: 0, counted: 0 };
        let second = codes.entry(code).or_insert_with(began);
        if second.counted == 0 && second.began.elapsed() >= SECOND {
            *second = began();
        }
        if second.logged < EACH {
            second.logged += 1;
            return true;
        }
        // Only a runtime can say the count when the second is over.
        let Ok(runtime) = Handle::try_current() else { return true };
        second.counted += 1;
        if second.counted == 1 {
            let rest = SECOND.saturating_sub(second.began.elapsed());
            let over = Over(Arc::clone(self), code, level);
            runtime.spawn(async move {
                // Dropped at its end, and where the runtime ends before.
                let _over = over;
                tokio::time::sleep(rest).await;
            });
        }
        false
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Second>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a second in which refusals were counted.
#[derive(Debug)]
struct Over(Arc<Samples>, &'static str, Level);

impl Drop for Over {
    fn drop(&mut self) {
        let Self(samples, code, level) = self;
        let Some(second) = samples.lock().remove(code) else { return };
        let (count, said) = (second.counted, "refused, and not logged one by one");
        match *level {
            Level::WARN => warn!(target: "countersign::request", code, count, "{said}"),
            _ => info!(target: "countersign::request", code, count, "{said}"),
        }
    }
}

/// Refusals of a code that have lines of their own, in a second.
const EACH: u32 = 20;
const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_each_code_the_first_of_a_second_are_taken_and_the_others_counted() {
        let samples = Arc::new(Samples::default());
        let taken = |code| (0..1_000).filter(|_| samples.takes((code, Level::INFO))).count();
        assert_eq!((taken("loop"), taken("draining")), (EACH as usize, EACH as usize));
        assert_eq!(samples.lock()["loop"].counted, 1_000 - u64::from(EACH));
        // Two sleepers, which are over at once where time stands still.
        tokio::time::sleep(2 * SECOND).await;
        assert!(samples.lock().is_empty(), "the counts were said");
        assert!(samples.takes(("loop", Level::INFO)));
    }
}
