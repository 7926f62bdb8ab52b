//! The search: ordered choices of parts with a separator between them, until one is what the
//! signature is of. Its length is bounded by a count, so that it ends the same everywhere.

use sha2::{Digest as _, Sha256};

use super::slots::{Choice, Kind, Slot};
use crate::keys::{Content, PublicKey, Signature};

/// Texts that are tried with keys of MACs, and with keys whose signatures take long to verify.
pub(super) const FAST: u32 = 1_000_000;
pub(super) const SLOW: u32 = 50_000;

/// What is done with the whole text before it is signed: as functions behind `|`.
const WHOLES: &[&str] = &["", "sha256", "sha256 | sha256", "sha256 | hex", "base64", "lower"];

/// What stands between parts, and whether it stands at the end too.
const SEPARATORS: &[(&str, bool)] = &[
    ("", false),
    ("\n", false),
    ("\n", true),
    ("|", false),
    ("&", false),
    ("_", false),
    ("#", false),
    (",", false),
    (".", false),
    (":", false),
];

/// How far the parts may be from their plainest forms, and whether the whole is changed.
const STAGES: &[(usize, bool)] = &[(0, false), (1, false), (0, true), (2, false), (1, true)];
/// The same, how many separators and how many changes of the whole, with slow keys.
const SLOW_STAGES: &[(usize, bool)] = &[(0, false), (0, true), (1, false)];
const SLOW_SEPARATORS: usize = 5;
const SLOW_WHOLES: usize = 4;

/// A key in one of the ways that its bytes can be read, and the signature as such a key makes it.
#[derive(Debug)]
pub(super) struct Tried<'k> {
    pub(super) key: &'k PublicKey,
    pub(super) signature: Signature,
}

/// A text whose signature is the captured one.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) parts: Vec<Choice>,
    pub(super) separator: &'static str,
    pub(super) trailing: bool,
    pub(super) whole: &'static str,
    /// Which key, by index.
    pub(super) key: usize,
}

/// A set of parts that are tried together; with one separator alone, which then stands there.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) slots: Vec<Slot>,
    pub(super) only: Option<&'static str>,
}

/// The search.
pub(super) struct Search<'s> {
    pub(super) keys: &'s [Tried<'s>],
    /// Whether a time must be in the text: with slow keys.
    pub(super) slow: bool,
    pub(super) left: u32,
    /// Says of a hit whether the search is over.
    pub(super) accept: &'s mut dyn FnMut(&Hit) -> bool,
}

