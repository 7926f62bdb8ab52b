//! What a request is signed with: a file, keys and params that a route binds to it, and a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compiled::Compiled;
use super::text::{Hole, Part, Source, Text};
use crate::keys::PublicKey;
use crate::secret::Secret;

/// A file, and keys and params that a route binds to it, in the order of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inputs<'b> {
    pub(super) compiled: &'b Compiled,
    pub(super) keys: &'b [PublicKey],
    /// The same as texts have them.
    pub(super) publics: &'b [String],
    pub(super) params: &'b [String],
}

impl Inputs<'_> {
    /// The bytes of a hole that a route fills.
    pub(super) fn filled(&self, hole: &Hole, secrets: &[Arc<Secret>]) -> Option<Secret> {
        let text = Text { parts: vec![Part::Hole(hole.clone())] };
        self.bound(&text, secrets).map(Secret::new)
    }

    /// The bytes of a text of secrets, params and public keys alone.
    pub(super) fn bound(&self, text: &Text, secrets: &[Arc<Secret>]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for hole in text.holes() {
            let mut bytes = match hole.source {
                Source::Secret(index) => secrets[index].expose().to_vec(),
                Source::Param(index) => self.params[index].clone().into_bytes(),
                Source::Public(index) => self.publics[index].clone().into_bytes(),
                Source::Method
                | Source::Scheme
                | Source::Host
                | Source::Path
                | Source::Query
                | Source::Target
                | Source::Url
                | Source::Body
                | Source::Header(_)
                | Source::Member(_)
                | Source::Value(_)
                | Source::Names(_)
                | Source::Unknown => return None,
            };
            for call in &hole.calls {
                if call.name() == "if_any" && bytes.is_empty() {
                    break;
                }
                bytes = call.apply(&bytes).ok()?;
            }
            out.extend_from_slice(&bytes);
        }
        Some(out)
    }
}

/// The time of a request, and what is written of it already.
#[derive(Clone, Debug, Default)]
pub(super) struct Ticks {
    pub(super) unix_ms: u64,
    /// What no other request of the key has.
    pub(super) seed: Vec<u8>,
    /// Clocks and nonces that are not to be made but are given, by value.
    pub(super) given: BTreeMap<usize, String>,
}
