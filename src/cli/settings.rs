//! `settings`: the rows of the configuration, for people and for the documentation.

use std::io::Write;

use super::CliError;
use crate::config::settings::{Need, SECTIONS, SIGNER, Setting, Takes};
use crate::keys::StoreSetting;
use crate::stores::STORES;

/// Every setting, for a terminal.
pub(super) fn run(out: &mut dyn Write) -> Result<(), CliError> {
    for Section { title, rows, .. } in sections() {
        writeln!(out, "{title}")?;
        for Row { name, kind, default, takes, doc } in rows {
            writeln!(out, "  {name:<16} {doc}\n  {:<16} {kind}, {default}, {takes}", "")?;
        }
    }
    Ok(())
}

/// docs/configuration.md.
pub(super) fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for Section { title, doc, uri, rows } in sections() {
        let uri = uri.map(|uri| format!(" As a key URI: `{uri}`.")).unwrap_or_default();
        text += &format!("\n## {title}\n\n{doc}{uri}\n");
        if rows.is_empty() {
            continue;
        }
        text += &table(rows.into_iter());
    }
    text
}

/// docs/signer.md.
pub(super) fn signer() -> String {
    let mut text = SIGNER_HEAD.to_owned();
    for section in SIGNER {
        text += &format!("\n## [{}]\n\n{}\n", section.table, section.doc);
        text += &table(section.settings.iter().map(Row::of));
    }
    text
}

fn table(rows: impl Iterator<Item = Row>) -> String {
    let mut text =
        "\n| setting | kind | default | takes | what it is |\n|---|---|---|---|---|\n".to_owned();
    for Row { name, kind, default, takes, doc } in rows {
        text += &format!("| `{name}` | {kind} | {default} | {takes} | {doc} |\n");
    }
    text
}

/// A table of the configuration in words.
struct Section {
    title: String,
    doc: &'static str,
    /// A key URI, where it is a kind of store.
    uri: Option<&'static str>,
    rows: Vec<Row>,
}

fn sections() -> Vec<Section> {
    let mut all = Vec::new();
    for section in SECTIONS {
        let rows = section.settings.iter().map(Row::of).collect();
        all.push(Section {
            title: format!("[{}]", section.table),
            doc: section.doc,
            uri: None,
            rows,
        });
        // What else is in it depends on what a store is.
        for kind in STORES.iter().filter(|_| section.table == "stores.NAME") {
            let title = format!("[stores.NAME] with kind = \"{}\"", kind.name);
            let rows = kind.settings.iter().map(Row::of_store).collect();
            all.push(Section { title, doc: kind.doc, uri: Some(kind.uri), rows });
        }
    }
    all
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
        Self { name: setting.name, kind: setting.kind.written(), default, takes: "reload", doc }
    }
}

const SIGNER_HEAD: &str = "\
# Configuration of a signer

<!-- Written by `countersign documents signer`; a test holds it against the program. -->

The settings of `signer.toml` that `proxy.toml` does not have; `[stores]`, `[keys]` and `[log]` are as in
[configuration.md](configuration.md), and [remote-signer.md](remote-signer.md) says what a signer is for.
Relative paths start at the file. Of `[signer]` a reload (SIGHUP) takes up the contents of the files alone.
";

const HEAD: &str = "\
# Configuration

<!-- Written by `countersign documents configuration`; a test holds it against the program. -->

Every setting of `proxy.toml`. Durations are written `\"500ms\"`, `\"5s\"`, `\"2m\"`, `\"7d\"`; sizes
`\"64KiB\"`, `\"1MiB\"`. Relative paths start at the file. A change takes a reload (SIGHUP) or a
restart; a reload that would need a restart says so and leaves the value as it was. NAME is yours to
choose. `countersign example` prints a file that shows all of this in use.
";
