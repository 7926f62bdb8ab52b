//! One run of a command: what it printed, or why there is nothing to use.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::keys::env::private_variables;
use crate::secret::Secret;

/// What a command prints within the time.
///
/// # Errors
///
/// What is wrong, and how to mend it. The command and what it started are ended then.
pub(super) async fn output(
    words: &[String],
    limit: Duration,
) -> Result<Secret, (String, &'static str)> {
    let (program, arguments) = words.split_first().ok_or_else(|| ("is empty".into(), BY_HAND))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, so that what it starts ends with it.
    command.kill_on_drop(true).process_group(0);
    for name in private_variables() {
        command.env_remove(name);
    }
    let mut child = command.spawn().map_err(|error| cannot_start(&error))?;
    let group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let done = tokio::time::timeout(limit, collect(&mut child)).await;
    let slow = |_| (format!("has not ended within {limit:?}"), "raise the store's timeout");
    let (printed, said, success) = done.map_err(slow)??;
    if !success {
        let said = shown(&said);
        let what = match said.is_empty() {
            true => "failed, and said nothing".to_owned(),
            false => format!("failed, and said: {said}"),
        };
        return Err((what, BY_HAND));
    }
    // What goes on in the background was meant to.
    group.leave();
    Ok(printed)
}

/// Both outputs, and whether it ended well.
async fn collect(child: &mut Child) -> Result<(Secret, Vec<u8>, bool), (String, &'static str)> {
    let failed = |error: io::Error| (format!("cannot be read: {error}"), BY_HAND);
    let missing = || (String::from("has no output"), BY_HAND);
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let stderr = child.stderr.take().ok_or_else(missing)?;
    let (printed, said) = tokio::join!(whole(stdout), tail(stderr));
    let printed = printed.map_err(failed)?;
    let Some(printed) = printed else {
        let what = format!("is longer than {} KiB", MAX_BYTES / 1024);
        return Err((what, "name the one key, and not a document that it is in"));
    };
    let status = child.wait().await.map_err(failed)?;
    Ok((printed, said.map_err(failed)?, status.success()))
}

/// All of it; nothing where it is too long.
async fn whole(from: impl AsyncRead + Unpin) -> io::Result<Option<Secret>> {
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 64));
    from.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).await?;
    Ok((bytes.len() <= MAX_BYTES).then(|| Secret::new(bytes.to_vec())))
}

/// The end of it, where programs say what was wrong.
async fn tail(mut from: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let (mut tail, mut piece) = (Vec::new(), vec![0; 4096]);
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(tail);
        }
        tail.extend_from_slice(&piece[..length]);
        tail.drain(..tail.len().saturating_sub(MOST_SAID));
    }
}

/// What was said, for a terminal and a log: one line of printable characters, and of what may be a
/// key or a token only how long it is.
fn shown(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words = words.filter(|word| !word.is_empty()).map(|word| {
        let runs = word.split(|c: char| !c.is_ascii_alphanumeric()).map(str::len);
        match runs.max().unwrap_or_default() < SHORTEST_SECRET {
            true => word.to_owned(),
            false => format!("({} characters)", word.chars().count()),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn cannot_start(error: &io::Error) -> (String, &'static str) {
    if error.kind() == io::ErrorKind::NotFound {
        let fix = "install it, or write the program's whole path";
        return ("is not there: no such program".into(), fix);
    }
    if error.kind() == io::ErrorKind::PermissionDenied {
        let fix = "give its file to this user, or chmod +x it";
        return ("is not there: this user may not start the program".into(), fix);
    }
    (format!("cannot be started: {error}"), BY_HAND)
}

/// A command and what it started; ended when dropped.
struct Group(Option<Pid>);

impl Group {
    fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It fails where all of them have ended.
            let _ended = kill_process_group(pid, Signal::KILL);
        }
    }
}

pub(super) const BY_HAND: &str =
    "run it by hand, as the user and with the variables that countersign has";

/// As for files.
const MAX_BYTES: usize = 1024 * 1024;
/// Of what is said.
const MOST_SAID: usize = 512;
/// Letters and digits in a row, as for names of entries.
const SHORTEST_SECRET: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_one_line_without_keys() {
        for (said, expected) in [
            (&b"one\r\ntwo\x1b[31m\n"[..], "one two [31m"),
            (b"bad token 0123456789abcdef0123456789abcdef!", "bad token (33 characters)"),
            (b"\xff", "\u{fffd}"),
            (b"\n", ""),
        ] {
            assert_eq!(shown(said), expected);
        }
    }

    #[tokio::test]
    async fn the_end_of_what_is_said_is_kept() {
        let said = [vec![b'a'; 10_000], b"the end".to_vec()].concat();
        let kept = tail(&said[..]).await.unwrap();
        assert_eq!(kept.len(), MOST_SAID);
        assert!(kept.ends_with(b"athe end"));
    }
}
