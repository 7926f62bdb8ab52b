//! What of a key is in the memory of a running proxy.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::vectors::{load, text};

/// Which forms of Sinohope's key are in a process's memory.
pub(super) fn forms_found(pid: u32) -> Vec<&'static str> {
    let vectors = load("sinohope");
    let bytes = |member: &str| {
        let hex = text(&vectors, &format!("/keys/test-p256/{member}"));
        base16ct::lower::decode_vec(hex).expect("the vectors are lower-case hex")
    };
    let number = bytes("private_scalar_hex");
    let hex = base16ct::lower::encode_string(&number).into_bytes();
    // As a file in PEM has it, which breaks lines.
    let base64 = STANDARD.encode(bytes("pkcs8_der_hex")).into_bytes()[64..128].to_vec();
    let reversed = number.iter().rev().copied().collect();
    let forms =
        [("number", number), ("number, reversed", reversed), ("hex", hex), ("base64", base64)];
    // Unoptimised code would search for many seconds.
    let mut search = Command::new("python3");
    search.args(["-c", SEARCH]).args(forms.iter().map(|(_, form)| format!("{form:02x?}")));
    let search = search.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut search = search.expect("python3 can be run");
    let memory = memory(pid);
    search.stdin.take().expect("it is piped").write_all(&memory).expect("it reads");
    let output = search.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    let found = String::from_utf8(output.stdout).expect("it is text");
    let name = |at: &str| forms[at.parse::<usize>().expect("it is a number")].0;
    found.split_whitespace().map(name).collect()
}

const SEARCH: &str = "\
import sys
memory = sys.stdin.buffer.read()
assert len(memory) > 1 << 20
for at, form in enumerate(sys.argv[1:]):
    form = bytes.fromhex(form.strip('[]').replace(', ', ''))
    if form in memory: print(at)
";

/// What a process can write to, and what else is in no file: heap, stacks, the program's own data.
fn memory(pid: u32) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
    let file = File::open(format!("/proc/{pid}/mem"));
    let file = file.expect("whoever started a process may look into it");
    let mut all = Vec::new();
    for line in maps.lines() {
        let fields: Vec<_> = line.split_whitespace().collect();
        let in_file = fields.get(5).is_some_and(|path| path.starts_with('/'));
        if !fields[1].starts_with("rw") && (in_file || !fields[1].starts_with('r')) {
            continue;
        }
        let (from, to) = fields[0].split_once('-').expect("a range");
        let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).expect("it is hex"));
        let start = all.len();
        all.resize(start + usize::try_from(to - from).expect("it fits"), 0);
        // What belongs to the kernel cannot be read here, and a stack may have been given back.
        if file.read_exact_at(&mut all[start..], from).is_err() {
            assert!(!line.contains("[heap]"), "{line}");
            all.truncate(start);
        }
    }
    all
}
