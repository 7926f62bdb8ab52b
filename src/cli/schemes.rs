//! `schemes`: the registry, for people and for the documentation.

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{CliError, Exit, catalogue};
use crate::document::ConfigErrors;
use crate::problem::Problem;
use crate::scheme::{Compiled, Entry, Registry};

#[derive(Debug, clap::Args)]
pub(super) struct SchemesArgs {
    /// Write Markdown, as docs/schemes.md has it
    #[arg(long)]
    markdown: bool,
    #[command(subcommand)]
    command: Option<SchemesCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum SchemesCommand {
    /// Read scheme files and run their vectors
    Test {
        /// The files
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}

pub(super) fn run(args: &SchemesArgs, out: &mut dyn Write) -> Result<(), CliError> {
    if let Some(SchemesCommand::Test { files }) = &args.command {
        return test(files, out);
    }
    let text = if args.markdown { markdown() } else { plain() + "\n" + &catalogue::plain() };
    Ok(out.write_all(text.as_bytes())?)
}

/// Says of each file whether its vectors hold; what is wrong with any is told together.
fn test(files: &[PathBuf], out: &mut dyn Write) -> Result<(), CliError> {
    let mut wrong = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).map_err(|error| CliError::at(path, &error))?;
        match Compiled::load(&text) {
            Ok(scheme) => writeln!(out, "{}: {} vectors hold", path.display(), scheme.tried())?,
            Err(errors) => wrong.push(problems(path, errors)),
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(CliError::new(Exit::Config, format!("not every file can be used\n{}", wrong.join("\n"))))
}

fn problems(path: &Path, errors: Vec<Problem>) -> String {
    ConfigErrors::new(path.to_owned(), errors).to_string()
}

/// One line of an entry: what it is, its name, whether it must be there, and its sentence.
fn lines(entry: &Entry) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for slot in &entry.keys {
        let algorithms: Vec<_> = slot.algorithms.iter().map(|a| a.name()).collect();
        let need = if slot.required { "" } else { ", optional" };
        let name = format!("keys.{}", slot.name);
        lines.push((name, format!("{} ({}{need})", slot.doc, algorithms.join(" or "))));
    }
    for slot in &entry.secrets {
        let need = if slot.required { "" } else { " (optional)" };
        lines.push((format!("secrets.{}", slot.name), format!("{}{need}", slot.doc)));
    }
    for param in &entry.params {
        let values = match &param.values[..] {
            [] => String::new(),
            values => format!(" One of {}.", values.join(", ")),
        };
        let default = match (param.required, param.default.as_ref()) {
            (true, _) => " It must be written.".to_owned(),
            (false, "") => String::new(),
            (false, default) => format!(" Default {default}."),
        };
        let text = format!("{}{default}{values}", param.doc);
        lines.push((format!("params.{}", param.name), text));
    }
    lines
}

fn plain() -> String {
    let mut text = String::new();
    for entry in Registry::built_in().iter() {
        let host = if entry.is_envelope() { "service" } else { "host" };
        let _infallible =
            writeln!(text, "{}\n  {}\n  {host}: {}", entry.name, entry.summary, entry.host);
        for (name, doc) in lines(entry) {
            let _infallible = writeln!(text, "  {name}: {doc}");
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// docs/schemes.md.
pub(super) fn markdown() -> String {
    let mut text = String::from(
        "# Schemes\n\nMade by `countersign documents schemes`; a test keeps it true. A route names \
         a scheme and fills its slots:\n`keys = { signer = \"…\" }`, `secrets = { … }`, \
         `params = { … }`.\n",
    );
    for entry in Registry::built_in().iter() {
        let (name, summary, host) = (&entry.name, &entry.summary, &entry.host);
        let place = if entry.is_envelope() { "Its service is at" } else { "Usually at" };
        let _infallible = writeln!(
            text,
            "\n## {name}\n\n{summary}. {place} `{host}`.\n\n| slot | what it is |\n|---|---|"
        );
        for (slot, doc) in lines(entry) {
            let _infallible = writeln!(text, "| `{slot}` | {doc} |");
        }
        for note in &entry.notes {
            let _infallible = writeln!(text, "\n{note}");
        }
    }
    text
}
