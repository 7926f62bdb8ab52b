//! `audit`: whether a file of decisions is as it was written.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::CliError;
use crate::audit::{After, ChainError, LineHash, follow};

/// Check files of decisions.
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
    },
}

pub(super) fn run(args: &AuditArgs, out: &mut dyn Write) -> Result<(), CliError> {
    match &args.command {
        AuditCommand::Verify { file, after } => verify(file, *after, out),
    }
}

fn verify(path: &Path, after: Option<LineHash>, out: &mut dyn Write) -> Result<(), CliError> {
    let file = File::open(path).map_err(|error| CliError::at(path, &error))?;
    let chain = match follow(file, After::Line(after.unwrap_or(LineHash::START))) {
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
    Ok(())
}
