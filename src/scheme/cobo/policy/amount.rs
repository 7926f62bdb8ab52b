//! Amounts of money: decimal numbers of any size, compared exactly.

use std::cmp::Ordering;
use std::fmt;

/// A decimal number that is not negative: `1.50` is `1.5`, and `007` is `7`.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Amount {
    /// Digits 0 to 9 before the point, without leading zeros; empty for zero.
    whole: Vec<u8>,
    /// Digits behind it, without trailing zeros.
    fraction: Vec<u8>,
}

/// Why a text is no amount. To be read after the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum AmountError {
    /// More than a sum of money takes to write.
    #[error("is longer than {LONGEST} characters")]
    TooLong,
    /// Signs, exponents, white space, separators, other scripts' digits: all of them are read
    /// differently somewhere.
    #[error("is not digits with at most one point between them")]
    Malformed,
}

/// Characters of an amount. 2^256, the largest number on a chain, has 78.
const LONGEST: usize = 100;

impl Amount {
    /// Reads digits `0` to `9` with at most one point, which has digits on both sides.
    ///
    /// # Errors
    ///
    /// Everything else.
    pub(super) fn parse(text: &str) -> Result<Self, AmountError> {
        if text.len() > LONGEST {
            return Err(AmountError::TooLong);
        }
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(AmountError::Malformed),
            Some(parts) => parts,
            None => (text, ""),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(AmountError::Malformed);
        }
        let values = |text: &str| text.bytes().map(|byte| byte - b'0').collect();
        Ok(Self::new(values(whole), values(fraction)))
    }

    fn new(whole: Vec<u8>, mut fraction: Vec<u8>) -> Self {
        while fraction.last() == Some(&0) {
            fraction.pop();
        }
        let whole = whole.into_iter().skip_while(|digit| *digit == 0).collect();
        Self { whole, fraction }
    }

    /// Whether there is nothing behind the point.
    pub(super) fn is_whole(&self) -> bool {
        self.fraction.is_empty()
    }

    /// This many times ten times as much: coins in their smallest unit.
    pub(super) fn scaled(&self, decimals: u8) -> Self {
        let decimals = usize::from(decimals);
        let mut fraction = self.fraction.clone();
        fraction.resize(fraction.len().max(decimals), 0);
        let rest = fraction.split_off(decimals);
        let whole = self.whole.iter().copied().chain(fraction).collect();
        Self::new(whole, rest)
    }

    /// Both together.
    pub(super) fn plus(&self, other: &Self) -> Self {
        let places = self.fraction.len().max(other.fraction.len());
        let (mut one, mut two) = (self.reversed(places), other.reversed(places));
        let length = one.len().max(two.len()) + 1;
        one.resize(length, 0);
        two.resize(length, 0);
        let mut carry = 0;
        let mut sum: Vec<u8> = Vec::with_capacity(length);
        for (a, b) in one.iter().zip(&two) {
            let digit = a + b + carry;
            sum.push(digit % 10);
            carry = digit / 10;
        }
        sum.reverse();
        let fraction = sum.split_off(length - places);
        Self::new(sum, fraction)
    }

    /// All digits from the last to the first, with this many behind the point.
    fn reversed(&self, places: usize) -> Vec<u8> {
        let mut digits = self.whole.clone();
        digits.extend(&self.fraction);
        digits.resize(self.whole.len() + places, 0);
        digits.reverse();
        digits
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without leading zeros the longer number is the larger, and behind the point digits
        // compare like letters.
        let whole = self.whole.len().cmp(&other.whole.len()).then(self.whole.cmp(&other.whole));
        whole.then_with(|| self.fraction.cmp(&other.fraction))
    }
}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |digits: &[u8]| -> String {
            digits.iter().map(|digit| char::from(b'0' + digit)).collect()
        };
        let whole = text(&self.whole);
        f.write_str(if whole.is_empty() { "0" } else { &whole })?;
        if self.is_whole() { Ok(()) } else { write!(f, ".{}", text(&self.fraction)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap_or_else(|error| panic!("{text} {error}"))
    }

    #[test]
    fn one_number_has_many_texts() {
        let table = [
            ("0", "0"),
            ("000", "0"),
            ("0.000", "0"),
            ("1.50", "1.5"),
            ("007", "7"),
            ("00.10", "0.1"),
            ("100", "100"),
            ("1000000000000000000000000000001", "1000000000000000000000000000001"),
        ];
        for (text, plain) in table {
            assert_eq!(amount(text).to_string(), plain, "{text}");
            assert_eq!(amount(text), amount(plain), "{text}");
        }
    }

    #[test]
    fn everything_else_is_no_amount() {
        let table = [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1E3",
            "0x10",
            " 1",
            "1 ",
            "1\n",
            "1,5",
            "1_000",
            "1'000",
            "1.2.3",
            "NaN",
            "inf",
            "١",
            "１",
            "1\u{200b}",
            "1/2",
            "\0",
            "1.-5",
        ];
        for text in table {
            assert_eq!(Amount::parse(text), Err(AmountError::Malformed), "{text:?}");
        }
        assert!(Amount::parse(&"1".repeat(LONGEST)).is_ok());
        assert_eq!(Amount::parse(&"1".repeat(LONGEST + 1)), Err(AmountError::TooLong));
    }

    #[test]
    fn amounts_compare_as_numbers() {
        let ascending = [
            "0",
            "0.05",
            "0.1",
            "0.10001",
            "0.9",
            "1",
            "1.49",
            "1.5",
            "1.51",
            "2",
            "9.9",
            "10",
            "99",
            "100",
            "99999999999999999999",
            "100000000000000000000",
        ];
        for pair in ascending.windows(2) {
            assert!(amount(pair[0]) < amount(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn coins_become_their_smallest_units() {
        let table = [
            ("1.5", 18, "1500000000000000000"),
            ("0.1", 8, "10000000"),
            ("0.123456789", 8, "12345678.9"),
            ("0", 8, "0"),
            ("12", 0, "12"),
        ];
        for (coins, decimals, units) in table {
            assert_eq!(amount(coins).scaled(decimals).to_string(), units, "{coins}");
        }
    }

    /// A decimal text as a number of 10^-20, for numbers small enough.
    fn naive(text: &str) -> u128 {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let padded = format!("{whole}{fraction:0<20}");
        padded.parse().expect("a small number")
    }

    proptest! {
        #[test]
        fn comparing_and_adding_are_those_of_integers(
            one in "0{0,3}[0-9]{1,12}(\\.[0-9]{1,20})?",
            other in "0{0,3}[0-9]{1,12}(\\.[0-9]{1,20})?",
            same_whole in any::<bool>(),
        ) {
            let other = match (same_whole, one.split_once('.'), other.split_once('.')) {
                (true, Some((whole, _)), Some((_, fraction))) => format!("{whole}.{fraction}"),
                _ => other,
            };
            let (a, b) = (amount(&one), amount(&other));
            prop_assert_eq!(a.cmp(&b), naive(&one).cmp(&naive(&other)));
            prop_assert_eq!(a == b, naive(&one) == naive(&other));
            let sum = a.plus(&b);
            prop_assert_eq!(naive(&sum.to_string()), naive(&one) + naive(&other));
            prop_assert_eq!(&sum, &b.plus(&a));
            prop_assert_eq!(amount(&sum.to_string()), sum);
        }

        #[test]
        fn no_text_panics(text in any::<String>(), decimals in any::<u8>()) {
            if let Ok(amount) = Amount::parse(&text) {
                prop_assert!(amount.scaled(decimals) >= amount);
            }
        }
    }
}
