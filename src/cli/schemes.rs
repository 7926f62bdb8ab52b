//! `schemes`: the registry, for people and for the documentation.

mod lines;
mod new;
mod shown;

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use self::lines::lines;
use super::{CliError, catalogue};
use crate::scheme::{Bounds, Registry};

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
    /// Read scheme files, run their vectors, and say what their signatures bind
    Test {
        /// The files
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// Show a scheme: its file, where each part of its canonical string is from, what is bound
    Show(shown::ShowArgs),
    /// Write a scheme file: a commented skeleton, or what makes a captured request whose key is known
    New(new::NewArgs),
}

pub(super) fn run(args: &SchemesArgs, out: &mut dyn Write) -> Result<(), CliError> {
    match &args.command {
        Some(SchemesCommand::Test { files }) => return shown::test(files, out),
        Some(SchemesCommand::Show(args)) => return shown::show(args, out),
        Some(SchemesCommand::New(args)) => return new::run(args, out),
        None => {}
    }
    let text = if args.markdown { markdown() } else { plain() + "\n" + &catalogue::plain() };
    Ok(out.write_all(text.as_bytes())?)
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
    text + &bound()
}

/// What each scheme's signatures bind, as rows.
fn bound() -> String {
    let mut text = String::from(BOUND);
    let registry = Registry::built_in();
    for name in registry.names() {
        let Some(entry) = registry.find(name) else { continue };
        if entry.is_envelope() {
            continue;
        }
        let nothing = [Bounds { of: "signs nothing", ..Bounds::NOTHING }];
        let rows = if entry.binds.is_empty() { &nothing[..] } else { &entry.binds };
        for row in rows {
            let said = row.parts().map(|(_, how)| how.word());
            let of = if row.of.is_empty() { String::new() } else { format!(", {}", row.of) };
            let _infallible = writeln!(text, "| `{name}`{of} | {} |", said.join(" | "));
        }
    }
    text
}

const BOUND: &str = "
## What a signature binds

A part that is not bound could be another, and the signature would be good for it all the same: by whoever
reads the request behind the TLS that it leaves in. \"In part\" is what the canonical string reads of it.
The proxy signs as the providers do, says once for each route in its log what that leaves open, and with
`unbound = \"refuse\"` on a route refuses requests that bear a method other than GET, a field of the query,
a body or a field of one that could be another. It finds these by changing one after the other and making
the canonical string again, which takes so many times longer. Rows of declared schemes are derived from
their files; `countersign schemes show` has their headers too.

| scheme | method | host | path | query | body | time | nonce |
|---|---|---|---|---|---|---|---|
";
