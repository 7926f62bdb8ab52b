//! The process that starts commands for one that has given up starting programs: this program once
//! more, begun before that, with one end of a pair of sockets as its standard input.
//!
//! It is told once which commands there are, and starts none but these: what comes later may come
//! from whoever has taken the other process over. It ends with the other.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::running;
use crate::secret::Secret;

/// The argument by which this program is told to be the one that starts commands.
pub(crate) const LAUNCHER: &str = "store-commands";

/// A program and its arguments.
type Words = Vec<String>;

/// What a command has printed, or what is wrong and how to mend it.
type Outcome = Result<Secret, (String, String)>;

/// The way to the process that starts commands, where this one does not.
static LAUNCHED: OnceLock<Arc<Launched>> = OnceLock::new();

#[derive(Debug)]
struct Launched {
    commands: Vec<Words>,
    line: Mutex<UnixStream>,
}

/// Starts the process, which from now on starts these commands and no others.
///
/// # Errors
///
/// When it cannot be started.
pub(crate) fn start(commands: Vec<Words>) -> io::Result<()> {
    let (mut own, its) = UnixStream::pair()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(LAUNCHER).stdin(OwnedFd::from(its)).stdout(Stdio::null()).spawn()?;
    let list = serde_json::Value::from_iter(commands.iter().cloned()).to_string();
    own.write_all(&length(list.len())?.to_be_bytes())?;
    own.write_all(list.as_bytes())?;
    let launched = Launched { commands, line: Mutex::new(own) };
    LAUNCHED.set(Arc::new(launched)).map_err(|_| io::Error::other("one was started before"))
}

/// What a command prints within the time: started by that process, where there is one.
///
/// # Errors
///
/// What is wrong, and how to mend it.
pub(super) async fn output(words: Words, limit: Duration) -> Outcome {
    let Some(launched) = LAUNCHED.get() else {
        let printed = running::output(&words, limit).await;
        return printed.map_err(|(what, fix)| (what, fix.to_owned()));
    };
    let launched = Arc::clone(launched);
    let asked = tokio::task::spawn_blocking(move || launched.ask(&words, limit));
    asked.await.unwrap_or_else(|error| Err(lost(&error.to_string())))
}

impl Launched {
    /// Asks, after those who have asked before, and waits.
    fn ask(&self, words: &Words, limit: Duration) -> Outcome {
        let Some(number) = self.commands.iter().position(|own| own == words) else {
            let what = "is not of a command that the configuration named at the start";
            let fix = "restart countersign: it starts no others, or write sandbox = \"off\" below \
                       [process]";
            return Err((what.into(), fix.into()));
        };
        let exchanged = self.exchange(number, limit);
        exchanged.unwrap_or_else(|error| Err(lost(&error.to_string())))
    }

    fn exchange(&self, number: usize, limit: Duration) -> io::Result<Outcome> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        line.write_all(&[&length(number)?.to_be_bytes()[..], &limit.to_be_bytes()].concat())?;
        let mut part = || {
            let mut length = [0; 4];
            line.read_exact(&mut length)?;
            let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
            let mut bytes = Zeroizing::new(vec![0; length]);
            line.read_exact(&mut bytes)?;
            Ok::<_, io::Error>(Secret::new(std::mem::take(&mut *bytes)))
        };
        let (what, fix, printed) = (part()?, part()?, part()?);
        let text = |part: &Secret| String::from_utf8_lossy(part.expose()).into_owned();
        Ok(if fix.expose().is_empty() { Ok(printed) } else { Err((text(&what), text(&fix))) })
    }
}

fn lost(error: &str) -> (String, String) {
    (
        format!("cannot be had: the process that starts commands: {error}"),
        "restart countersign".into(),
    )
}

fn length(number: usize) -> io::Result<u32> {
    u32::try_from(number).map_err(io::Error::other)
}

/// Starts the commands that the process at standard input has named, until that one ends.
///
/// # Errors
///
/// When nobody is there who names any.
pub(crate) fn serve() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(answer())
}

async fn answer() -> io::Result<()> {
    // The other ends as it sees fit, and this with it. They are caught, and not ignored: commands would
    // ignore them as well.
    let caught = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()];
    let _caught = caught.map(signal);
    let own = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    own.set_nonblocking(true)?;
    let mut line = tokio::net::UnixStream::from_std(own)?;
    let mut list = vec![0; usize::try_from(line.read_u32().await?).map_err(io::Error::other)?];
    line.read_exact(&mut list).await?;
    let commands = commands(&list).ok_or(io::ErrorKind::InvalidData)?;
    while let Ok(number) = line.read_u32().await {
        let limit = Duration::from_millis(line.read_u64().await?);
        let number = usize::try_from(number).map_err(io::Error::other)?;
        let words = commands.get(number).ok_or(io::ErrorKind::InvalidInput)?;
        let outcome = tokio::select! {
            outcome = running::output(words, limit) => outcome,
            // It says nothing before it is answered: it has ended, and the command with it.
            _ = line.read_u8() => return Ok(()),
        };
        let none = Secret::new(Vec::new());
        let (what, fix, printed) = match outcome {
            Ok(printed) => (String::new(), "", printed),
            Err((what, fix)) => (what, fix, none),
        };
        for part in [what.as_bytes(), fix.as_bytes(), printed.expose()] {
            line.write_u32(length(part.len())?).await?;
            line.write_all(part).await?;
        }
    }
    Ok(())
}

fn commands(list: &[u8]) -> Option<Vec<Words>> {
    let list: serde_json::Value = serde_json::from_slice(list).ok()?;
    let words = |command: &serde_json::Value| {
        let words = command.as_array()?.iter().map(|word| word.as_str().map(str::to_owned));
        words.collect()
    };
    list.as_array()?.iter().map(words).collect()
}
