//! Long runs: many requests, or a fixed rate for a time, of every kind in turn. Nothing is lost or sent
//! twice, and memory and descriptors come back to where they were.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::origin::Seen;
use super::proxy::Footprint;
use super::wire::Wire;
use super::{Bench, Case};

/// How long a run is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// So many requests, as fast as it goes.
    Requests(u32),
    /// So long, at so many requests in a second.
    Rate(Duration, u32),
}

impl Length {
    fn requests(self) -> u32 {
        match self {
            Self::Requests(count) => count,
            Self::Rate(time, rate) => (time.as_secs_f64() * f64::from(rate)) as u32,
        }
    }

    /// When the request of this number is to be sent, from the beginning.
    fn due(self, number: u32) -> Duration {
        match self {
            Self::Requests(_) => Duration::ZERO,
            Self::Rate(_, rate) => Duration::from_secs_f64(f64::from(number) / f64::from(rate)),
        }
    }
}

/// Makes the requests, after as many as make the proxy's memory what it stays at, and prints what was
/// seen.
///
/// # Errors
///
/// A request that was not answered with 200, one that did not arrive exactly once, memory or descriptors
/// that do not come back.
pub(crate) fn run(bench: &Bench, length: Length, out: &mut impl Write) -> io::Result<()> {
    let cases: Vec<Case> = bench.cases().into_iter().filter(|case| is_of(bench, case)).collect();
    stretch(bench, &cases, Length::Requests(WARM_UP))?;
    let before = settled(bench, None)?;
    let seen = bench.origin.seen();
    let started = Instant::now();
    let mut late = stretch(bench, &cases, length)?;
    let took = started.elapsed();
    let after = settled(bench, Some(before))?;
    let requests = length.requests();
    let signed =
        (0..requests).filter(|number| cases[*number as usize % cases.len()].signed).count();
    let expected =
        Seen { requests: seen.requests + u64::from(requests), signed: seen.signed + signed as u64 };
    if bench.origin.seen() != expected {
        let what = format!("{:?} arrived, not {expected:?}", bench.origin.seen());
        return Err(io::Error::other(what));
    }
    late.sort_unstable();
    let at = |part: f64| late[((late.len() - 1) as f64 * part) as usize].as_micros();
    writeln!(
        out,
        "{requests} requests of {} kinds in {:.1} s, {:.0}/s: all answered 200, each arrived once, {signed} signed",
        cases.len(),
        took.as_secs_f64(),
        f64::from(requests) / took.as_secs_f64(),
    )?;
    writeln!(
        out,
        "from when each was due: p50 {} us, p99 {} us, p99.9 {} us, longest {} us",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    )?;
    writeln!(
        out,
        "resident memory {} KiB before, {} KiB after, {} KiB at most; descriptors {} before, {} after",
        before.resident, after.resident, after.peak, before.descriptors, after.descriptors,
    )?;
    if after.resident > before.resident + MORE {
        return Err(io::Error::other("the proxy kept more memory than it had"));
    }
    Ok(())
}

/// Whether a case goes through the proxy that is looked at.
fn is_of(bench: &Bench, case: &Case) -> bool {
    [bench.proxy.forward, bench.proxy.gateway].contains(&case.to)
}

/// Makes requests on all connections, the kinds in turn; each one's time from when it was due.
fn stretch(bench: &Bench, cases: &[Case], length: Length) -> io::Result<Vec<Duration>> {
    let (next, started) = (AtomicU64::new(0), Instant::now());
    let client = || {
        let mut wires: Vec<Option<Wire>> = cases.iter().map(|_| None).collect();
        let mut took = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst) as u32;
            if number >= length.requests() {
                return io::Result::Ok(took);
            }
            let due = started + length.due(number);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let from = if length.due(number).is_zero() { Instant::now() } else { due };
            let index = number as usize % cases.len();
            let wire = match &mut wires[index] {
                Some(wire) => wire,
                none => none.insert(bench.connect(&cases[index])?),
            };
            bench.ask(wire, &cases[index])?;
            took.push(from.elapsed());
        }
    };
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..bench.arguments.connections).map(|_| scope.spawn(client)).collect();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.join().expect("no panic")?);
        }
        Ok(all)
    })
}

/// What the proxy holds once it has noticed that its clients are gone: no more descriptors than `before`.
fn settled(bench: &Bench, before: Option<Footprint>) -> io::Result<Footprint> {
    let began = Instant::now();
    let mut last = bench.proxy.footprint()?;
    let mut steady = 0;
    while began.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(50));
        let now = bench.proxy.footprint()?;
        steady = if now.descriptors == last.descriptors { steady + 1 } else { 0 };
        last = now;
        let back = before.is_none_or(|before| now.descriptors <= before.descriptors);
        if back && steady >= 20 {
            return Ok(now);
        }
    }
    Err(io::Error::other(format!("{last:?} does not come back to {before:?}")))
}

/// How many requests come before the first look.
const WARM_UP: u32 = if super::QUICK { 200 } else { 20_000 };
/// In KiB: what the allocator keeps differs from run to run.
const MORE: u64 = 4096;
/// Past `timeouts.pool_idle`: a busier stretch has opened more connections to the origin than the warm-up.
const PATIENCE: Duration = Duration::from_secs(120);
