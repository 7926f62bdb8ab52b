//! A word of the vocabulary: every table of them begins with one, so that the reference is written
//! from the tables.

use crate::document::{choose, quoted};

/// A name, what it says, and how it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    /// As files write it.
    pub(crate) name: &'static str,
    /// One sentence.
    pub(crate) doc: &'static str,
    /// As it stands in a file.
    pub(crate) example: &'static str,
}

impl Word {
    pub(super) const fn new(name: &'static str, doc: &'static str, example: &'static str) -> Self {
        Self { name, doc, example }
    }
}

/// A key of a table, and the words that its value can be, where it is one of a few.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) word: Word,
    pub(crate) words: fn() -> Vec<&'static Word>,
}

impl Key {
    /// A key whose value is no word.
    pub(super) const fn new(name: &'static str, doc: &'static str, example: &'static str) -> Self {
        Self { word: Word::new(name, doc, example), words: Vec::new }
    }

    /// With these words.
    pub(super) const fn of(self, words: fn() -> Vec<&'static Word>) -> Self {
        Self { words, ..self }
    }
}

/// The words of rows.
pub(super) fn words<R: Row>(rows: &'static [R]) -> Vec<&'static Word> {
    rows.iter().map(Row::word).collect()
}

/// Whatever has a word at its beginning.
pub(super) trait Row: 'static {
    fn word(&self) -> &Word;
}

impl Row for Word {
    fn word(&self) -> &Word {
        self
    }
}

impl<T: 'static> Row for (Word, T) {
    fn word(&self) -> &Word {
        &self.0
    }
}

/// What is wrong with a word, and what to write instead.
pub(super) type Wrong = (String, String);

/// The row of this name.
///
/// # Errors
///
/// `what` a name of that kind is, and the nearest that there is.
pub(super) fn find<R: Row>(
    rows: &'static [R],
    name: &str,
    what: &str,
) -> Result<&'static R, Wrong> {
    let found = rows.iter().find(|row| row.word().name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = rows.iter().map(|row| row.word().name).collect();
        (format!("{} is not {what}", quoted(name)), choose(name, &names))
    })
}
