//! What a signer in a process of its own adds to a signature: latency, and the CPU time of the process
//! that asks, which is a proxy's part of it.
//!
//! The signer is the built binary; it is asked through the store that proxies ask through. Beside it
//! stands the same key in memory, in the same run.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use countersign::keys::{
    Algorithm, Content, Digest, Encoding, KeySpec, KeyStore, PrivateKey, Signer, StoreSettings,
};
use countersign::stores::STORES;
use tokio::runtime::Runtime;

/// Signatures of each kind in a round; a debug build runs one short round.
const SIGNATURES: usize = if cfg!(debug_assertions) { 64 } else { 6_400 };
const ROUNDS: usize = if cfg!(debug_assertions) { 1 } else { 7 };
const AT_ONCE: usize = 32;

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn main() {
    let home = tempfile::TempDir::new().expect("a directory can be made");
    let home = home.path();
    let keys = [("mac", Algorithm::HMAC_SHA256), ("p256", Algorithm::ECDSA_P256)];
    let local: Vec<_> = keys.iter().map(|(name, kind)| make(home, name, *kind)).collect();
    let _signer = start(home);
    // As the proxy's own.
    let runtime = Runtime::new().expect("threads can be started");
    if cfg!(debug_assertions) {
        println!("a debug build: the figures mean nothing");
    }
    println!("{:<22} {:>4} {:>8} {:>8} {:>8}", "us a signature", "at", "p50", "p99", "CPU");
    for (local, (name, kind)) in local.into_iter().zip(keys) {
        let remote = runtime.block_on(open(home, name, kind));
        for at_once in [1, AT_ONCE] {
            let (mut near, mut far) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                near.push(runtime.block_on(round(&local, at_once)));
                far.push(runtime.block_on(round(&remote, at_once)));
            }
            let (near, far) = (median(near), median(far));
            let row = |what: &str, [p50, p99, cpu]: [f64; 3]| {
                let name = format!("{kind} {what}");
                println!("{name:<22} {at_once:>4} {p50:>8.1} {p99:>8.1} {cpu:>8.1}");
            };
            row("memory", near);
            row("signer", far);
            row("added", [far[0] - near[0], far[1] - near[1], far[2] - near[2]]);
        }
    }
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
                for _ in 0..SIGNATURES / at_once {
                    let started = Instant::now();
                    let shared = signer.public_key().algorithm().is_shared();
                    let content = if shared { MESSAGE } else { Content::digest(&DIGEST) };
                    signer.sign(content).await.expect("it signs");
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

fn median(mut rounds: Vec<[f64; 3]>) -> [f64; 3] {
    [0, 1, 2].map(|column| {
        rounds.sort_by(|one, other| one[column].total_cmp(&other[column]));
        rounds[rounds.len() / 2][column]
    })
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

/// A new key, in a file and in memory.
fn make(home: &Path, name: &str, algorithm: Algorithm) -> Arc<dyn Signer> {
    let key = PrivateKey::generate(algorithm);
    let file = home.join(name);
    fs::write(&file, key.to_text().as_bytes()).expect("it can be written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is there");
    key.signer().expect("it signs")
}

/// Ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn start(home: &Path) -> Running {
    let uid = fs::metadata("/proc/self").expect("the system lists processes").uid();
    let config = format!(
        "[signer]\nlisten = \"unix:{}/socket\"\naudit = \"audit.jsonl\"\n[grants.own]\nuid = {uid}\n\
         keys = [\"mac\", \"p256\"]\n[keys]\nmac = \"file:mac\"\np256 = \"file:p256\"\n",
        home.display()
    );
    fs::write(home.join("signer.toml"), config).expect("it can be written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["signer", "--config", "signer.toml"])
        .current_dir(home)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program can be run");
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let ready = lines.map_while(Result::ok).any(|line| line == "ready");
    assert!(ready, "the signer did not start");
    Running(child)
}

async fn open(home: &Path, name: &str, algorithm: Algorithm) -> Arc<dyn Signer> {
    let kind = STORES.iter().find(|kind| kind.name == "remote").expect("it is a kind of store");
    let url = format!("unix:{}/socket", home.display());
    let store: KeyStore = (kind.open)(&StoreSettings::new([("url", url.into())]));
    let spec = KeySpec {
        name: name.into(),
        entry: name.into(),
        algorithm: Some(algorithm),
        candidates: Vec::new(),
        encoding: Encoding::Text,
    };
    store.open(&spec).await.expect("the signer has the key")
}

/// About as long as an exchange's canonical string.
const MESSAGE: Content<'static> = Content::Message(&[b'x'; 128]);
static DIGEST: Digest = Digest([0x5a; 32]);