impl Search<'_> {
    /// Whether a hit was accepted.
    pub(super) fn run(&mut self, sets: &[Set]) -> bool {
        let stages = if self.slow { SLOW_STAGES } else { STAGES };
        let last = if self.slow { SLOW_WHOLES } else { WHOLES.len() };
        for (far, changed) in stages {
            let wholes = if *changed { &WHOLES[1..last] } else { &WHOLES[..1] };
            for whole in wholes {
                for set in sets {
                    let mut chosen = vec![0; set.slots.len()];
                    if self.assign(set, chosen.len(), *far, &mut chosen, whole) {
                        return true;
                    }
                    if self.left == 0 {
                        return false;
                    }
                }
            }
        }
        false
    }

    /// Every way to choose with so many parts in another form than the plainest: the last ones, which
    /// are query and body, first.
    fn assign(
        &mut self,
        set: &Set,
        before: usize,
        far: usize,
        chosen: &mut [usize],
        whole: &'static str,
    ) -> bool {
        if far == 0 {
            return self.separate(set, chosen, whole);
        }
        for slot in (0..before).rev() {
            for choice in 1..set.slots[slot].choices.len() {
                chosen[slot] = choice;
                if self.assign(set, slot, far - 1, chosen, whole) {
                    return true;
                }
                chosen[slot] = 0;
            }
        }
        false
    }

    fn separate(&mut self, set: &Set, chosen: &[usize], whole: &'static str) -> bool {
        let choices = set.slots.iter().zip(chosen);
        let choices: Vec<&Choice> = choices.map(|(slot, chosen)| &slot.choices[*chosen]).collect();
        // What was chosen for its form must be there, or it was tried before.
        let forced = chosen.iter().enumerate().filter(|(_, chosen)| **chosen > 0);
        let forced = forced.fold(0, |mask, (slot, _)| mask | 1 << slot);
        let count = if self.slow { SLOW_SEPARATORS } else { SEPARATORS.len() };
        for (separator, trailing) in &SEPARATORS[..count] {
            if set.only.is_some_and(|only| only != *separator) {
                continue;
            }
            let (text, order) = (Vec::new(), Vec::new());
            let least = if set.only.is_some() { 2 } else { 1 };
            let mut walk = Walk {
                choices: &choices,
                forced,
                least,
                separator,
                trailing: *trailing,
                text,
                order,
            };
            if self.walk(&mut walk, 0, whole) {
                return true;
            }
        }
        false
    }

    fn walk(&mut self, walk: &mut Walk<'_>, used: u32, whole: &'static str) -> bool {
        if self.left == 0 {
            return false;
        }
        if walk.is_whole(used) && (!self.slow || walk.has_times(used)) {
            self.left -= 1;
            if let Some(hit) = self.holds(walk, whole)
                && (self.accept)(&hit)
            {
                return true;
            }
        }
        for (index, choice) in walk.choices.iter().enumerate() {
            let empty = choice.bytes.is_empty() && walk.separator.is_empty();
            if used & 1 << index != 0 || empty {
                continue;
            }
            let length = walk.text.len();
            if !walk.order.is_empty() {
                walk.text.extend_from_slice(walk.separator.as_bytes());
            }
            walk.text.extend_from_slice(&choice.bytes);
            walk.order.push(index);
            if self.walk(walk, used | 1 << index, whole) {
                return true;
            }
            walk.order.pop();
            walk.text.truncate(length);
        }
        false
    }

    fn holds(&self, walk: &mut Walk<'_>, whole: &'static str) -> Option<Hit> {
        let length = walk.text.len();
        if walk.trailing {
            walk.text.extend_from_slice(walk.separator.as_bytes());
        }
        let changed = change(&walk.text, whole);
        let text = changed.as_deref().unwrap_or(&walk.text);
        let holds =
            |tried: &Tried<'_>| tried.key.verifies(Content::Message(text), &tried.signature);
        let key = self.keys.iter().position(holds);
        walk.text.truncate(length);
        let parts = walk.order.iter().map(|index| walk.choices[*index].clone()).collect();
        let (separator, trailing) = (walk.separator, walk.trailing);
        Some(Hit { parts, separator, trailing, whole, key: key? })
    }
}

/// The text as it grows.
struct Walk<'w> {
    choices: &'w [&'w Choice],
    /// The parts that must be in it.
    forced: u32,
    /// How many parts it has at least.
    least: usize,
    separator: &'static str,
    trailing: bool,
    text: Vec<u8>,
    order: Vec<usize>,
}

impl Walk<'_> {
    fn is_whole(&self, used: u32) -> bool {
        used & self.forced == self.forced && self.order.len() >= self.least
    }

    fn has_times(&self, used: u32) -> bool {
        let mut choices = self.choices.iter().enumerate();
        choices.all(|(index, choice)| choice.kind != Kind::Time || used & 1 << index != 0)
    }
}

fn change(text: &[u8], whole: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    Some(match whole {
        "" => return None,
        "sha256" => Sha256::digest(text).to_vec(),
        "sha256 | sha256" => Sha256::digest(Sha256::digest(text)).to_vec(),
        "sha256 | hex" => base16ct::lower::encode_string(&Sha256::digest(text)).into_bytes(),
        "base64" => base64::engine::general_purpose::STANDARD.encode(text).into_bytes(),
        _ => text.to_ascii_lowercase(),
    })
}
