//! Several addresses of one name, raced (RFC 8305, "Happy Eyeballs"): a dead one costs a quarter
//! of a second, not the whole time for a connection.
//!
//! The order is the system's (RFC 6724), with the families in turn. Names are resolved by the
//! system in one piece, so section 3, which begins with whichever family resolves first, has no
//! place here.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;

/// The addresses in the order in which they are tried: each once, the families in turn, the one
/// that answered last time before all others. What comes after so many is left out.
pub(super) fn order(
    resolved: impl IntoIterator<Item = SocketAddr>,
    answered: Option<SocketAddr>,
) -> Vec<SocketAddr> {
    let mut found: Vec<SocketAddr> = Vec::new();
    for address in resolved {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    let first = found.first().is_some_and(SocketAddr::is_ipv6);
    let (ours, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|a| a.is_ipv6() == first);
    let (mut ours, mut others) = (ours.into_iter(), others.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = [ours.next(), others.next()];
        if pair == [None, None] {
            break;
        }
        ordered.extend(pair.into_iter().flatten());
    }
    if let Some(at) = ordered.iter().position(|address| Some(*address) == answered) {
        ordered[..=at].rotate_right(1);
    }
    ordered.truncate(MOST_ADDRESSES);
    ordered
}

/// The first attempt that succeeds; the others are dropped. One begins when the one before it has
/// failed, or has taken [`DELAY`].
///
/// # Errors
///
/// What every attempt failed with.
pub(super) async fn race<T, E, F>(
    addresses: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, Vec<(SocketAddr, E)>>
where
    T: Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let mut waiting = addresses.into_iter();
    let (mut running, mut failed) = (JoinSet::new(), Vec::new());
    loop {
        if let Some(address) = waiting.next() {
            let attempt = attempt(address);
            running.spawn(async move { (address, attempt.await) });
        }
        let more = waiting.len() > 0;
        tokio::select! {
            biased;
            ended = running.join_next() => match ended {
                Some(ended) => match ended.expect("an attempt neither panics nor is cancelled") {
                    (_, Ok(connection)) => return Ok(connection),
                    (address, Err(error)) => failed.push((address, error)),
                },
                None => return Err(failed),
            },
            () = tokio::time::sleep(DELAY), if more => {}
        }
    }
}

/// How long an attempt is alone (RFC 8305, section 5).
const DELAY: Duration = Duration::from_millis(250);
/// More than a provider has, and as many as can be begun in the time that a connection may take.
const MOST_ADDRESSES: usize = 16;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::time::Instant;

    use super::*;

    fn addresses(text: &str) -> Vec<SocketAddr> {
        text.split_whitespace().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn families_take_turns_and_what_answered_is_first() {
        let table = [
            ("", None, ""),
            ("1.1.1.1:1 2.2.2.2:1", None, "1.1.1.1:1 2.2.2.2:1"),
            ("1.1.1.1:1 1.1.1.1:1", None, "1.1.1.1:1"),
            ("[::1]:1 [::2]:1 1.1.1.1:1", None, "[::1]:1 1.1.1.1:1 [::2]:1"),
            (
                "1.1.1.1:1 2.2.2.2:1 3.3.3.3:1 [::1]:1",
                None,
                "1.1.1.1:1 [::1]:1 2.2.2.2:1 3.3.3.3:1",
            ),
            ("1.1.1.1:1 2.2.2.2:1 [::1]:1", Some("2.2.2.2:1"), "2.2.2.2:1 1.1.1.1:1 [::1]:1"),
            ("1.1.1.1:1 2.2.2.2:1", Some("9.9.9.9:1"), "1.1.1.1:1 2.2.2.2:1"),
        ];
        for (resolved, answered, ordered) in table {
            let answered = answered.map(|text| text.parse().expect("an address"));
            assert_eq!(order(addresses(resolved), answered), addresses(ordered), "{resolved}");
        }
        let many = (1..=99).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(order(many, None).len(), MOST_ADDRESSES);
    }

    /// What each address does after so many milliseconds, which of them is taken, and when each
    /// was begun.
    #[tokio::test(start_paused = true)]
    async fn an_attempt_begins_when_the_last_failed_or_took_its_time() {
        const NEVER: u64 = 3_600_000;
        type Row = (&'static [(u64, bool)], Option<usize>, &'static [u64]);
        let table: [Row; 6] = [
            (&[(10, true), (0, true)], Some(0), &[0]),
            (&[(NEVER, true), (10, true)], Some(1), &[0, 250]),
            (&[(10, false), (10, true)], Some(1), &[0, 10]),
            (&[(NEVER, true), (10, false), (10, true)], Some(2), &[0, 250, 260]),
            // The first may still win after others have begun.
            (&[(300, true), (NEVER, true)], Some(0), &[0, 250]),
            (&[(300, false), (100, false)], None, &[0, 250]),
        ];
        for (conduct, winner, begun) in table {
            let (start, seen) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
            let places = (0..conduct.len()).map(|n| SocketAddr::from(([127, 0, 0, 1], n as u16)));
            let won = race(places.collect(), |address| {
                seen.lock().expect("nobody panicked").push(start.elapsed().as_millis() as u64);
                let (after, good) = conduct[usize::from(address.port())];
                async move {
                    tokio::time::sleep(Duration::from_millis(after)).await;
                    if good { Ok(address.port()) } else { Err("no") }
                }
            });
            let won = won.await.map(usize::from).map_err(|failed| failed.len());
            assert_eq!(won, winner.ok_or(conduct.len()), "{conduct:?}");
            assert_eq!(*seen.lock().expect("nobody panicked"), begun, "{conduct:?}");
        }
    }
}
