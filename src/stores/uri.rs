//! Key URIs: a store and an entry in one text, `file:okx.pem`, for those who need no more of a store
//! than that it is there.

use std::fmt;

use super::STORES;
use crate::keys::command as words;
use crate::keys::{GIVEN, StoreKind};

/// What a URI says.
pub struct Located {
    /// The row of the store's kind.
    pub kind: &'static StoreKind,
    /// Its settings, as they would be written below `[stores.NAME]`.
    pub settings: Vec<(&'static str, String)>,
    /// The entry in it.
    pub entry: String,
}

impl Located {
    /// What stands before a secret that a URI itself gives, among its settings.
    pub const GIVEN: &'static str = GIVEN;

    /// Reads a URI, or a command in words whose first is one. What is wrong with it is said without
    /// repeating it: it may be a secret that was pasted in its place.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(text: &[String]) -> Result<Self, &'static str> {
        let (first, more) = text.split_first().ok_or("is an empty list")?;
        let (scheme, rest) = first.split_once(':').ok_or(NO_KIND)?;
        let kind = STORES.iter().find(|kind| kind.scheme == scheme).ok_or(NO_KIND)?;
        let (settings, entry) = match (more, scheme) {
            ([], _) => (kind.locate)(rest)?,
            (more, "exec") => {
                let words = [&[rest.to_owned()], more].concat();
                (kind.locate)(&words::join(&words))?
            }
            _ => return Err("is a list, and only exec: takes one"),
        };
        if entry.is_empty() {
            return Err("names nothing after the colon");
        }
        Ok(Self { kind, settings, entry })
    }
}

/// A URI may hold a secret.
impl fmt::Debug for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Located({})", self.kind.name)
    }
}

const NO_KIND: &str = "does not begin with a kind of store and a colon";
