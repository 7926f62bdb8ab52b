//! Two texts one below the other, from where they begin to differ.

use super::super::explain::shown;

/// What is shown of two texts: both, cut alike, and how far the mark stands from their beginning.
pub(super) struct Difference {
    pub(super) signed: String,
    pub(super) wanted: String,
    pub(super) at: usize,
}

/// Characters before the difference, and behind it.
const BEFORE: usize = 48;
const BEHIND: usize = 48;

impl Difference {
    pub(super) fn of(signed: &[u8], wanted: &[u8]) -> Self {
        let (signed, wanted) = (shown(signed), shown(wanted));
        let same = signed.chars().zip(wanted.chars()).take_while(|(a, b)| a == b).count();
        let from = same.saturating_sub(BEFORE);
        let from = if from < 4 { 0 } else { from };
        let cut = |text: &str| {
            let length = text.chars().count();
            let end = (same + BEHIND).min(length);
            let end = if length - end < 4 { length } else { end };
            let inside: String = text.chars().skip(from).take(end - from).collect();
            let (front, back) =
                (if from > 0 { "…" } else { "" }, if end < length { "…" } else { "" });
            format!("{front}{inside}{back}")
        };
        let at = same - from + usize::from(from > 0);
        Self { signed: cut(&signed), wanted: cut(&wanted), at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_below_the_first_difference() {
        for (signed, wanted, shown) in [
            ("abc", "abd", ("abc", "abd", 2)),
            ("abc", "abcd", ("abc", "abcd", 3)),
            ("", "x", ("", "x", 0)),
            ("a\nb", "a\nc", ("a\\nb", "a\\nc", 3)),
            ("é1", "é2", ("é1", "é2", 1)),
        ] {
            let found = Difference::of(signed.as_bytes(), wanted.as_bytes());
            assert_eq!((found.signed.as_str(), found.wanted.as_str(), found.at), shown);
        }
        let long = |middle: &str| format!("{}{middle}{}", "a".repeat(100), "b".repeat(100));
        let found = Difference::of(long("x").as_bytes(), long("y").as_bytes());
        assert_eq!(found.signed.chars().nth(found.at), Some('x'));
        assert_eq!(found.wanted.chars().nth(found.at), Some('y'));
        assert!(found.signed.starts_with('…') && found.signed.ends_with('…'));
    }
}
