//! Files as the writer leaves them, as crashes and people do, and what is made of them.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use serde_json::Value;
use tempfile::TempDir;

use super::file::{AuditFile, write_once};
use super::*;
use crate::problem::Problem;
use crate::scheme::Decision;

pub(super) fn entry(number: u64) -> Entry {
    Entry {
        route: "cobo".into(),
        request_id: format!("id-{number}"),
        request_type: 2,
        rule: "keysign.rules".into(),
        verdict: if number.is_multiple_of(2) { Decision::Approve } else { Decision::Reject },
        mode: Mode::Enforce,
        service: None,
        reason: "the transaction is within every restriction".into(),
    }
}

fn home() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("audit.jsonl");
    (home, path)
}

fn opened(path: &Path) -> Result<Audit, Problem> {
    Audit::open(path, <[_; 2]>::default())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime")
}

fn put(file: &mut AuditFile, numbers: std::ops::Range<u64>) {
    for number in numbers {
        file.put(&entry(number), write_once).expect("a line");
    }
}

fn verify(path: &Path, after: LineHash) -> Result<Chain, ChainError> {
    follow(File::open(path).expect("the file"), After::Line(after))
}

fn chain(path: &Path) -> Chain {
    verify(path, LineHash::START).unwrap_or_else(|error| panic!("{error}"))
}

/// The members of every line, checked against each other without the code that writes them.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("text");
    assert!(text.is_empty() || text.ends_with('\n'));
    let mut previous = "0".repeat(64);
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let value: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value["previous"], previous.as_str(), "line {}", index + 1);
        assert_eq!(value["seq"], index + 1);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, line.as_bytes());
        previous = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push(value);
    }
    lines
}

