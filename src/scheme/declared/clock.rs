//! Clocks: thirteen ways to write one instant, each of which can be read back.

use std::ops::RangeInclusive;

use super::word::{Row, Word};

/// A way to write an instant.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(crate) word: Word,
    /// How much of an instant it shows, in milliseconds.
    pub(in crate::scheme) grain: u64,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// A number: the milliseconds by the first, times the second.
    Number(u64, u64),
    /// A pattern: `Y` the year, `m d H M S` two digits each, `f` milliseconds, `a` and `b` the
    /// names of day and month; all else is itself.
    Pattern(&'static str),
}

impl Row for Clock {
    fn word(&self) -> &Word {
        &self.word
    }
}

const fn number(word: Word, divide: u64, times: u64) -> Clock {
    Clock { word, grain: divide, form: Form::Number(divide, times) }
}

const fn pattern(word: Word, grain: u64, pattern: &'static str) -> Clock {
    Clock { word, grain, form: Form::Pattern(pattern) }
}

const DAY: u64 = 86_400_000;

/// Every clock.
pub(crate) static CLOCKS: &[Clock] = &[
    number(Word::new("unix", "Seconds since 1970.", "1764337800"), 1000, 1),
    number(Word::new("unix_ms", "Milliseconds since 1970.", "1764337800123"), 1, 1),
    number(Word::new("unix_us", "Microseconds since 1970.", "1764337800123000"), 1, 1000),
    number(Word::new("unix_ns", "Nanoseconds since 1970.", "1764337800123000000"), 1, 1_000_000),
    pattern(
        Word::new("iso", "ISO 8601 in seconds.", "2025-11-28T13:50:00Z"),
        1000,
        "Y-m-d'T'H:M:S'Z'",
    ),
    pattern(
        Word::new("iso_ms", "ISO 8601 in milliseconds.", "2025-11-28T13:50:00.123Z"),
        1,
        "Y-m-d'T'H:M:S.f'Z'",
    ),
    pattern(
        Word::new("iso_plain", "ISO 8601 without a zone; it is UTC.", "2025-11-28T13:50:00"),
        1000,
        "Y-m-d'T'H:M:S",
    ),
    pattern(
        Word::new("basic", "ISO 8601 without dashes and colons.", "20251128T135000Z"),
        1000,
        "Ymd'T'HMS'Z'",
    ),
    pattern(
        Word::new("basic_zone", "The same with colons and +0000.", "20251128T13:50:00+0000"),
        1000,
        "Ymd'T'H:M:S+0000",
    ),
    pattern(Word::new("date", "The day.", "2025-11-28"), DAY, "Y-m-d"),
    pattern(Word::new("date_basic", "The day without dashes.", "20251128"), DAY, "Ymd"),
    pattern(
        Word::new("http", "As HTTP's Date (RFC 9110).", "Fri, 28 Nov 2025 13:50:00 GMT"),
        1000,
        "a, d b Y H:M:S 'GMT'",
    ),
    pattern(
        Word::new("mail", "As mail's Date (RFC 5322).", "Fri, 28 Nov 2025 13:50:00 -0000"),
        1000,
        "a, d b Y H:M:S -0000",
    ),
];

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The years that can be written, which have four digits.
const YEARS: RangeInclusive<u64> = 1970..=9999;

impl Clock {
    /// Writes the instant that is so many milliseconds after 1970.
    pub(in crate::scheme) fn write(&self, unix_ms: u64) -> String {
        let pattern = match self.form {
            Form::Number(divide, times) => {
                return (u128::from(unix_ms / divide) * u128::from(times)).to_string();
            }
            Form::Pattern(pattern) => pattern,
        };
        let (days, within) = (unix_ms / DAY, unix_ms % DAY);
        let (year, month, day) = civil(days);
        let seconds = within / 1000;
        let digits = |out: &mut String, number: u64, count: u32| {
            let digit =
                |place| char::from(b"0123456789"[(number / 10_u64.pow(place) % 10) as usize]);
            out.extend((0..count).rev().map(digit));
        };
        let mut out = String::with_capacity(32);
        let mut literal = false;
        for letter in pattern.chars() {
            match letter {
                '\'' => literal = !literal,
                letter if literal => out.push(letter),
                'Y' => digits(&mut out, year, 4),
                'm' => digits(&mut out, month, 2),
                'd' => digits(&mut out, day, 2),
                'H' => digits(&mut out, seconds / 3600, 2),
                'M' => digits(&mut out, seconds / 60 % 60, 2),
                'S' => digits(&mut out, seconds % 60, 2),
                'f' => digits(&mut out, within % 1000, 3),
                'a' => out.push_str(DAYS[usize::try_from(days % 7).unwrap_or_default()]),
                'b' => out.push_str(MONTHS[usize::try_from(month - 1).unwrap_or_default()]),
                other => out.push(other),
            }
        }
        out
    }

