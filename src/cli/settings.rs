//! `settings`: the rows of the configuration, for people and for the documentation.

use std::io::Write;

use super::CliError;
use crate::config::settings::{Need, SECTIONS, Setting, Takes};
use crate::keys::{STORES, StoreSetting};

#[derive(Debug, clap::Args)]
pub(super) struct SettingsArgs {
    /// Write Markdown, as docs/configuration.md has it
    #[arg(long)]
    markdown: bool,
}

pub(super) fn run(args: &SettingsArgs, out: &mut dyn Write) -> Result<(), CliError> {
    if args.markdown {
        out.write_all(HEAD.as_bytes())?;
    }
    for section in SECTIONS {
        let rows = section.settings.iter().map(Row::of);
        table(&format!("[{}]", section.table), section.doc, rows, args.markdown, out)?;
        // What else is in it depends on what a store is.
        if section.table == "stores.NAME" {
            for kind in STORES {
                let title = format!("[stores.NAME] with kind = \"{}\"", kind.name);
                table(&title, "", kind.settings.iter().map(Row::of_store), args.markdown, out)?;
            }
        }
    }
    Ok(())
}

/// docs/configuration.md.
pub(super) fn markdown() -> String {
    let mut text = Vec::new();
    let written = run(&SettingsArgs { markdown: true }, &mut text);
    written.expect("memory takes what is written");
    String::from_utf8(text).expect("the rows are text")
}

fn table(
    title: &str,
    doc: &str,
    rows: impl Iterator<Item = Row>,
    markdown: bool,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    if markdown {
        let doc = if doc.is_empty() { String::new() } else { format!("{doc}\n\n") };
        writeln!(out, "\n## {title}\n\n{doc}| setting | kind | default | takes | what it is |")?;
        writeln!(out, "|---|---|---|---|---|")?;
    } else {
        writeln!(out, "{title}")?;
    }
    for Row { name, kind, default, takes, doc } in rows {
        match markdown {
            true => writeln!(out, "| `{name}` | {kind} | {default} | {takes} | {doc} |")?,
            false => writeln!(out, "  {name:<16} {doc}\n  {:<16} {kind}, {default}, {takes}", "")?,
        }
    }
    Ok(())
}

/// A setting in words.
struct Row {
    name: &'static str,
    kind: &'static str,
    default: String,
    takes: &'static str,
    doc: String,
}

impl Row {
    fn of(setting: &Setting) -> Self {
        let key = setting.key;
        let default = match setting.need {
            Need::Default(value) => format!("`{value}`"),
            Need::Required => format!("required, as `{}`", key.example),
            Need::Optional => format!("none; as `{}`", key.example),
        };
        let takes = match setting.takes {
            Takes::Reload => "reload",
            Takes::Restart(_) => "restart",
        };
        let was: String = key.was.iter().map(|name| format!(" It was `{name}` before.")).collect();
        Self {
            name: key.name,
            kind: key.kind,
            default,
            takes,
            doc: format!("{}{was}", setting.doc),
        }
    }

    fn of_store(setting: &StoreSetting) -> Self {
        let default = match (setting.default, setting.required) {
            (Some(default), _) => format!("`\"{default}\"`"),
            (None, true) => format!("required, as `{}`", setting.example),
            (None, false) => format!("none; as `{}`", setting.example),
        };
        let doc = setting.doc.to_owned();
        Self { name: setting.name, kind: "a string", default, takes: "reload", doc }
    }
}

const HEAD: &str = "\
# Configuration

<!-- Written by `countersign settings --markdown`; a test holds it against the program. -->

Every setting of `proxy.toml`. Durations are written `\"500ms\"`, `\"5s\"`, `\"2m\"`, `\"7d\"`; sizes
`\"64KiB\"`, `\"1MiB\"`. Relative paths start at the file. A change takes a reload (SIGHUP) or a
restart; a reload that would need a restart says so and leaves the value as it was. NAME is yours to
choose. `countersign example` prints a file that shows all of this in use.
";
