//! Fair shares of a limit (dynamic thresholds, Choudhury and Hahne 1998): nobody has more than seven
//! times what is left, so that there is always some for those who come later. One client alone has
//! seven eighths at most, of two that want all each has 7/15, and so on.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::metrics::Limit;

/// Something that there is only so much of: connections, tunnels, bytes of bodies. What it is
/// counted in is its user's.
#[derive(Debug)]
pub struct Shares {
    state: Mutex<State>,
    /// Told of everything that is given back.
    freed: Notify,
    shown: Limit,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    holders: HashMap<Arc<str>, u64>,
}

/// What one holder has of it, until it is dropped.
#[derive(Debug)]
pub struct Share {
    of: Arc<Shares>,
    holder: Arc<str>,
    units: u64,
}

/// Why there is nothing to be had now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Full {
    /// All of it is taken.
    All,
    /// What is left is for other holders.
    Own,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all of it is taken",
            Self::Own => "this client has its share of it, and the rest is for others",
        })
    }
}

impl Shares {
    /// Nothing of it is taken.
    pub fn new(shown: Limit) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), freed: Notify::new(), shown })
    }

    /// Shows another limit, after a reload.
    pub fn show_limit(&self, limit: u64) {
        self.shown.most(limit);
    }

    /// Takes so many units for a holder, of `limit` in all. Never waits.
    ///
    /// # Errors
    ///
    /// See [`Full`].
    pub fn take(self: &Arc<Self>, limit: u64, holder: &str, units: u64) -> Result<Share, Full> {
        let mut share = Share { of: Arc::clone(self), holder: holder.into(), units: 0 };
        share.grow(limit, units)?;
        Ok(share)
    }

    /// Takes one as soon as there is one. Who waits has nothing of it, so nobody waits for those
    /// who wait.
    pub async fn wait(self: &Arc<Self>, limit: u64, holder: &str) -> Share {
        loop {
            let freed = self.freed.notified();
            if let Ok(share) = self.take(limit, holder, 1) {
                return share;
            }
            freed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes more for the same holder. What it has otherwise counts; what this alone has does not,
    /// so that one which fits the limit is had where nobody has anything.
    ///
    /// # Errors
    ///
    /// See [`Full`]; it is as it was then.
    pub fn grow(&mut self, limit: u64, units: u64) -> Result<(), Full> {
        let mut state = self.of.state();
        let left = limit.checked_sub(state.used).and_then(|free| free.checked_sub(units));
        let Some(left) = left else { return Err(Full::All) };
        let has = state.holders.get(&self.holder).copied().unwrap_or_default();
        if has > self.units && has.saturating_add(units) > left.saturating_mul(SEVEN) {
            return Err(Full::Own);
        }
        state.used += units;
        *state.holders.entry(Arc::clone(&self.holder)).or_default() += units;
        self.units += units;
        self.of.shown.used(state.used);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.units == 0 {
            return;
        }
        let mut state = self.of.state();
        state.used -= self.units;
        if let Some(has) = state.holders.get_mut(&self.holder) {
            *has -= self.units;
            if *has == 0 {
                state.holders.remove(&self.holder);
            }
        }
        self.of.shown.used(state.used);
        drop(state);
        self.of.freed.notify_waiters();
    }
}

const SEVEN: u64 = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn shares() -> Arc<Shares> {
        Shares::new(Metrics::default().limit("connections", 0))
    }

    fn as_many(shares: &Arc<Shares>, limit: u64, holder: &str) -> Vec<Share> {
        std::iter::from_fn(|| shares.take(limit, holder, 1).ok()).collect()
    }

    #[test]
    fn some_is_left_for_those_who_come_later() {
        for (limit, counts) in [
            (1, [1, 0, 0]),
            (2, [1, 1, 0]),
            (4, [3, 1, 0]),
            (16, [14, 1, 1]),
            (1024, [896, 112, 14]),
        ] {
            let shares = shares();
            let all = ["a", "b", "c"].map(|holder| as_many(&shares, limit, holder));
            assert_eq!(all.each_ref().map(Vec::len), counts, "{limit}");
            drop(all);
            assert_eq!(as_many(&shares, limit, "d").len(), counts[0], "all came back");
        }
    }

    #[test]
    fn one_alone_may_have_all_in_one_piece_and_nobody_more_than_all() {
        let shares = shares();
        let mut one = shares.take(10, "a", 4).expect("there is room");
        one.grow(10, 6).expect("nobody else has anything");
        assert_eq!(one.grow(10, 1), Err(Full::All));
        assert_eq!(shares.take(10, "b", 1).err(), Some(Full::All));
        drop(one);
        assert_eq!(shares.take(10, "a", 11).err(), Some(Full::All));
        let _first = shares.take(10, "a", 5).expect("there is room");
        assert_eq!(shares.take(10, "a", 4).err(), Some(Full::Own));
        assert_eq!(shares.take(u64::MAX, "a", 4).err(), None, "without a limit it is counted");
    }

    #[tokio::test]
    async fn who_waits_hears_of_what_is_given_back() {
        let shares = shares();
        let taken = shares.take(1, "a", 1).expect("there is room");
        let waiting = tokio::spawn({
            let shares = Arc::clone(&shares);
            async move { shares.wait(1, "b").await }
        });
        tokio::task::yield_now().await;
        drop(taken);
        let share = waiting.await.expect("it does not panic");
        assert_eq!((&*share.holder, share.units), ("b", 1));
    }
}
