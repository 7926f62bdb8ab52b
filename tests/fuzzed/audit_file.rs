//! Audit files of any bytes: the chain is that of another reading, and what is changed later breaks it.
//! And entries of any texts: each is one line of JSON that says them.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use countersign::audit::{After, Audit, Chain, Entry, LineHash, Mode, follow, walk};
use countersign::scheme::Decision;
use prometheus_client::metrics::counter::Counter;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::Target;
use super::input::Input;

pub(super) const TARGET: Target = Target {
    name: "audit_file",
    run,
    seeds: || {
        let file = chained("0", [1, 2, 3, 4]);
        let torn = [file.as_bytes(), b"{\"seq\":5,\"rou"].concat();
        let full = chained("1", [u64::MAX, u64::MAX]);
        let files = [&file[..file.len() / 2], &file, &full];
        let files = files.map(str::as_bytes).into_iter().chain([&torn[..]]);
        let mut all: Vec<Vec<u8>> = files.map(|file| [b"\0\x21\x01", file].concat()).collect();
        all.push(b"\x01\0\0cobo\nreq-1\nkeysign.amount\nREJECT\na \"reason\"".to_vec());
        all.push("\u{1}\0\0r\n\u{2028}\\\n\u{7f}\0\n\u{e9}".into());
        all
    },
    words: &[
        "{\"seq\":",
        "{\"seq\":1,",
        "\"previous\":\"",
        "\"}",
        ",",
        "\n",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "18446744073709551615",
        "+1",
        "\"",
        "\\",
        "\u{2028}",
        "\0",
    ],
    tries: 3_000,
};

/// Lines with these numbers, each with the hash of the one before, the first with this digit for one.
fn chained<const N: usize>(digit: &str, numbers: [u64; N]) -> String {
    let mut previous = digit.repeat(64);
    let line = numbers.map(|seq| {
        let line = format!("{{\"seq\":{seq},\"route\":\"r\",\"previous\":\"{previous}\"}}");
        previous = hash(line.as_bytes());
        line + "\n"
    });
    line.concat()
}

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let way = input.byte();
    let change = (input.byte(), input.byte());
    if way & 1 == 1 {
        return written(input);
    }
    let after = if way & 2 == 0 { After::Any } else { After::Line(LineHash::START) };
    let mut shown = 0;
    let found = walk(input.0, after, |_, _| shown += 1);
    let found = found
        .ok()
        .map(|chain| (chain.lines, chain.seq, chain.last.to_string(), chain.bytes, chain.torn));
    assert_eq!(found, naive(input.0, after), "{}", input.0.escape_ascii());
    let Some((lines, _, last, ..)) = found else { return };
    assert_eq!(shown, lines);
    // Every line but the last is fixed by the next.
    let fixed: Vec<&[u8]> =
        input.0.split_inclusive(|byte| *byte == b'\n').take(lines as usize).collect();
    let length = fixed.iter().rev().skip(1).map(|line| line.len()).sum::<usize>();
    if length == 0 {
        return;
    }
    let mut changed = input.0.to_vec();
    changed[usize::from(change.0) * length / 256] ^= change.1.max(1);
    let after = After::Line(LineHash::START);
    let same =
        follow(&changed[..], after).is_ok_and(|Chain { last: end, .. }| end.to_string() == last);
    assert!(!same, "a change at {change:?} is not seen: {}", input.0.escape_ascii());
}

fn hash(line: &[u8]) -> String {
    Sha256::digest(line).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lines, number and hash of the last, bytes and torn ones; none where the chain is broken.
fn naive(file: &[u8], after: After) -> Option<(u64, u64, String, u64, u64)> {
    let whole = file.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let start = "0".repeat(64);
    let (mut lines, mut seq, mut last) = (0, 0_u64, start.clone());
    for line in file[..whole].split_inclusive(|byte| *byte == b'\n') {
        let line = &line[..line.len() - 1];
        let text = str::from_utf8(line).ok().filter(|_| line.len() < 64 << 10)?;
        let (number, rest) = text.strip_prefix("{\"seq\":")?.split_once(',')?;
        let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = number.parse().ok().filter(|_| plain)?;
        let (before, previous) = rest.split_at_checked(rest.len().checked_sub(66)?)?;
        // The comma may be the one behind the number.
        let labelled = before.ends_with(",\"previous\":\"");
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let previous = previous
            .strip_suffix("\"}")
            .filter(|previous| labelled && previous.bytes().all(hex))?;
        let goes_on = lines == 0 && after == After::Any;
        if previous != last && !goes_on {
            return None;
        }
        let known = lines > 0 || previous == start;
        if known && number != seq.checked_add(1)? {
            return None;
        }
        (lines, seq, last) = (lines + 1, number, hash(line));
    }
    let torn = file.len() - whole;
    (torn <= 64 << 10).then_some((lines, seq, last, whole as u64, torn as u64))
}

/// A file that entries go to, until it is long.
struct Open {
    directory: TempDir,
    audit: Audit,
    file: File,
    entries: u32,
}

impl Open {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory can be made");
        let path: PathBuf = directory.path().join("audit.jsonl");
        let audit =
            Audit::open(&path, [Counter::default(), Counter::default()]).expect("it can be opened");
        Self { directory, audit, file: File::open(&path).expect("it is there"), entries: 0 }
    }
}

fn written(mut input: Input<'_>) {
    static OPEN: Mutex<Option<Open>> = Mutex::new(None);
    let mut text = || String::from_utf8_lossy(input.line()).into_owned();
    let entry = Entry {
        route: text(),
        request_id: text(),
        request_type: 2,
        rule: text(),
        verdict: Decision::Reject,
        mode: Mode::Shadow,
        service: Some(text()),
        reason: text(),
    };
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if open.as_ref().is_some_and(|open| open.entries > 5_000) {
        let old = open.take().expect("it is there");
        follow(File::open(old.audit.path()).expect("it is there"), After::Line(LineHash::START))
            .expect("one chain");
        fs::remove_dir_all(old.directory.path()).expect("it is ours");
    }
    let open = open.get_or_insert_with(Open::new);
    let before = open.file.seek(SeekFrom::End(0)).expect("a file can be read");
    open.audit.note(&entry).expect("there is room for a line");
    open.entries += 1;
    open.file.seek(SeekFrom::Start(before)).expect("a file can be read");
    let mut line = String::new();
    open.file.read_to_string(&mut line).expect("a line is text");
    assert!(line.ends_with('\n') && line.lines().count() == 1, "{line:?}");
    let said: Value = serde_json::from_str(&line).expect("a line is JSON");
    let of = |name: &str| said[name].as_str().expect("it is text").to_owned();
    let (service, verdict) = (Some(of("service")), Decision::Reject);
    let again = Entry {
        route: of("route"),
        request_id: of("request_id"),
        request_type: said["request_type"].as_u64().expect("it is a number"),
        rule: of("rule"),
        reason: of("reason"),
        mode: Mode::Shadow,
        service,
        verdict,
    };
    assert_eq!(again, entry);
}
