//! What becomes of lines when their reader is slow, stands still, or fails.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use super::queue::{OTHERS, PIECE};
use super::*;

/// Takes a piece each time it is let.
struct Gate {
    open: Receiver<()>,
    written: Sender<String>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _closed = self.open.recv();
        let _unread = self.written.send(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A queue behind a gate: what opens it, and what came through.
fn gated() -> (Lines, Sender<()>, Receiver<String>) {
    let (open, gate) = channel();
    let (written, read) = channel();
    (Lines::to(Gate { open: gate, written }, unread), open, read)
}

#[test]
fn lines_are_written_in_order_and_the_last_before_the_end() {
    let (lines, open, read) = gated();
    drop(open);
    for number in 0..1_000 {
        lines.0.add(format!("{number}\n").as_bytes(), number % 3 == 0);
    }
    drop(lines);
    let all: String = read.iter().collect();
    let expected: String = (0..1_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(all, expected);
}

#[test]
fn a_sink_that_stands_still_stops_nobody_and_what_is_dropped_is_said() {
    let (lines, open, read) = gated();
    let line = [&vec![b'x'; 64 * 1024 - 1][..], b"\n"].concat();
    let count = 3 * OTHERS / line.len();
    // Were the lines written here, this would not come back.
    let kept = (0..count).filter(|_| lines.0.add(&line, false)).count();
    drop(open);
    drop(lines);
    let all: String = read.iter().collect();
    assert_eq!(all.bytes().filter(|byte| *byte == b'x').count(), kept * (line.len() - 1));
    let said = format!("{} log lines were dropped: nobody read them\n", count - kept);
    assert!(all.ends_with(&said), "{kept} of {count}");
    assert!((OTHERS / line.len()..=OTHERS / line.len() + 2).contains(&kept), "{kept}");
}

#[test]
fn certain_lines_are_never_dropped_and_go_before_a_backlog() {
    let (lines, open, read) = gated();
    let other = [&vec![b'x'; 1023][..], b"\n"].concat();
    while lines.0.add(&other, false) {}
    for number in 0..100 {
        assert!(lines.0.add(format!("certain {number}\n").as_bytes(), true));
    }
    drop(open);
    drop(lines);
    let all: String = read.iter().collect();
    let found: Vec<_> = all.lines().filter(|line| line.starts_with("certain")).collect();
    assert!(found.iter().copied().eq((0..100).map(|n| format!("certain {n}"))), "{found:?}");
    // Before it are what was being written when it came, and what the front had.
    let ahead = all.find("certain 0").expect("it is there");
    assert!(ahead <= 2 * (PIECE + other.len()), "{ahead} bytes were written before it");
}

#[test]
fn room_is_had_again_when_certain_lines_are_written() {
    let (lines, open, read) = gated();
    let line = [&vec![b'x'; 1023][..], b"\n"].concat();
    let queue = Arc::clone(&lines.0);
    let mut count = 0;
    while queue.has_room() {
        queue.add(&line, true);
        count += 1;
    }
    assert_eq!(count, CERTAIN / line.len());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        assert!(!queue.wait(Duration::from_millis(10)).await, "nothing was written");
        drop(open);
        assert!(queue.wait(Duration::from_secs(60)).await);
    });
    drop(lines);
    assert_eq!(read.iter().map(|piece| piece.len()).sum::<usize>(), count * line.len());
}

/// Fails as often as this says, and then takes some bytes at a time.
struct Failing(usize, Sender<Vec<u8>>);

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 > 0 {
            self.0 -= 1;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = &bytes[..bytes.len().min(7)];
        self.1.send(taken.to_vec()).map(|()| taken.len()).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_is_tried_again_with_what_is_left() {
    let (written, read) = channel();
    let lines = Lines::to(Failing(3, written), unread);
    lines.0.add(b"a line of a signed request\n", true);
    let mut all = Vec::new();
    while all.len() < 27 {
        all.extend(read.recv_timeout(Duration::from_secs(60)).expect("it is written"));
    }
    assert_eq!(all, b"a line of a signed request\n");
}

#[test]
fn the_end_does_not_wait_for_ever() {
    let (lines, open, _read) = gated();
    lines.0.add(b"never read\n", true);
    let started = Instant::now();
    drop(lines);
    assert!(started.elapsed() >= PATIENCE, "the sink was shut, so this waited");
    drop(open);
}

#[test]
fn what_is_certain_is_so_for_this_thread_and_as_long_as_it_is_said() {
    let (lines, open, _read) = gated();
    let line = lines.line();
    let unwritten = || lines.0.unwritten();
    line().write_all(b"one\n").expect("it is taken");
    assert_eq!(unwritten(), 0);
    certain(|| line().write_all(b"two\n")).expect("it is taken");
    assert_eq!(unwritten(), 4);
    line().write_all(b"three\n").expect("it is taken");
    assert_eq!(unwritten(), 4);
    drop(open);
}
