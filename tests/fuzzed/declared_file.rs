//! A scheme file of any bytes: reading it and running its vectors neither panics nor takes longer than
//! its bounds allow, and what is wrong is said of a place in it.

use countersign::scheme::Entry;

use super::{Target, corpus};

pub(super) const TARGET: Target = Target {
    name: "declared_file",
    run,
    seeds: || {
        // Big numbers take long where the code is not optimised.
        let slow = |text: &Vec<u8>| text.windows(4).any(|piece| piece == b"rsa_");
        corpus::files("schemes").into_iter().filter(|text| !slow(text)).collect()
    },
    words: &[
        "{",
        "}",
        "{{",
        " | hex",
        "'''",
        "[",
        "]",
        "\0",
        "\u{2028}",
        "9999999999999999999",
        "{body}",
        "{signer}",
        "{signer.public}",
        "{query | first:0}",
        "swap:~",
        "[[vectors]]",
        "[place.json]",
        "\\u0000",
    ],
    tries: 300,
};

fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Err(problems) = Entry::declared("fuzzed", text) else { return };
    assert!(!problems.is_empty(), "it is refused, and nothing is wrong with it");
    let lines = text.split('\n').count();
    for problem in problems {
        let line = problem.at.map_or(1, |at| at.line);
        assert!((1..=lines).contains(&line), "{problem:?} is said of line {line} of {lines}");
        assert!(!problem.fix.is_empty(), "{problem:?} has no remedy");
    }
}
