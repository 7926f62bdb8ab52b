//! `audit`: whether a file of decisions or of signatures is as it was written.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::CliError;
use crate::audit::{After, ChainError, LineHash, walk};

/// Check files of decisions and of signatures.
#[derive(Debug, clap::Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    /// Say whether every line follows from the one before, and print the hash of the last
    Verify {
        /// The file; it may be in use
        file: PathBuf,
        /// The last hash of the file before it, where a rotation has begun this one
        #[arg(long, value_name = "HASH")]
        after: Option<LineHash>,
        /// A head of the file as the log has it: its line must still be there
        #[arg(long, value_name = "HASH")]
        head: Option<LineHash>,
    },
}

pub(super) fn run(args: &AuditArgs, out: &mut dyn Write) -> Result<(), CliError> {
    match &args.command {
        AuditCommand::Verify { file, after, head } => {
            verify(file, after.unwrap_or(LineHash::START), *head, out)
        }
    }
}

fn verify(
    path: &Path,
    start: LineHash,
    head: Option<LineHash>,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let file = File::open(path).map_err(|error| CliError::at(path, &error))?;
    let mut found = head.is_none_or(|head| head == start);
    let mut unanswered = Unanswered::default();
    let walked = walk(file, After::Line(start), |line, hash| {
        found |= head == Some(hash);
        unanswered.look(line);
    });
    let chain = match walked {
        Ok(chain) => chain,
        Err(ChainError::Io(error)) => return Err(CliError::at(path, &error)),
        Err(broken @ ChainError::Broken { .. }) => {
            let fix = "name the last hash of the file before with --after, if there is one; or \
                       find out who changed the file: what comes after that line proves nothing";
            return Err(CliError::failed(format!("{}: {broken}", path.display()), fix));
        }
    };
    let (lines, last) = (chain.lines, chain.last);
    let s = if lines == 1 { "" } else { "s" };
    writeln!(out, "{lines} line{s}, chain whole, last {last}")?;
    if chain.torn > 0 {
        let bytes = chain.torn;
        let why = "a crash has torn it off, or it is being written";
        writeln!(out, "note: {bytes} bytes of a line without its end follow: {why}")?;
    }
    unanswered.tell(out)?;
    if let Some(head) = head.filter(|_| !found) {
        let what = format!("{}: no line has the hash {head}", path.display());
        let fix = "look for it in the files before, if the log had it before a rotation; or find out \
                   who cut the file";
        return Err(CliError::failed(what, fix));
    }
    Ok(())
}

/// Requests that were about to be sent, and of which the file does not say what came of them.
#[derive(Debug, Default)]
struct Unanswered(BTreeSet<String>);

impl Unanswered {
    /// Reads a line; those of decisions say nothing here.
    fn look(&mut self, line: &[u8]) {
        let read: Option<Value> = serde_json::from_slice(line).ok();
        let Some(id) = read.as_ref().and_then(|line| line["id"].as_str()) else { return };
        match read.as_ref().and_then(|line| line["event"].as_str()) {
            Some("sending") => _ = self.0.insert(id.to_owned()),
            Some("outcome") => _ = self.0.remove(id),
            _ => {}
        }
    }

    fn tell(&self, out: &mut dyn Write) -> Result<(), CliError> {
        let count = self.0.len();
        let shown: Vec<&str> = self.0.iter().map(String::as_str).take(SHOWN).collect();
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
