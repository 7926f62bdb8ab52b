//! `schemes show` and `schemes test`: a declared scheme for people, with where each part of its
//! canonical string comes from, what its signatures bind, and who confirmed its vectors.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::lines::lines;
use crate::cli::{CliError, Exit};
use crate::config::{Config, ConfigErrors};
use crate::document::choose;
use crate::scheme::{Binds, CATALOGUE, Compiled, Entry, Registry};

#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// The scheme: one that is built in, of the catalogue, or of the configuration
    name: String,
    /// The configuration whose [schemes] are looked at first
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The scheme's file and what it says.
pub(super) fn show(args: &ShowArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let config = args.config.as_deref().map(Config::load).transpose()?;
    let own = config.as_ref().and_then(|config| config.schemes.get(&args.name));
    let catalogue = CATALOGUE.iter().find(|(name, _)| *name == args.name);
    let text = own.map(String::as_str).or_else(|| catalogue.map(|(_, text)| *text));
    let built_in = Registry::built_in();
    if let Some(entry) = built_in.own(&args.name) {
        return built(entry, out);
    }
    let Some(text) = text else {
        let configured = config.iter().flat_map(|config| config.schemes.keys());
        let names: Vec<&str> = built_in.names().chain(configured.map(String::as_str)).collect();
        let what = format!("there is no scheme {:?}", args.name);
        return Err(CliError::new(Exit::Usage, what).fix(choose(&args.name, &names)));
    };
    let scheme = Compiled::load(text)
        .map_err(|errors| ConfigErrors::new(PathBuf::from(&args.name), errors))?;
    writeln!(out, "{}\n", text.trim_end())?;
    describe(&scheme, out)
}

/// A scheme of this program's own code, whose canonical string is no data.
fn built(entry: &Entry, out: &mut dyn Write) -> Result<(), CliError> {
    writeln!(out, "{}\n  {}\n  host: {}", entry.name, entry.summary, entry.host)?;
    for (name, doc) in lines(entry) {
        writeln!(out, "  {name}: {doc}")?;
    }
    for note in &entry.notes {
        writeln!(out, "\n{note}")?;
    }
    Ok(writeln!(out, "\nIt is built in; countersign explain shows what it signs of a request.")?)
}

/// Says of each file whether its vectors hold, and what its signatures bind; what is wrong with any
/// is told together.
pub(super) fn test(files: &[PathBuf], out: &mut dyn Write) -> Result<(), CliError> {
    let mut wrong = Vec::new();
    for (index, path) in files.iter().enumerate() {
        let text = std::fs::read_to_string(path).map_err(|error| CliError::at(path, &error))?;
        match Compiled::load(&text) {
            Ok(scheme) => {
                let line = if index > 0 { "\n" } else { "" };
                writeln!(out, "{line}{}: {} vectors hold", path.display(), scheme.tried())?;
                describe(&scheme, out)?;
            }
            Err(errors) => wrong.push(problems(path, errors)),
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(CliError::new(Exit::Config, format!("not every file can be used\n{}", wrong.join("\n"))))
}

fn problems(path: &Path, errors: Vec<crate::problem::Problem>) -> String {
    ConfigErrors::new(path.to_owned(), errors).to_string()
}

fn describe(scheme: &Compiled, out: &mut dyn Write) -> Result<(), CliError> {
    for signed in scheme.signed() {
        writeln!(out, "  {} is signed with {}:", signed.name, signed.slot)?;
        let wide = signed.parts.iter().map(|(part, _)| part.chars().count()).max().unwrap_or(0);
        for (part, from) in signed.parts {
            writeln!(out, "    {part:<wide$}  {from}")?;
        }
    }
    let bound = scheme.bound();
    let wide = bound.iter().map(|(what, _)| what.chars().count()).max().unwrap_or(0);
    writeln!(out, "  what a signature binds:")?;
    for (what, how) in bound {
        let how = match how {
            Binds::Bound => "bound",
            Binds::Partly => "in part: what the text reads of it",
            Binds::Open => "NOT bound",
            Binds::Signature => "made by the key",
        };
        writeln!(out, "    {what:<wide$}  {how}")?;
    }
    writeln!(out, "  verified against:")?;
    for (source, count) in scheme.sources() {
        writeln!(out, "    {count} of {source}")?;
    }
    for (what, fix) in scheme.advice() {
        writeln!(out, "  warning: it {what}\n    fix: {fix}")?;
    }
    Ok(())
}
