//! News for those who watch: each has a bounded queue, and hears how much it missed where it is slow.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// Where news comes in.
#[derive(Debug)]
pub(super) struct Live<T> {
    news: broadcast::Sender<T>,
    /// Those who watch, the oldest first.
    places: Mutex<VecDeque<CancellationToken>>,
}

/// Somebody who watches.
#[derive(Debug)]
pub struct Watch<T> {
    news: broadcast::Receiver<T>,
    /// Cancelled when others came, and when it goes.
    place: CancellationToken,
}

/// What one hears.
#[derive(Debug, Eq, PartialEq)]
pub enum News<T> {
    /// This.
    Of(T),
    /// So much came faster than it was taken, and is lost.
    Missed(u64),
}

impl<T: Clone> Default for Live<T> {
    fn default() -> Self {
        Self { news: broadcast::Sender::new(QUEUE), places: Mutex::default() }
    }
}

impl<T: Clone> Live<T> {
    /// Tells all who watch; for nobody nothing is made.
    pub(super) fn tell(&self, news: impl FnOnce() -> T) {
        if self.news.receiver_count() > 0 {
            // The last may have left meanwhile.
            let _heard = self.news.send(news());
        }
    }

    /// Watches from now on. The oldest makes room: most likely nobody is there any more, and who is
    /// comes again.
    pub(super) fn watch(&self) -> Watch<T> {
        let place = CancellationToken::new();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|own| !own.is_cancelled());
        let much = (places.len() + 1).saturating_sub(WATCHERS);
        places.drain(..much).for_each(|oldest| oldest.cancel());
        places.push_back(place.clone());
        Watch { news: self.news.subscribe(), place }
    }
}

impl<T: Clone> Watch<T> {
    /// The next; none when there will be no more.
    pub async fn next(&mut self) -> Option<News<T>> {
        let news = tokio::select! {
            biased;
            () = self.place.cancelled() => return None,
            news = self.news.recv() => news,
        };
        match news {
            Ok(news) => Some(News::Of(news)),
            Err(RecvError::Lagged(count)) => Some(News::Missed(count)),
            Err(RecvError::Closed) => None,
        }
    }
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        self.place.cancel();
    }
}

/// News that waits for one who is slow.
const QUEUE: usize = 64;
/// Watchers at a time: people, and not many.
const WATCHERS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_slow_hears_how_much_it_missed() {
        let live = Live::default();
        live.tell(|| panic!("nobody watches"));
        let mut slow = live.watch();
        for number in 0..QUEUE as u64 + 5 {
            live.tell(|| number);
        }
        assert_eq!(slow.next().await, Some(News::Missed(5)));
        assert_eq!(slow.next().await, Some(News::Of(5)));
    }

    #[tokio::test]
    async fn the_oldest_makes_room_and_those_who_left_have_none() {
        let live = Live::<u64>::default();
        let mut all: Vec<_> = (0..WATCHERS).map(|_| live.watch()).collect();
        drop(all.pop());
        let _in_its_place = live.watch();
        live.tell(|| 1);
        assert_eq!(all[0].next().await, Some(News::Of(1)));
        let _one_more = live.watch();
        assert_eq!((all[0].next().await, all[1].next().await), (None, Some(News::Of(1))));
    }
}