#[test]
fn appends_from_many_tasks_make_one_chain() {
    let (_home, path) = home();
    let audit = opened(&path).expect("a new file");
    let mode = fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    runtime().block_on(async {
        let tasks: Vec<_> = (0..1000)
            .map(|number| {
                let (audit, path) = (audit.clone(), path.clone());
                tokio::spawn(async move {
                    audit.append(entry(number)).await.expect("on the disk");
                    // Whoever was told finds the line.
                    let text = fs::read_to_string(path).expect("text");
                    assert!(text.contains(&format!("\"id-{number}\"")));
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    let lines = lines(&path);
    let ids: BTreeSet<&str> = lines.iter().filter_map(|line| line["request_id"].as_str()).collect();
    assert_eq!((lines.len(), ids.len()), (1000, 1000));
    assert_eq!((chain(&path).lines, chain(&path).torn), (1000, 0));
}

#[test]
fn a_file_is_gone_on_with_after_a_restart() {
    let (_home, path) = home();
    for round in 0..3 {
        let mut file = AuditFile::open(&path).expect("the file");
        put(&mut file, round * 5..round * 5 + 5);
    }
    assert_eq!(lines(&path).len(), 15);
}

#[test]
fn a_file_cut_anywhere_ends_with_its_last_whole_line() {
    let (home, path) = home();
    let mut file = AuditFile::open(&path).expect("a new file");
    put(&mut file, 0..6);
    drop(file);
    let whole = fs::read(&path).expect("bytes");
    let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
    let first = ends[2] + 1;
    let mut opened = 0;
    for cut in first..=whole.len() {
        let copy = home.path().join(format!("cut-{cut}"));
        fs::write(&copy, &whole[..cut]).expect("a file");
        let kept = ends.iter().filter(|end| **end < cut).count();
        let bytes = ends[kept - 1] + 1;
        let found = chain(&copy);
        let expected = (kept as u64, bytes as u64, (cut - bytes) as u64);
        assert_eq!((found.lines, found.bytes, found.torn), expected, "{cut}");
        // Opening waits for the disk, so not at every byte; but around the ends of lines.
        if cut % 31 != 0 && ends.iter().all(|end| end.abs_diff(cut) > 2) {
            continue;
        }
        opened += 1;
        let mut file = AuditFile::open(&copy).unwrap_or_else(|error| panic!("{cut}: {error}"));
        put(&mut file, 90..91);
        assert_eq!(lines(&copy).len(), kept + 1, "{cut}");
        assert_eq!(aside(home.path(), cut), whole[bytes..cut], "{cut}");
    }
    assert!(opened > 30, "only {opened} were opened");
}

/// What was moved out of the way of a file that was cut there.
fn aside(home: &Path, cut: usize) -> Vec<u8> {
    let found = fs::read_dir(home).expect("a directory").find_map(|found| {
        let path = found.expect("an entry").path();
        let name = path.file_name()?.to_str()?.to_owned();
        name.starts_with(&format!("cut-{cut}.torn-")).then_some(path)
    });
    found.map(|path| fs::read(path).expect("bytes")).unwrap_or_default()
}

#[test]
fn a_changed_file_is_found_out_and_not_gone_on_with() {
    let (_home, path) = home();
    let mut file = AuditFile::open(&path).expect("a new file");
    put(&mut file, 0..5);
    drop(file);
    let text = fs::read_to_string(&path).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let without = |index: usize| {
        let mut lines = lines.clone();
        lines.remove(index);
        lines.join("\n") + "\n"
    };
    let swapped = [lines[0], lines[2], lines[1]].join("\n") + "\n";
    let table = [
        (text.replacen("REJECT", "APPROVE", 1), "line 3: its previous is "),
        (without(0), "line 1: it goes on with the chain of another file"),
        (without(2), "line 3: its previous is "),
        (swapped, "line 2: its previous is "),
        (text.replacen('\n', "\n\n", 1), "line 2: it does not have the form"),
        (text.replacen('\n', "\r\n", 1), "line 1: it does not have the form"),
        (format!("{text}{}\n", "\0".repeat(80)), "line 6: it does not have the form"),
        (format!("{text}{}", "x".repeat(70_000)), "line 6: it is longer than any"),
        (text.replacen("\"seq\":1,", "\"seq\":2,", 1), "line 1: its seq is 2, and 1 was to come"),
    ];
    for (changed, expected) in table {
        fs::write(&path, &changed).expect("a file");
        let error = verify(&path, LineHash::START).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
        // The writer takes what another file may have begun, and nothing else.
        let opened = AuditFile::open(&path);
        assert_eq!(opened.is_ok(), expected.starts_with("line 1: it goes on"), "{expected}");
        let bytes = fs::read_to_string(&path).expect("text");
        assert_eq!(bytes, changed, "nothing was written");
    }
}

/// An addition that overflows: a panic of the writer, or a line with the number 0.
#[test]
fn nothing_follows_the_last_number_there_is() {
    let (_home, path) = home();
    let line = |previous: &str| {
        format!("{{\"seq\":{},\"route\":\"r\",\"previous\":\"{previous}\"}}\n", u64::MAX)
    };
    let first = line(&"1".repeat(64));
    fs::write(&path, &first).expect("a file");
    let mut file = AuditFile::open(&path).expect("a file that another has begun");
    let refused = file.put(&entry(0), write_once).expect_err("there is no number for it");
    assert!(refused.what.ends_with("ends with the last number there is"), "{refused}");
    let hash = LineHash::of(first.trim_end().as_bytes()).to_string();
    let error = follow((first + &line(&hash)).as_bytes(), After::Any).expect_err("out of numbers");
    let expected = format!("line 2: its seq is {}, and none was to come", u64::MAX);
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_second_writer_is_refused_while_the_first_is_there() {
    let (_home, path) = home();
    let first = AuditFile::open(&path).expect("a new file");
    let error = AuditFile::open(&path).expect_err("in use");
    assert_eq!(error.what, format!("{} is in use by another writer", path.display()));
    drop(first);
    AuditFile::open(&path).expect("free again");
}

#[test]
fn what_cannot_be_a_file_of_ours_is_refused() {
    let (home, _) = home();
    for (path, expected) in [
        (home.path().join("no/audit.jsonl"), "cannot be opened"),
        (home.path().to_owned(), "is no regular file"),
        ("/dev/full".into(), "is no regular file"),
    ] {
        let error = AuditFile::open(&path).expect_err("no file").what;
        assert!(error.contains(expected), "{error}");
    }
    let link = home.path().join("link");
    std::os::unix::fs::symlink(home.path().join("victim"), &link).expect("a link");
    let error = AuditFile::open(&link).expect_err("a link").what;
    assert_eq!(error, format!("{} is a symbolic link", link.display()));
    assert!(!home.path().join("victim").exists(), "nothing is made where it leads");
    let open = home.path().join("open");
    fs::write(&open, "").expect("a file");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).expect("a mode");
    AuditFile::open(&open).expect("an empty file");
    assert_eq!(fs::metadata(&open).expect("the file").permissions().mode() & 0o777, 0o600);
}

#[test]
fn nobody_is_told_that_a_line_is_there_when_the_disk_is_full() {
    let full = OpenOptions::new().append(true).open("/dev/full").expect("the device");
    let path = Path::new("/dev/full");
    let audit =
        Audit::start(path, AuditFile::of(path, full), <[_; 2]>::default()).expect("a thread");
    let runtime = runtime();
    for number in 0..3 {
        let error = runtime.block_on(audit.append(entry(number))).expect_err("no room");
        assert!(error.what.starts_with("/dev/full cannot be written: "), "{error}");
        assert_eq!(error.fix, "make room on the disk");
    }
}

#[test]
fn a_line_written_in_part_is_taken_back() {
    let (_home, path) = home();
    let mut file = AuditFile::open(&path).expect("a new file");
    put(&mut file, 0..2);
    let half = |file: &File, line: &[u8]| write_once(file, &line[..line.len() / 2]);
    let error = file.put(&entry(2), half).expect_err("half a line");
    assert_eq!(error.fix, "make room on the disk");
    let none = |_: &File, _: &[u8]| Err(io::Error::from(io::ErrorKind::StorageFull));
    file.put(&entry(2), none).expect_err("no line");
    put(&mut file, 3..5);
    assert_eq!(lines(&path).len(), 4);
    // Where it cannot be, nothing follows it: a pipe gives nothing back.
    let (_reader, writer) = io::pipe().expect("a pipe");
    let mut pipe = AuditFile::of(&path, File::from(std::os::fd::OwnedFd::from(writer)));
    pipe.put(&entry(5), half).expect_err("half a line");
    pipe.put(&entry(5), write_once).expect_err("half a line stands before it");
}

#[test]
fn what_cannot_be_brought_to_the_disk_is_taken_back_until_a_reload() {
    let (_home, path) = home();
    let mut file = AuditFile::open(&path).expect("a new file");
    put(&mut file, 0..2);
    let before = file.end();
    // A pipe takes bytes and cannot be brought to a disk.
    let (_reader, writer) = io::pipe().expect("a pipe");
    let pipe = File::from(std::os::fd::OwnedFd::from(writer));
    let mut broken = AuditFile::of(&path, pipe);
    put(&mut broken, 0..1);
    let start = AuditFile::of(&path, File::open(&path).expect("the file")).end();
    broken.sync(start).expect_err("no disk");
    assert_eq!(broken.end(), start);
    broken.check().expect_err("a fault");
    broken.put(&entry(1), write_once).expect_err("a fault");
    assert_eq!(file.end(), before);
    file.sync(before).expect("a disk");
}

#[test]
fn nobody_is_told_that_a_line_is_there_before_the_disk_has_it() {
    let (_home, path) = home();
    let (_reader, writer) = io::pipe().expect("a pipe");
    let pipe = File::from(std::os::fd::OwnedFd::from(writer));
    // Every write succeeds, and no fdatasync does.
    let audit =
        Audit::start(&path, AuditFile::of(&path, pipe), <[_; 2]>::default()).expect("a thread");
    let runtime = runtime();
    for number in 0..3 {
        let error = runtime.block_on(audit.append(entry(number))).expect_err("no disk");
        assert!(error.what.contains(" cannot be written: "), "{error}");
    }
}

#[test]
fn an_entry_too_long_for_a_line_is_refused_and_leaves_nothing() {
    let (_home, path) = home();
    let mut file = AuditFile::open(&path).expect("a new file");
    let long = Entry { request_id: "x".repeat(65_536), ..entry(0) };
    file.put(&long, write_once).expect_err("too long");
    let fits = Entry { request_id: "x".repeat(65_000), ..entry(0) };
    file.put(&fits, write_once).expect("long");
    assert_eq!(lines(&path).len(), 1);
}

#[test]
fn a_file_moved_away_is_written_to_until_the_reload_and_its_chain_goes_on() {
    let (home, path) = home();
    let moved = home.path().join("audit.1.jsonl");
    let audit = opened(&path).expect("a new file");
    runtime().block_on(async {
        audit.append(entry(0)).await.expect("a line");
        audit.reopen().await.expect("nothing to do");
        fs::rename(&path, &moved).expect("a rename");
        audit.append(entry(1)).await.expect("a line in the moved file");
        audit.reopen().await.expect("a new file");
        audit.append(entry(2)).await.expect("a line in the new file");
        audit.append(entry(3)).await.expect("a line in the new file");
    });
    let old = chain(&moved);
    assert_eq!((old.lines, old.seq), (2, 2));
    verify(&path, LineHash::START).expect_err("it does not begin here");
    let new = verify(&path, old.last).expect("it follows");
    assert_eq!((new.lines, new.seq), (2, 4));
    // Whoever held the old file lets go of it.
    AuditFile::open(&moved).expect("free");
    AuditFile::open(&path).expect_err("in use");
}

#[test]
fn a_file_deleted_or_emptied_takes_no_line_before_the_reload() {
    let (_home, path) = home();
    let audit = opened(&path).expect("a new file");
    runtime().block_on(async {
        audit.append(entry(0)).await.expect("a line");
        fs::remove_file(&path).expect("removed");
        let error = audit.append(entry(1)).await.expect_err("deleted");
        assert_eq!(error.what, format!("{} was deleted", path.display()));
        audit.reopen().await.expect("a new file");
        audit.append(entry(2)).await.expect("a line");
        File::options().write(true).truncate(true).open(&path).expect("emptied");
        let error = audit.append(entry(3)).await.expect_err("emptied");
        assert_eq!(error.what, format!("{} was changed by somebody else", path.display()));
        audit.reopen().await.expect("the same file");
        audit.append(entry(4)).await.expect("a line");
        let foreign = fs::read_to_string(&path).expect("text");
        fs::remove_file(&path).expect("removed");
        fs::write(&path, foreign.replacen("id-4", "id-5", 1)).expect("another file");
        audit.reopen().await.expect_err("it does not end with our line");
        audit.append(entry(6)).await.expect_err("still deleted");
        fs::remove_file(&path).expect("removed");
        audit.reopen().await.expect("a new file");
        audit.append(entry(7)).await.expect("a line");
    });
    let text = fs::read_to_string(&path).expect("text");
    assert!(text.starts_with("{\"seq\":4,") && text.contains("id-7"), "{text}");
}

#[test]
fn a_reload_mends_a_torn_line_that_a_fault_has_left() {
    let (_home, path) = home();
    let mut file = AuditFile::open(&path).expect("a new file");
    put(&mut file, 0..2);
    let mut bytes = fs::read(&path).expect("bytes");
    bytes.extend(b"{\"seq\":3,");
    fs::write(&path, bytes).expect("the same file");
    file.check().expect_err("changed");
    file.reopen().expect("mended");
    put(&mut file, 2..3);
    assert_eq!(lines(&path).len(), 3);
}

fn sending(number: u64) -> Sending {
    let id = format!("r-{number}").into();
    Sending { id, route: "metasv".into(), client: None, peer: None, signatures: Vec::new() }
}

/// The audit of signatures in a new file, and what it counts.
fn signatures(path: &Path, required: bool) -> (Audit, Signatures, [Counter; 2]) {
    let counters = <[Counter; 2]>::default();
    let audit = Audit::open(path, counters.clone()).expect("a new file");
    (audit.clone(), Signatures::new(Some(audit), required), counters)
}

#[test]
fn what_was_handed_over_is_written_before_the_file_is_closed() {
    let (_home, path) = home();
    let (audit, signatures, counters) = signatures(&path, false);
    runtime().block_on(async {
        for number in 0..300 {
            let (sent, done) = signatures.sending(sending(number), Duration::ZERO).await;
            done.expect("nothing is required");
            sent.expect("there is a place").over("signed", None, 200);
        }
    });
    drop((audit, signatures));
    assert_eq!(lines(&path).len(), 600);
    assert_eq!(counters.map(|counter| counter.get()), [600, 0]);
}

#[test]
fn a_disk_that_stands_still_holds_up_those_alone_who_have_to_wait_for_it() {
    for required in [false, true] {
        let (_home, path) = home();
        let (audit, signatures, counters) = signatures(&path, required);
        let still = audit.hold();
        let mut taken = 0;
        runtime().block_on(async {
            for number in 0..2_000 {
                let (sent, done) = signatures.sending(sending(number), Duration::ZERO).await;
                assert_eq!(done.is_err(), required, "{number}: {done:?}");
                // What may be written later has an outcome, too.
                taken += u64::from(sent.is_some());
                if let Some(sent) = sent {
                    sent.over("refused", Some("audit_failed"), 503);
                }
            }
        });
        drop(still);
        drop((audit, signatures));
        let lines = lines(&path);
        let of_event =
            |event: &str| lines.iter().filter(|line| line["event"] == event).count() as u64;
        assert_eq!((taken, of_event("sending"), of_event("outcome")), (1024, 1024, 1024));
        assert_eq!(counters.map(|counter| counter.get()), [2_048, 2_000 - 1024], "{required}");
    }
}