    /// The instant that was written; only what [`Self::write`] writes is read.
    pub(in crate::scheme) fn read(&self, text: &str) -> Option<u64> {
        let unix_ms = match self.form {
            Form::Number(divide, times) => {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let number: u128 = text.parse().ok().filter(|_| digits)?;
                u64::try_from(number / u128::from(times)).ok()?.checked_mul(divide)?
            }
            Form::Pattern(pattern) => read(pattern, text)?,
        };
        let same = self.write(unix_ms) == text || matches!(self.form, Form::Number(..));
        same.then_some(unix_ms)
    }
}

fn read(pattern: &str, mut text: &str) -> Option<u64> {
    let (mut fields, mut month, mut literal) = ([0_u64; 7], 1_u64, false);
    let mut number = |text: &mut &str, digits: usize, field: usize| {
        let (first, rest) = text.split_at_checked(digits)?;
        fields[field] = first.bytes().all(|b| b.is_ascii_digit()).then(|| first.parse().ok())??;
        *text = rest;
        Some(())
    };
    for letter in pattern.chars() {
        match letter {
            '\'' => literal = !literal,
            'Y' if !literal => number(&mut text, 4, 0)?,
            'm' if !literal => {
                number(&mut text, 2, 1)?;
                month = 0;
            }
            'd' if !literal => number(&mut text, 2, 2)?,
            'H' if !literal => number(&mut text, 2, 3)?,
            'M' if !literal => number(&mut text, 2, 4)?,
            'S' if !literal => number(&mut text, 2, 5)?,
            'f' if !literal => number(&mut text, 3, 6)?,
            'a' if !literal => text = text.get(3..)?,
            'b' if !literal => {
                let name = text.get(..3)?;
                month = MONTHS.iter().zip(1..).find_map(|(m, n)| (*m == name).then_some(n))?;
                text = &text[3..];
            }
            other => text = text.strip_prefix(other)?,
        }
    }
    let [year, digits, day, hour, minute, second, milli] = fields;
    let month = if month == 0 { digits } else { month };
    let right = YEARS.contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let right = right && hour < 24 && minute < 60 && second < 60 && text.is_empty();
    let seconds = hour * 3600 + minute * 60 + second;
    right.then(|| days_since(year, month, day) * DAY + seconds * 1000 + milli)
}

/// Year, month and day of the day that is so many days after 1970-01-01, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Counted from a March, so that the day of the leap year is the last.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let day = of_year - (153 * march + 2) / 5 + 1;
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// The inverse of [`civil`].
fn days_since(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// An instant in any of the forms, as vectors and configurations write them.
pub(crate) fn instant(text: &str) -> Option<u64> {
    CLOCKS.iter().filter(|clock| clock.grain < DAY).find_map(|clock| clock.read(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_clock_writes_its_example() {
        for clock in CLOCKS {
            assert_eq!(clock.write(1_764_337_800_123), clock.word.example, "{}", clock.word.name);
        }
    }

    #[test]
    fn what_no_clock_writes_is_not_read() {
        let clock = |name: &str| CLOCKS.iter().find(|clock| clock.word.name == name).unwrap();
        for (name, text) in [
            ("iso", "2025-02-29T00:00:00Z"),
            ("iso", "2025-11-28T24:00:00Z"),
            ("iso", "2025-11-28T13:50:00z"),
            ("http", "Sat, 28 Nov 2025 13:50:00 GMT"),
            ("unix", "+1764337800"),
            ("unix", ""),
            ("date", "2025-13-01"),
            ("date", "0000-01-01"),
        ] {
            assert_eq!(clock(name).read(text), None, "{name}: {text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(unix_ms in 0_u64..253_402_300_800_000) {
            for clock in CLOCKS {
                let read = clock.read(&clock.write(unix_ms)).expect(clock.word.name);
                prop_assert_eq!(read, unix_ms / clock.grain * clock.grain, "{}", clock.word.name);
            }
        }

        #[test]
        fn reading_never_panics(text in any::<String>()) {
            for clock in CLOCKS {
                let _ = clock.read(&text);
            }
        }
    }
}
