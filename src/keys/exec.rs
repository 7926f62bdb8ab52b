//! Keys and secrets that a command prints: a password manager's, a secret manager's, a decrypter's.
//!
//! There is no shell: a command is a program and its arguments. It runs when a store is opened, at a
//! start and a reload, without the variables that are for this program alone, and for a limited time.
//! What it says on standard error is shown when it fails; what it prints never is.

pub(crate) mod launcher;
mod running;
pub(crate) mod words;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::env::PRIVATE;
use super::error::pasted;
use super::formats::plain;
use super::key::BoxFuture;
use super::need::{Need, StoreVariables};
use super::store::all_entry;
use super::store::{ByteStore, KeyStore, SettingKind, StoreKind, StoreSetting, StoreSettings};
use crate::problem::Problem;
use crate::secret::Secret;
use crate::strict_modes;

/// `kind = "exec"`.
pub(crate) const KIND: StoreKind = StoreKind {
    name: "exec",
    doc: "An entry is the last argument of a command that prints the key, or the whole command. There \
          is no shell: words are split at blanks, quotes keep them together, nothing is expanded.",
    scheme: "exec",
    uri: "exec:op read op://Private/okx/secret",
    locate: all_entry,
    settings: &[
        StoreSetting {
            name: COMMAND,
            kind: SettingKind::Command,
            default: None,
            required: false,
            example: "[\"op\", \"read\"]",
            doc: "The program and its first arguments, as a list or a string; `{}` in an argument \
                  stands for the entry, which else comes last. Without it, the entry is the command.",
        },
        StoreSetting {
            name: TIMEOUT,
            kind: SettingKind::Duration,
            default: Some("10s"),
            required: false,
            example: "\"10s\"",
            doc: "How long the command may run.",
        },
    ],
    open: |settings| KeyStore::Bytes(Arc::new(Commands::of(settings))),
    place: |settings, entry| place(&settings.text(COMMAND).unwrap_or_default(), entry),
    file: |_, _| None,
    needs: |settings, entry| {
        let Commands { command, limit } = Commands::of(settings);
        let words = words(&command, entry).ok();
        words.map(|words| Need::Command(words, limit)).into_iter().collect()
    },
    variables: |_| StoreVariables { prefix: Some(PRIVATE.into()), named: Vec::new() },
};

const COMMAND: &str = "command";
const TIMEOUT: &str = "timeout";

/// Where an argument names the entry.
const ENTRY: &str = "{}";

#[derive(Debug)]
struct Commands {
    /// In words; empty where the entry is all of it.
    command: String,
    limit: Duration,
}

/// The program and its arguments, for an entry.
fn words(command: &str, entry: &str) -> Result<Vec<String>, Problem> {
    let wrong = |what: &str| {
        Problem::new(what, "write a program and its arguments: op read op://Vault/item/field")
            .of("the command")
    };
    let whole = command.is_empty();
    let text = if whole { entry } else { command };
    let mut words = words::split(text).map_err(wrong)?;
    if words.first().is_none_or(String::is_empty) {
        return Err(wrong("names no program"));
    }
    if whole {
        return Ok(words);
    }
    if words.iter().any(|word| word.contains(ENTRY)) {
        words = words.iter().map(|word| word.replace(ENTRY, entry)).collect();
    } else {
        words.push(entry.to_owned());
    }
    Ok(words)
}

impl Commands {
    fn of(settings: &StoreSettings) -> Self {
        let command = settings.text(COMMAND).unwrap_or_default();
        let limit = Duration::from_millis(settings.number(TIMEOUT).unwrap_or(10_000));
        Self { command, limit }
    }

    async fn read_now(&self, entry: &str) -> Result<Secret, Problem> {
        let words = words(&self.command, entry)?;
        // One without a slash is where PATH says, which is not the configuration's.
        if let Some(program) = words.first().filter(|program| program.contains('/')) {
            strict_modes::check(Path::new(program))?;
        }
        let failed =
            |what: String, fix: &str| Problem::new(what, fix).of(place(&self.command, entry));
        let printed = launcher::output(words, self.limit).await;
        let printed = printed.map_err(|(what, fix)| failed(what, &fix))?;
        let plain = plain(printed.expose());
        let plain = plain.map_err(|error| failed(error.what, "have it print UTF-8"))?;
        if plain.trim_ascii().is_empty() {
            return Err(failed("prints nothing".into(), running::BY_HAND));
        }
        Ok(Secret::new(plain.to_vec()))
    }
}

impl ByteStore for Commands {
    fn read<'a>(&'a self, entry: &'a str) -> BoxFuture<'a, Result<Secret, Problem>> {
        Box::pin(self.read_now(entry))
    }

    fn place(&self, entry: &str) -> String {
        place(&self.command, entry)
    }

    fn passphrase(&self) -> Result<(&str, Secret), (String, String)> {
        let fix = "have the command decrypt it: openssl pkcs8 -in FILE -passin …";
        Err(("is encrypted, and a command's output has no passphrase".into(), fix.into()))
    }
}

/// The program alone: arguments may hold what nobody should read.
fn place(command: &str, entry: &str) -> String {
    let text = if command.is_empty() { entry } else { command };
    let program = words::split(text).ok().and_then(|words| words.into_iter().next());
    match program {
        Some(program) if pasted(&program).is_none() => {
            format!("the output of {}", program.escape_debug())
        }
        _ => "the output of the command".into(),
    }
}
