//! Waiting for a fact instead of for a time, and never for ever.

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
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

/// Returns once every thread of a process, and of the group that it leads, has taken a SIGSTOP: `kill`
/// ends when that is sent, and where there is much to do a thread may go on for a while.
#[track_caller]
pub(crate) fn stopped(leader: u32) {
    let entries = |directory: PathBuf| fs::read_dir(directory).into_iter().flatten().flatten();
    let runs = |process: &DirEntry, thread: &DirEntry| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // Behind the name, which may be anything: state, parent, group (proc_pid_stat(5)).
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let group = fields.get(2).and_then(|group| group.parse().ok());
        let ours = group == Some(leader) || process.file_name() == *leader.to_string();
        ours && !["T", "Z", "X", ""].contains(&fields[0])
    };
    eventually("every thread has stopped", || {
        !entries("/proc".into()).any(|process| {
            entries(process.path().join("task")).any(|thread| runs(&process, &thread))
        })
    });
}

/// Kills a program, and its process group, when the test that waits for it has waited too long: a pipe
/// that nobody writes to any more ends with it. Dropped, it lets the program be.
pub(crate) struct Leash(
    #[expect(dead_code, reason = "its end says that the test is over")] Sender<()>,
);

/// A leash for a program that was just started.
pub(crate) fn leash(child: &Child) -> Leash {
    let (over, waiting) = channel();
    let pid = child.id();
    thread::spawn(move || {
        if waiting.recv_timeout(2 * DEADLINE) == Err(RecvTimeoutError::Timeout) {
            let mut kill = Command::new("kill");
            let _gone = kill.args(["-KILL", "--", &format!("-{pid}"), &pid.to_string()]).status();
        }
    });
    Leash(over)
}

/// The same command, which `timeout` ends, with 124, when it takes too long.
pub(crate) fn limited(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", &(4 * DEADLINE.as_secs()).to_string()]).arg(program);
    command
}

/// Far more than anything here takes, also where many tests share few cores.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);
