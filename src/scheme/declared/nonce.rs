//! Nonces: texts that no other request of a key has. Those that must increase are drawn from a
//! counter; the others are made from the request's [`Moment`](crate::moment::Moment), so that the
//! same moment gives the same text.

use sha2::{Digest as _, Sha256};

use super::fields::Fields;
use super::word::Word;
use crate::document::{Node, choose, nearest, quoted};
use crate::nonces::{Counting, Unit};

/// What a nonce looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nonce {
    /// A number that is larger each time: so many in a millisecond (the first), or one in so many
    /// milliseconds.
    Increasing { per_ms: u64, ms: u64 },
    /// A UUID of version 4 (RFC 9562).
    Uuid,
    /// So many characters of an alphabet.
    Drawn(&'static [u8], usize),
}

/// Every form of a nonce; `N` is a number from 8 to 64.
pub(crate) static NONCES: &[Word] = &[
    Word::new(
        "increasing_ms",
        "Larger each time: milliseconds since 1970, or the last one and 1.",
        "1764337800123",
    ),
    Word::new("increasing_us", "The same in microseconds.", "1764337800123000"),
    Word::new("increasing_ns", "The same in nanoseconds.", "1764337800123000000"),
    Word::new(
        "increasing_s",
        "The same in seconds, so that one request a second is the most that lasts.",
        "1764337800",
    ),
    Word::new("uuid", "A UUID of version 4.", "0a6ff2ae-4a5d-4a4c-8f5b-0a2f7b4a3a3e"),
    Word::new("hexN", "N lower-case hex digits.", "7d4448409dc011d1b2455ffdce74fad2"),
    Word::new("digitsN", "N decimal digits.", "4917203845"),
    Word::new("alnumN", "N letters and digits.", "cX3bT9kQ2mV7pL0d"),
];

const HEX: &[u8] = b"0123456789abcdef";
const DIGITS: &[u8] = b"0123456789";
const ALNUM: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl Nonce {
    pub(super) fn read(_: &Fields<'_>, node: Node<'_>) -> Option<Self> {
        let text = node.text().unwrap_or_default();
        let found = Self::parse(text);
        if found.is_none() {
            let names: Vec<&str> = NONCES.iter().map(|row| row.name).collect();
            let what = format!("{} is no form of a nonce", quoted(text));
            let near = nearest(text, ["hex32", "digits10", "alnum32", "increasing_ms", "uuid"]);
            let fix = near.map_or_else(|| choose(text, &names), |near| format!("write {near}"));
            node.report(what, format!("{fix} (N is 8 to 64)"));
        }
        found
    }

    fn parse(text: &str) -> Option<Self> {
        let drawn = |alphabet, digits: &str| {
            let count = digits.parse().ok().filter(|count| (8..=64).contains(count))?;
            Some(Self::Drawn(alphabet, count))
        };
        match text {
            "increasing_ms" => Some(Self::Increasing { per_ms: 1, ms: 1 }),
            "increasing_us" => Some(Self::Increasing { per_ms: 1000, ms: 1 }),
            "increasing_ns" => Some(Self::Increasing { per_ms: 1_000_000, ms: 1 }),
            "increasing_s" => Some(Self::Increasing { per_ms: 1, ms: 1000 }),
            "uuid" => Some(Self::Uuid),
            _ => None,
        }
        .or_else(|| drawn(HEX, text.strip_prefix("hex")?))
        .or_else(|| drawn(DIGITS, text.strip_prefix("digits")?))
        .or_else(|| drawn(ALNUM, text.strip_prefix("alnum")?))
    }

    /// The nonce of a moment: `seed` is what nobody else has of it, and `number` what a counter
    /// gave.
    pub(super) fn write(self, seed: &[u8], number: u64) -> String {
        match self {
            Self::Increasing { .. } => number.to_string(),
            Self::Uuid => {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&Sha256::digest(seed)[..16]);
                bytes[6] = bytes[6] & 0x0f | 0x40;
                bytes[8] = bytes[8] & 0x3f | 0x80;
                let hex = base16ct::lower::encode_string(&bytes);
                let part = |range: std::ops::Range<usize>| hex[range].to_owned();
                [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
            }
            Self::Drawn(alphabet, count) => drawn(alphabet, count, seed),
        }
    }

    /// Whether a text is one of these.
    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            Self::Increasing { .. } => {
                text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok()
            }
            Self::Uuid => {
                let bytes = text.as_bytes();
                let dash = |at| matches!(at, 8 | 13 | 18 | 23);
                let fits = |(at, byte): (usize, &u8)| {
                    if dash(at) { *byte == b'-' } else { byte.is_ascii_hexdigit() }
                };
                bytes.len() == 36 && bytes.iter().enumerate().all(fits)
            }
            Self::Drawn(alphabet, count) => {
                text.len() == count && text.bytes().all(|byte| alphabet.contains(&byte))
            }
        }
    }

    /// What it wants of the key's numbers.
    pub(super) fn counting(self) -> Counting {
        match self {
            Self::Increasing { per_ms, ms } => Counting::Increasing(Unit { per_ms, ms }),
            Self::Uuid | Self::Drawn(..) => Counting::Once,
        }
    }

    /// What [`Self::write`] takes for an instant, where there was no number before.
    pub(super) fn number_at(self, unix_ms: u64) -> u64 {
        match self.counting() {
            Counting::Increasing(unit) => unit.at(unix_ms),
            Counting::Once | Counting::Nothing => 0,
        }
    }
}

/// Characters of an alphabet, each as likely: bytes that would favour some are passed over.
fn drawn(alphabet: &[u8], count: usize, seed: &[u8]) -> String {
    let even = 256 / alphabet.len() * alphabet.len();
    let (mut out, mut block) = (String::with_capacity(count), 0_u32);
    while out.len() < count {
        let digest = Sha256::new().chain_update(block.to_be_bytes()).chain_update(seed).finalize();
        let bytes = digest.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < even);
        let wanted = count - out.len();
        out.extend(bytes.map(|byte| char::from(alphabet[byte % alphabet.len()])).take(wanted));
        block += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_bounded() {
        for (text, read) in [("hex32", true), ("hex7", false), ("alnum65", false), ("uuid4", false)]
        {
            assert_eq!(Nonce::parse(text).is_some(), read, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_fits(seed in any::<[u8; 16]>(), number in any::<u64>()) {
            for form in ["increasing_ms", "uuid", "hex32", "digits10", "alnum33"] {
                let nonce = Nonce::parse(form).expect(form);
                let text = nonce.write(&seed, number);
                prop_assert!(nonce.fits(&text), "{}: {}", form, text);
            }
        }
    }
}
