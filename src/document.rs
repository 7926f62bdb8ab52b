//! TOML documents, read with every problem at once: each has a line, a column and a fix.
//!
//! serde would stop at the first one, and knows no place of a value that fits its type and nothing
//! else. Here a `Table` is taken apart key by key, each by a parser of the caller's; what is
//! wrong goes to the `Report`, and the reader goes on. Nothing here knows what the keys mean, so
//! whoever has a table of its own in a file reads it by itself.

mod error;
mod fault;
mod field;
mod lines;
mod nearest;
mod node;
mod report;
mod table;
mod words;

pub use error::ConfigErrors;
pub(crate) use fault::{ValueFault, is_shown, quoted};
pub(crate) use field::{Field, Key, Named, Pair, Written};
pub(crate) use nearest::{choose, nearest};
pub(crate) use node::{Member, Node};
pub(crate) use report::Report;
pub(crate) use table::{Short, Table};
pub(crate) use words::{one_of, text};

pub use crate::problem::Location;
