//! One line of the hash chain: its form, and the hash that ties it to the one before.
//!
//! ```text
//! {"seq":7,"time_ms":1700000000000,"time":"2023-11-14T22:13:20.000Z",…,"previous":"<64 hex>"}
//! ```
//!
//! `seq` is first and `previous` is last, so that a chain is checked without reading what stands
//! between them: the hash of the line covers it.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::entry::Members;
use crate::moment::rfc3339;

/// Bytes of a line with its newline. What is longer is refused, and not cut: half an entry would
/// say something else.
pub(super) const LONGEST: usize = 64 << 10;

/// The SHA-256 of a line without its newline, written in lower-case hex.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct LineHash([u8; 32]);

impl LineHash {
    /// What the first line of a chain has for `previous`.
    pub const START: Self = Self([0; 32]);

    /// The hash of a line, without its newline.
    pub(super) fn of(line: &[u8]) -> Self {
        Self(Sha256::digest(line).into())
    }
}

impl fmt::Display for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl fmt::Debug for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LineHash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut hash = [0; 32];
        match base16ct::lower::decode(text, &mut hash) {
            Ok(bytes) if bytes.len() == 32 => Ok(Self(hash)),
            _ => Err("not 64 digits of lower-case hex, as `audit verify` prints them"),
        }
    }
}

/// The line of an entry, with its newline.
pub(super) fn write(entry: &dyn Members, seq: u64, unix_ms: u64, previous: LineHash) -> Vec<u8> {
    let mut line = Map::new();
    line.insert("seq".into(), seq.into());
    line.insert("time_ms".into(), unix_ms.into());
    line.insert("time".into(), rfc3339(unix_ms).into());
    if let Value::Object(members) = entry.members() {
        line.extend(members);
    }
    line.insert("previous".into(), previous.to_string().into());
    let mut line = Value::Object(line).to_string().into_bytes();
    line.push(b'\n');
    line
}

/// The `seq` and `previous` of a line without its newline; `None` if it has another form.
pub(super) fn read(line: &[u8]) -> Option<(u64, LineHash)> {
    let line = std::str::from_utf8(line).ok()?;
    let (seq, rest) = line.strip_prefix(r#"{"seq":"#)?.split_once(',')?;
    // `u64::from_str` alone would take a sign.
    let seq = seq.bytes().all(|byte| byte.is_ascii_digit()).then(|| seq.parse().ok()).flatten()?;
    let (_, previous) = rest.strip_suffix(r#""}"#)?.rsplit_once(r#","previous":""#)?;
    Some((seq, previous.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Entry, Mode};
    use crate::scheme::Decision;

    fn entry() -> Entry {
        Entry {
            route: "cobo".into(),
            request_id: "5e2c".into(),
            request_type: 2,
            rule: "keysign.coin".into(),
            verdict: Decision::Reject,
            mode: Mode::Shadow,
            service: Some("APPROVE".into()),
            reason: "a \"quoted\"\nreason é".into(),
        }
    }

    #[test]
    fn a_line_has_every_member_in_its_order_and_is_one_line() {
        let line = write(&entry(), 7, 1_700_000_000_042, LineHash::START);
        let expected = format!(
            concat!(
                r#"{{"seq":7,"time_ms":1700000000042,"time":"2023-11-14T22:13:20.042Z","#,
                r#""route":"cobo","request_id":"5e2c","request_type":2,"rule":"keysign.coin","#,
                r#""verdict":"REJECT","mode":"shadow","service":"APPROVE","#,
                r#""reason":"a \"quoted\"\nreason é","previous":"{}"}}"#,
                "\n"
            ),
            "0".repeat(64)
        );
        assert_eq!(String::from_utf8_lossy(&line), expected);
        assert_eq!(read(line.trim_ascii_end()), Some((7, LineHash::START)));
    }

    #[test]
    fn a_hash_is_that_of_sha256() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(LineHash::of(b"abc").to_string(), hash);
        assert_eq!(hash.parse(), Ok(LineHash::of(b"abc")));
        for bad in ["", "ab", &hash.to_uppercase(), &format!("{hash}00"), &format!(" {hash}")] {
            assert!(bad.parse::<LineHash>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_an_entry_says_is_never_taken_for_the_end_of_its_line() {
        let mut entry = entry();
        entry.reason = format!(r#"x","previous":"{}"}}"#, "1".repeat(64));
        entry.request_id = r#"{"seq":9,"#.into();
        let line = write(&entry, 8, 0, LineHash::of(b"abc"));
        assert_eq!(read(line.trim_ascii_end()), Some((8, LineHash::of(b"abc"))));
    }

    #[test]
    fn other_forms_are_no_lines() {
        let zeros = "0".repeat(64);
        let table = [
            (format!(r#"{{"seq":1,"previous":"{zeros}"}}"#), false),
            (format!(r#"{{"seq":1,"x":0,"previous":"{zeros}"}}"#), true),
            (format!(r#"{{"seq":+1,"x":0,"previous":"{zeros}"}}"#), false),
            (format!(r#"{{"seq":,"x":0,"previous":"{zeros}"}}"#), false),
            (format!(r#"{{"seq":1,"x":0,"previous":"{zeros}"}} "#), false),
            (format!(r#"{{"seq":1,"x":0,"previous":"{}"}}"#, &zeros[1..]), false),
            (format!(r#"{{"seq": 1,"x":0,"previous":"{zeros}"}}"#), false),
            (String::new(), false),
            ("\0".repeat(200), false),
        ];
        for (line, good) in table {
            assert_eq!(read(line.as_bytes()).is_some(), good, "{line}");
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_767_225_599_001, "2025-12-31T23:59:59.001Z"),
        ];
        for (unix_ms, text) in table {
            assert_eq!(rfc3339(unix_ms), text);
        }
        assert!(rfc3339(u64::MAX).ends_with('Z'));
    }
}
