//! `audit`: whether files of decisions or of signatures are as they were written, and whether several of
//! them, those of replicas, have something twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::CliError;
use super::error::Exit;
use crate::audit::{After, Chain, ChainError, LineHash, walk};

/// Check files of decisions and of signatures.
#[derive(Debug, clap::Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    /// Say whether every line follows from the one before, and print the hash of the last
    ///
    /// Of several files, those of replicas, each is checked by itself, and then what they have together:
    /// an id that was decided or sent in two of them is named, and is a failure.
    Verify {
        /// The files; they may be in use
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The last hash of the file before it, where a rotation has begun the one file
        #[arg(long, value_name = "HASH")]
        after: Option<LineHash>,
        /// A head of the one file as the log has it: its line must still be there
        #[arg(long, value_name = "HASH")]
        head: Option<LineHash>,
    },
}

pub(super) fn run(args: &AuditArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let AuditCommand::Verify { files, after, head } = &args.command;
    let [file] = files.as_slice() else {
        if after.is_some() || head.is_some() {
            let what = "--after and --head are of one file, and there are several";
            let fix = "check that file by itself, and then all of them together without";
            return Err(CliError::new(Exit::Usage, what).fix(fix));
        }
        return together(files, out);
    };
    let start = after.unwrap_or(LineHash::START);
    let mut found = head.is_none_or(|head| head == start);
    let mut seen = Seen::default();
    let chain = checked(file, start, |line, hash| {
        found |= *head == Some(hash);
        seen.look(line, 0);
    })?;
    tell(&chain, "", out)?;
    seen.tell(out)?;
    if let Some(head) = head.filter(|_| !found) {
        let what = format!("{}: no line has the hash {head}", file.display());
        let fix = "look for it in the files before, if the log had it before a rotation; or find out \
                   who cut the file";
        return Err(CliError::failed(what, fix));
    }
    Ok(())
}

/// Each file by itself, and then what they have together.
fn together(files: &[PathBuf], out: &mut dyn Write) -> Result<(), CliError> {
    let mut seen = Seen::default();
    for (number, file) in files.iter().enumerate() {
        let chain = checked(file, LineHash::START, |line, _| seen.look(line, number))?;
        tell(&chain, &format!("{}: ", file.display()), out)?;
    }
    seen.tell(out)?;
    if seen.twice.is_empty() {
        return Ok(());
    }
    for ((what, id), numbers) in &seen.twice {
        let named: Vec<_> =
            numbers.iter().map(|number| files[*number].display().to_string()).collect();
        writeln!(out, "twice: {what} {id}: {}", named.join(", "))?;
    }
    let count = seen.twice.len();
    let what = match count {
        1 => "1 id stands in more than one file".to_owned(),
        _ => format!("{count} ids stand in more than one file"),
    };
    let fix = "of decisions: have [shared] redis in the replicas, so that a callback is decided once; \
               of requests: see that no file is a copy of another";
    Err(CliError::failed(what, fix))
}

/// Follows a file, showing its lines.
fn checked(
    path: &Path,
    start: LineHash,
    show: impl FnMut(&[u8], LineHash),
) -> Result<Chain, CliError> {
    let file = File::open(path).map_err(|error| CliError::at(path, &error))?;
    walk(file, After::Line(start), show).map_err(|error| match error {
        ChainError::Io(error) => CliError::at(path, &error),
        broken @ ChainError::Broken { .. } => {
            let fix = "name the last hash of the file before with --after, if there is one; or \
                       find out who changed the file: what comes after that line proves nothing";
            CliError::failed(format!("{}: {broken}", path.display()), fix)
        }
    })
}

/// Says that a file is whole.
fn tell(chain: &Chain, name: &str, out: &mut dyn Write) -> Result<(), CliError> {
    let (lines, last) = (chain.lines, chain.last);
    let s = if lines == 1 { "" } else { "s" };
    writeln!(out, "{name}{lines} line{s}, chain whole, last {last}")?;
    if chain.torn > 0 {
        let bytes = chain.torn;
        let why = "a crash has torn it off, or it is being written";
        writeln!(out, "{name}note: {bytes} bytes of a line without its end follow: {why}")?;
    }
    Ok(())
}

/// What the lines of all files say together.
#[derive(Debug, Default)]
struct Seen {
    /// Requests that were about to be sent, and of which no file says what came of them.
    unanswered: BTreeSet<String>,
    /// The first file with an id, by its number.
    first: BTreeMap<Id, usize>,
    /// Ids of several files.
    twice: BTreeMap<Id, BTreeSet<usize>>,
}

/// What was done, and with which id; of decisions the route is part of it.
type Id = (&'static str, String);

impl Seen {
    /// Reads a line of a file.
    fn look(&mut self, line: &[u8], file: usize) {
        let Ok(line) = serde_json::from_slice::<Value>(line) else { return };
        let text = |name: &str| line[name].as_str().filter(|text| !text.is_empty());
        match (text("event"), text("id"), text("request_id")) {
            (Some("sending"), Some(id), _) => {
                self.unanswered.insert(id.to_owned());
                self.has(("sent", id.to_owned()), file);
            }
            (Some("outcome"), Some(id), _) => _ = self.unanswered.remove(id),
            (None, None, Some(id)) => {
                let route = text("route").unwrap_or_default();
                self.has(("decided", format!("{route} {id}")), file);
            }
            _ => {}
        }
    }

    fn has(&mut self, id: Id, file: usize) {
        let first = *self.first.entry(id.clone()).or_insert(file);
        if first != file {
            self.twice.entry(id).or_default().extend([first, file]);
        }
    }

    fn tell(&self, out: &mut dyn Write) -> Result<(), CliError> {
        let count = self.unanswered.len();
        let shown: Vec<&str> = self.unanswered.iter().map(String::as_str).take(SHOWN).collect();
        let more = if count > shown.len() { ", …" } else { "" };
        let (s, shown) = (if count == 1 { "" } else { "s" }, shown.join(", "));
        if count > 0 {
            writeln!(
                out,
                "note: {count} request{s} may have been sent, without an outcome: {shown}{more}"
            )?;
        }
        Ok(())
    }
}

/// Ids that are named.
const SHOWN: usize = 5;
