//! Schemes that are declared in a file: a closed vocabulary of sources, values, functions and
//! places, without conditions, loops or code.
//!
//! A file is read with every problem at once ([`file`]), and is data from then on: texts with holes
//! ([`text`]) name values ([`value`]), which are made in their order ([`order`]) from a request
//! ([`eval`]), signed, and placed ([`place`], [`spliced`], [`finish`]). A key's bytes can be named
//! where something is made with a key and nowhere else ([`signing`]), so that no file can place
//! one. Vectors ([`vector`]) stand in the file and are run whenever it is read ([`trial`]).

#![expect(dead_code, reason = "routes do not know of declared schemes yet")]

mod check;
mod clock;
mod encode;
mod eval;
mod fields;
mod file;
mod finish;
mod function;
mod headers;
mod jsons;
mod nonce;
mod order;
mod pairs;
mod place;
mod signing;
mod slot;
mod spliced;
mod text;
mod trial;
mod value;
mod vector;
mod word;

pub(crate) use file::Compiled;

#[cfg(test)]
mod tests;
