//! What each store adds to a signature: latency, and the CPU time of the process that asks, which is a
//! proxy's part of it.
//!
//! One process starts agents, tokens, signers and stand-ins of services, and another one, with what
//! those need in its environment, asks them through the stores that proxies ask through. Beside them
//! stands the same kind of key in memory; all take turns, round after round.

#[path = "stores/places.rs"]
mod places;
#[path = "stores/service.rs"]
mod service;

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use countersign::keys::{Algorithm, Hashing, KeySpec, KeyStore, Needed, Signer, StoreSettings};
use countersign::stores::Located;
use tokio::runtime::Runtime;

use self::places::Places;

/// Signatures of each kind in a round; a debug build runs one short round.
const SIGNATURES: usize = if cfg!(debug_assertions) { 64 } else { 3_200 };
const ROUNDS: usize = if cfg!(debug_assertions) { 1 } else { 7 };
const AT_ONCE: usize = 32;

/// The keys, by the names that they have in every store.
const KEYS: [(&str, Algorithm); 3] =
    [("p256", Algorithm::ECDSA_P256), ("mac", Algorithm::HMAC_SHA256), ("ed", Algorithm::ED25519)];

/// The first argument of the process that asks; behind it are the keys.
const ASK: &str = "--ask";

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(ASK) {
        let rows: Vec<Row> = arguments.map(|row| Row::read(&row)).collect();
        return ask(&rows);
    }
    let home = tempfile::TempDir::new().expect("a directory can be made");
    let places = Places::start(home.path());
    if cfg!(debug_assertions) {
        println!("a debug build: the figures mean nothing");
    }
    println!("memory: the key of a file; keys of env, systemd and exec sign in memory too");
    for missing in &places.missing {
        println!("not measured: {missing}");
    }
    let own = std::env::current_exe().expect("the system says what runs");
    let mut command = Command::new(own);
    command.arg(ASK).args(&places.rows).envs(places.variables.iter().cloned());
    let asked = command.current_dir(home.path()).status().expect("it can be run");
    assert!(asked.success(), "the process that asks has failed");
}

/// A key in a store.
struct Row {
    store: String,
    key: String,
    uri: String,
}

impl Row {
    fn write(store: &str, key: &str, uri: &str) -> String {
        format!("{store}\t{key}\t{uri}")
    }

    fn read(text: &str) -> Self {
        let mut parts = text.split('\t').map(str::to_owned);
        let mut next = || parts.next().expect("it was written by this program");
        Self { store: next(), key: next(), uri: next() }
    }

    async fn open(&self, algorithm: Algorithm) -> Arc<dyn Signer> {
        let uri = Located::read(std::slice::from_ref(&self.uri)).expect("it is a key URI");
        let (mut settings, mut secrets) = (Vec::new(), Vec::new());
        for (name, value) in uri.settings {
            match value.strip_prefix(Located::GIVEN) {
                Some(secret) => secrets.push((name, Needed::given(secret))),
                None => settings.push((name, value.into())),
            }
        }
        let mut settings = StoreSettings::new(settings);
        for (name, secret) in secrets {
            settings = settings.needing(name, secret);
        }
        let store: KeyStore = (uri.kind.open)(&settings);
        let opened = store.open(&KeySpec::of(&uri.entry, Some(algorithm))).await;
        opened.unwrap_or_else(|problem| panic!("{}: {problem:?}", self.store))
    }
}

/// Measures every key of every store.
#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn ask(rows: &[Row]) {
    // As the proxy's own.
    let runtime = Runtime::new().expect("threads can be started");
    println!(
        "{:<32} {:>4} {:>8} {:>8} {:>8} {:>8} {:>17} {:>8} {:>8}",
        "us a signature", "at", "p50", "p99", "CPU", "+p50", "(lowest, highest)", "+p99", "+CPU"
    );
    for (key, algorithm) in KEYS {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.key == key).collect();
        let signers: Vec<_> =
            rows.iter().map(|row| runtime.block_on(row.open(algorithm))).collect();
        for at_once in [1, AT_ONCE] {
            let mut rounds = vec![Vec::new(); signers.len()];
            for _ in 0..ROUNDS {
                for (rounds, signer) in rounds.iter_mut().zip(&signers) {
                    rounds.push(runtime.block_on(round(signer, at_once)));
                }
            }
            for (row, own) in rows.iter().zip(&rounds) {
                println!(
                    "{}",
                    line(&format!("{algorithm} {}", row.store), at_once, own, &rounds[0])
                );
            }
        }
    }
}

/// A line of the table; what is added is taken round by round.
fn line(name: &str, at_once: usize, own: &[[f64; 3]], memory: &[[f64; 3]]) -> String {
    let [p50, p99, cpu] = [0, 1, 2].map(|column| middle(own.iter().map(|round| round[column])));
    let more = [0, 1, 2].map(|column| {
        let pairs = own.iter().zip(memory);
        let mut more: Vec<f64> = pairs.map(|(own, memory)| own[column] - memory[column]).collect();
        more.sort_by(f64::total_cmp);
        more
    });
    let [added, late, work] = [0, 1, 2].map(|column| middle(more[column].iter().copied()));
    let range = format!("({:.1}, {:.1})", more[0][0], more[0][more[0].len() - 1]);
    let line = format!("{name:<32} {at_once:>4} {p50:>8.1} {p99:>8.1} {cpu:>8.1}");
    format!("{line} {added:>8.1} {range:>17} {late:>8.1} {work:>8.1}")
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// So many signatures: p50 and p99 of their latency, and this process's CPU time for each, in
/// microseconds.
async fn round(signer: &Arc<dyn Signer>, at_once: usize) -> [f64; 3] {
    let before = cpu();
    let tasks: Vec<_> = (0..at_once)
        .map(|_| {
            let signer = Arc::clone(signer);
            tokio::spawn(async move {
                let mut latencies = Vec::with_capacity(SIGNATURES / at_once);
                // As a scheme hands it over: a digest with the text that it is of.
                let digested = signer.public_key().algorithm() == Algorithm::ECDSA_P256;
                let hashing = if digested { Hashing::sha256(MESSAGE) } else { Hashing::Message };
                for _ in 0..SIGNATURES / at_once {
                    let started = Instant::now();
                    signer.sign(hashing.content(MESSAGE)).await.expect("it signs");
                    latencies.push(started.elapsed().as_secs_f64() * 1e6);
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("it does not panic"));
    }
    let used = (cpu() - before) as f64 / 1e3;
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize];
    [at(0.5), at(0.99), used / latencies.len() as f64]
}

/// Nanoseconds that this process's threads have run.
fn cpu() -> u64 {
    let threads = fs::read_dir("/proc/self/task").expect("the system lists threads");
    let run = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    run.sum()
}

/// About as long as an exchange's canonical string.
const MESSAGE: &[u8] = &[b'x'; 128];
