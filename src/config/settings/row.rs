//! How a row is written: the constructors of settings, and those that two files have.

use super::{Need, Setting, Takes};
use crate::config::Config;
use crate::document::Key;

pub(super) const SANDBOX: Key = Key::string("sandbox", "\"warn\"");
pub(super) const SANDBOX_DOC: &str = "What follows where the kernel cannot take something away that is given up: `warn`, or `require`, \
     which refuses to start. With `off` nothing is given up.";
pub(super) const LOCK_MEMORY: Key = Key::flag("lock_memory", "true");
pub(super) const LOCK_MEMORY_DOC: &str = "Whether all memory is locked, so that none is written to swap. It takes a limit of locked memory \
     that is `unlimited`, or `CAP_IPC_LOCK`; without them the start is refused.";

/// A setting whose example is its default.
pub(super) const fn setting(key: Key, doc: &'static str) -> Setting {
    Setting { key, need: Need::Default(key.example), doc, takes: Takes::Reload }
}

/// A setting that may be left out.
pub(super) const fn optional(key: Key, doc: &'static str) -> Setting {
    Setting { key, need: Need::Optional, doc, takes: Takes::Reload }
}

/// A setting that may not.
pub(super) const fn required(key: Key, doc: &'static str) -> Setting {
    Setting { key, need: Need::Required, doc, takes: Takes::Reload }
}

impl Setting {
    /// With a default that is not what messages show as an example.
    pub(super) const fn or(self, default: &'static str) -> Self {
        Self { need: Need::Default(default), ..self }
    }

    /// With the names it had before.
    pub(super) const fn was(self, names: &'static [&'static str]) -> Self {
        Self { key: Key { was: names, ..self.key }, ..self }
    }

    /// Whose change takes a restart.
    pub(super) const fn restart(self, keep: fn(&mut Config, &Config) -> bool) -> Self {
        Self { takes: Takes::Restart(keep), ..self }
    }
}

/// Gives a value that takes a restart the one it had at the start; says whether it was another.
pub(super) fn keep<T: Clone + PartialEq>(new: &mut T, old: &T) -> bool {
    let changed = new != old;
    new.clone_from(old);
    changed
}
