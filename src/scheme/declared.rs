//! Schemes that are declared in a file: a closed vocabulary of sources, values, functions and
//! places, without conditions, loops or code.
//!
//! A file is read with every problem at once ([`file`]), and is data from then on: texts with holes
//! ([`text`]) name values ([`value`]), which are made in their order ([`order`]) from a request
//! ([`eval`]), signed, and placed ([`place`], [`spliced`], [`finish`]). A key's bytes can be named
//! where something is made with a key and nowhere else ([`signing`]), so that no file can place
//! one. Vectors ([`vector`]) stand in the file and are run whenever it is read ([`trial`]).

mod advice;
mod bounds;
mod catalogue;
mod check;
mod claim;
mod clock;
mod compiled;
mod described;
mod encode;
mod entry;
mod eval;
mod evidence;
mod fields;
mod file;
mod finish;
mod function;
mod guess;
mod headers;
mod inputs;
mod jsons;
mod made;
mod members;
mod nonce;
mod order;
mod origins;
mod pairs;
mod pattern;
mod place;
mod played;
mod readable;
mod reads;
mod rejects;
mod rewritten;
mod scheme;
mod signing;
mod slot;
mod source;
mod spliced;
mod text;
mod trial;
mod value;
mod vector;
mod word;

pub(crate) use catalogue::{CATALOGUE, find};
pub(super) use clock::CLOCKS;
pub(crate) use clock::instant;
pub(crate) use compiled::Compiled;
pub(super) use encode::{percent, unpercent};
pub(crate) use guess::{Captured, Known, guess};

pub(crate) use word::{Key, Word};

use crate::problem::Problem;

/// The words that files are written in, by the names of their tables in the reference.
pub(crate) fn vocabulary() -> Vec<(&'static str, Vec<&'static Word>)> {
    let functions = function::FUNCTIONS.iter().map(|row| &row.word);
    vec![
        ("sources", text::SOURCES.iter().collect()),
        ("values", value::KINDS.iter().map(|row| &row.word).collect()),
        ("clocks", clock::CLOCKS.iter().map(|row| &row.word).collect()),
        ("nonces", nonce::NONCES.iter().collect()),
        ("functions", functions.collect()),
        ("encodings", encode::ENCODINGS.iter().map(|row| &row.word).collect()),
        ("secrets", slot::SECRETS.iter().map(|row| &row.0).collect()),
        ("publics", slot::PUBLICS.iter().map(|row| &row.0).collect()),
    ]
}

/// The keys of tables, by the names of theirs in the reference.
pub(crate) fn keys() -> Vec<(&'static str, &'static [Key])> {
    let kinds = value::KINDS.iter().map(|row| (row.word.name, row.keys));
    let others = [("derive", signing::DERIVE), ("rejects", rejects::KEYS)];
    kinds.chain(others).filter(|(_, keys)| !keys.is_empty()).collect()
}

impl Compiled {
    /// Reads a scheme file, and runs its vectors.
    ///
    /// # Errors
    ///
    /// Every problem; those of vectors only where there are no others.
    pub(crate) fn load(text: &str) -> Result<Self, Vec<Problem>> {
        let compiled = Self::read(text)?;
        let errors = compiled.try_vectors();
        if errors.is_empty() { Ok(compiled) } else { Err(errors) }
    }

    /// Who made the requests that its vectors sign, and how many each, in the order of the file.
    pub(crate) fn sources(&self) -> Vec<(&str, usize)> {
        let mut sources: Vec<(&str, usize)> = Vec::new();
        for vector in self.vectors.iter().filter(|vector| vector.expect.refused.is_none()) {
            match sources.iter_mut().find(|(source, _)| *source == vector.source) {
                Some((_, count)) => *count += 1,
                None => sources.push((&vector.source, 1)),
            }
        }
        sources
    }

    /// What is doubtful about it although it works: what, and what to do.
    pub(crate) fn advice(&self) -> Vec<(String, String)> {
        advice::advise(self).into_iter().map(|said| (said.what, said.fix)).collect()
    }

    /// How many vectors it has.
    pub(crate) fn tried(&self) -> usize {
        self.vectors.len()
    }
}

#[cfg(test)]
mod tests;
