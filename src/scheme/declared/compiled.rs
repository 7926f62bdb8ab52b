//! What a scheme file becomes: its slots, values and placements, and in which order they are made.

use http::HeaderName;

use super::order::Order;
use super::place::Place;
use super::slot::Slot;
use super::value::Value;
use super::vector::Vector;
use crate::document::Location;

/// A scheme file whose every word is known. Whether its vectors hold is another question.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) summary: String,
    pub(crate) host: String,
    pub(super) slots: Vec<Slot>,
    pub(super) secrets: Vec<SecretName>,
    pub(super) params: Vec<Param>,
    pub(super) values: Vec<Value>,
    pub(super) places: Vec<Place>,
    pub(super) strip: Vec<HeaderName>,
    pub(super) order: Order,
    pub(super) vectors: Vec<Vector>,
}

/// `[secrets]`: a name and a sentence.
#[derive(Debug)]
pub(super) struct SecretName {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) at: Location,
}

/// `[params]`: a setting of a route.
#[derive(Debug)]
pub(super) struct Param {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) default: Option<String>,
    pub(super) values: Vec<String>,
    pub(super) at: Location,
}
