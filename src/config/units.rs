//! Values that are more than text: durations, sizes, listener addresses, hosts, upstream URLs.
//!
//! Units stand in the value, not in the key, so that `connect = "5s"` needs no manual. A value
//! that cannot be read says what would have been right.

mod endpoint;
mod host;
mod url;
mod via;

use std::time::Duration;

pub use endpoint::Endpoint;
pub(super) use endpoint::socket_address;
pub use host::HostPattern;
pub(super) use host::host_name;
pub(super) use url::origin;
pub use url::{UpstreamAddress, UpstreamUrl};
pub use via::{ParentProxy, ProxyScheme, ProxyUrl};

use crate::document::{ValueFault, quoted};

/// Reads a duration: a whole number and `ms`, `s`, `m`, `h` or `d`; more than nothing and at
/// most 30 days.
pub(super) fn duration(text: &str) -> Result<Duration, ValueFault> {
    let units = "with a whole number and ms, s, m, h or d";
    let (number, unit) = number_and_unit(text);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        "" if number.is_some() => {
            return Err(ValueFault::meant(
                format!("is {}, which lacks a unit", quoted(text)),
                format!("{text}s"),
                units,
            ));
        }
        _ => return Err(not_a("duration", text, units)),
    };
    let number = number.ok_or_else(|| not_a("duration", text, units))?;
    match number.checked_mul(milliseconds) {
        Some(0) => Err(ValueFault::new("is zero, and nothing happens within no time", "")),
        Some(total) if total <= LONGEST_MS => Ok(Duration::from_millis(total)),
        _ => Err(ValueFault::meant("is longer than 30 days", "30d", "or less")),
    }
}

/// Reads a size: a whole number and `B`, `KiB`, `MiB` or `GiB`; more than nothing.
pub(super) fn size(text: &str) -> Result<u64, ValueFault> {
    let units = "with a whole number and B, KiB, MiB or GiB";
    let (number, unit) = number_and_unit(text);
    let number = number.ok_or_else(|| not_a("size", text, units))?;
    let shift = match unit {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "" => {
            let what = format!("is {}, which lacks a unit", quoted(text));
            return Err(ValueFault::meant(what, format!("{text}B"), units));
        }
        other => return Err(wrong_size_unit(text, number, other, units)),
    };
    match number.checked_mul(1 << shift) {
        Some(0) => Err(ValueFault::new("is zero, and nothing fits into that", "")),
        Some(bytes) => Ok(bytes),
        None => Err(ValueFault::new("is more bytes than can be counted", "")),
    }
}

fn wrong_size_unit(text: &str, number: u64, unit: &str, units: &str) -> ValueFault {
    let meant = match unit.to_ascii_lowercase().as_str() {
        "b" => "B",
        "k" | "kb" | "kib" => "KiB",
        "m" | "mb" | "mib" => "MiB",
        "g" | "gb" | "gib" => "GiB",
        _ => return not_a("size", text, units),
    };
    let decimal = matches!(unit, "KB" | "kB" | "MB" | "GB");
    let why = if decimal { ", a unit that is 1000 to some and 1024 to others" } else { "" };
    let what = format!("has the unit {unit}{why}");
    ValueFault::meant(what, format!("{number}{meant}"), "where a KiB is 1024 bytes")
}

fn not_a(kind: &str, text: &str, units: &str) -> ValueFault {
    ValueFault::new(format!("is {}, which is not a {kind}", quoted(text)), units)
}

/// The digits at the start as a number, and what follows them. A number too large to hold is
/// taken for the largest, which every caller refuses.
fn number_and_unit(text: &str) -> (Option<u64>, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number = (!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX));
    (number, unit)
}

const DAY_MS: u64 = 86_400_000;
const LONGEST_MS: u64 = 30 * DAY_MS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_carry_their_unit() {
        let cases = [
            ("1ms", 1),
            ("500ms", 500),
            ("5s", 5_000),
            ("2m", 120_000),
            ("3h", 10_800_000),
            ("7d", 604_800_000),
            ("30d", 2_592_000_000),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn a_bad_duration_says_what_would_be_right() {
        let not = |text: &str| format!("is \"{text}\", which is not a duration");
        let long = || "is longer than 30 days".to_owned();
        let cases = [
            ("", not(""), None),
            ("s", not("s"), None),
            ("5x", not("5x"), None),
            ("1.5s", not("1.5s"), None),
            ("-5s", not("-5s"), None),
            ("+5s", not("+5s"), None),
            ("5 s", not("5 s"), None),
            ("5S", not("5S"), None),
            ("90", "is \"90\", which lacks a unit".into(), Some("90s")),
            ("0s", "is zero, and nothing happens within no time".into(), None),
            ("31d", long(), Some("30d")),
            ("18446744073709551615d", long(), Some("30d")),
            ("99999999999999999999ms", long(), Some("30d")),
        ];
        for (text, what, value) in cases {
            let fault = duration(text).expect_err(text);
            assert_eq!((fault.what, fault.value.as_deref()), (what, value), "{text}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        let cases =
            [("1B", 1), ("512B", 512), ("64KiB", 65_536), ("1MiB", 1 << 20), ("2GiB", 2 << 30)];
        for (text, bytes) in cases {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn a_bad_size_says_what_would_be_right() {
        let cases = [
            ("64KB", "has the unit KB, a unit that is 1000 to some and 1024 to others", "64KiB"),
            ("1MB", "has the unit MB, a unit that is 1000 to some and 1024 to others", "1MiB"),
            ("1kib", "has the unit kib", "1KiB"),
            ("1m", "has the unit m", "1MiB"),
            ("512", "is \"512\", which lacks a unit", "512B"),
            ("KiB", "is \"KiB\", which is not a size", ""),
            ("1.5MiB", "is \"1.5MiB\", which is not a size", ""),
            ("1 MiB", "is \"1 MiB\", which is not a size", ""),
            ("1TiB", "is \"1TiB\", which is not a size", ""),
            ("0KiB", "is zero, and nothing fits into that", ""),
            ("99999999999GiB", "is more bytes than can be counted", ""),
        ];
        for (text, what, value) in cases {
            let fault = size(text).expect_err(text);
            assert_eq!(
                (fault.what.as_str(), fault.value.unwrap_or_default()),
                (what, value.into())
            );
        }
    }
}
