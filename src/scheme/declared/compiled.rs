//! What a scheme file becomes: its slots, values and placements, and in which order they are made.

use http::HeaderName;

use super::order::Order;
use super::place::Place;
use super::reads::{Reads, texts};
use super::slot::Slot;
use super::text::Text;
use super::value::Value;
use super::vector::Vector;
use crate::document::Location;
use crate::keys::PublicKey;
use crate::scheme::Rejections;

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
    pub(crate) rejections: Rejections,
    pub(super) order: Order,
    /// Found once: whether a body is waited for is asked with each request.
    pub(super) reads: Reads,
    /// How often the request could be in all that is made of it.
    pub(super) growth: u64,
    pub(super) vectors: Vec<Vector>,
}

impl Compiled {
    /// Public keys, by slot, as texts have them.
    pub(super) fn publics(&self, keys: &[PublicKey]) -> Vec<String> {
        let slots = self.slots.iter().zip(keys);
        slots.map(|(slot, key)| (slot.public.write)(key)).collect()
    }

    /// Every text of the file: values' and placements'.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        texts(&self.values, &self.places)
    }
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
