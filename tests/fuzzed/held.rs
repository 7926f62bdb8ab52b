//! Every target over its corpus and over seeded mutations of it: no instrumented build, the same inputs
//! each time. And what the table of targets says stands in `fuzz/` too.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::thread;

use super::{TARGETS, Target, run};
use crate::support::root;

#[test]
fn every_target_holds_for_its_corpus_and_for_mutations_of_it() {
    thread::scope(|scope| {
        let running: Vec<_> = TARGETS.iter().map(|target| scope.spawn(|| target.hold())).collect();
        for (target, running) in TARGETS.iter().zip(running) {
            assert!(running.join().is_ok(), "{} failed; its input is above", target.name);
        }
    });
}

/// A target that cargo-fuzz does not build, or one that this table does not run.
#[test]
fn cargo_fuzz_builds_the_targets_of_the_table() {
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("it is there");
    let manifest: toml::Table = manifest.parse().expect("it is TOML");
    let built = manifest["bin"].as_array().expect("there are targets").iter();
    let built: Vec<&str> =
        built.map(|bin| bin["name"].as_str().expect("a target has a name")).collect();
    let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(built, known, "[[bin]] of fuzz/Cargo.toml and TARGETS, in their order");
    for bin in manifest["bin"].as_array().expect("there are targets") {
        let path = format!("fuzz/{}", bin["path"].as_str().expect("a target has a path"));
        assert!(root().join(&path).is_file(), "{path} is missing");
    }
}

/// Where `scripts/test --long` has cargo-fuzz begin.
#[test]
#[ignore = "writes what cargo-fuzz reads: scripts/test --long"]
fn corpora_are_written() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    for target in TARGETS {
        let corpus = directory.join(target.name);
        fs::create_dir_all(&corpus).expect("a directory can be made");
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(corpus.join(format!("seed-{number}")), seed).expect("it can be written");
        }
        let word = |word: &&str| {
            let bytes = word.bytes().map(|byte| format!("\\x{byte:02x}"));
            format!("\"{}\"\n", bytes.collect::<String>())
        };
        let words: String = target.words.iter().map(word).collect();
        fs::write(directory.join(format!("{}.dict", target.name)), words)
            .expect("it can be written");
        assert!(fs::read_dir(&corpus).expect("it is there").count() >= (target.seeds)().len());
    }
}

impl Target {
    fn hold(&self) {
        let seeds = (self.seeds)();
        assert!(seeds.len() >= 5, "{}: {} inputs to begin with", self.name, seeds.len());
        for (number, seed) in seeds.iter().enumerate() {
            self.one(seed, &format!("seed {number}"));
        }
        let mut mutator = Mutator { state: SEED, words: self.words, seeds: &seeds };
        for number in 0..self.tries {
            let input = mutator.next();
            self.one(&input, &format!("mutation {number} of {SEED:#x}"));
        }
    }

    fn one(&self, input: &[u8], what: &str) {
        let ran = catch_unwind(AssertUnwindSafe(|| run(self.name, input)));
        if let Err(panic) = ran {
            println!("{}, {what}: b\"{}\"", self.name, input.escape_ascii());
            resume_unwind(panic);
        }
    }
}

/// Where the mutations begin; another number is another run.
const SEED: u64 = 0x5eed_0019;
const LONGEST: usize = 4096;

/// Makes inputs of others.
struct Mutator<'a> {
    state: u64,
    words: &'a [&'a str],
    seeds: &'a [Vec<u8>],
}

impl Mutator<'_> {
    /// SplitMix64.
    fn number(&mut self, below: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % below.max(1) as u64).expect("it is below a usize")
    }

    fn next(&mut self) -> Vec<u8> {
        let mut input = self.seeds[self.number(self.seeds.len())].clone();
        for _ in 0..=self.number(4) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.number(input.len() + 1);
        let end = (at + self.number(16)).min(input.len());
        match self.number(8) {
            0 if at < input.len() => input[at] ^= 1 << self.number(8),
            1 if at < input.len() => input[at] = self.number(256) as u8,
            2 => drop(input.drain(at..end)),
            3 => input.truncate(at),
            4 => {
                let copy = input[at..end].to_vec();
                let to = self.number(input.len() + 1);
                input.splice(to..to, copy);
            }
            5 => {
                let other = &self.seeds[self.number(self.seeds.len())];
                let from = self.number(other.len() + 1);
                let piece = &other[from..(from + self.number(48)).min(other.len())];
                input.splice(at..end, piece.iter().copied());
            }
            // The first bytes are choices.
            6 if !input.is_empty() => {
                let at = self.number(input.len().min(4));
                input[at] = self.number(256) as u8;
            }
            _ => {
                let word = self.words[self.number(self.words.len())];
                let end = if self.number(2) == 0 { at } else { end };
                input.splice(at..end, word.bytes());
            }
        }
    }
}
