//! What a nonce costs: placed and counted, with a state that is kept and without one.
//!
//! `cargo bench --bench nonces`

use std::path::PathBuf;

use countersign::moment::unix_ms;
use countersign::nonces::{Counting, Drawn, Keeping, Nonces, Replica, Source, Unit};
use divan::{Bencher, black_box};
use tempfile::TempDir;

fn main() {
    divan::main();
}

const MS: Counting = Counting::Increasing(Unit { per_ms: 1, ms: 1 });

/// A process with its state here.
fn process(path: PathBuf) -> Nonces {
    Nonces::new(Keeping::In { path, named: true }, Replica::ALONE)
}

fn source(nonces: &Nonces, counting: Counting) -> Source {
    let (source, unkept) = nonces.source("bench", (counting, false), unix_ms()).expect("a source");
    assert_eq!(unkept, None);
    source
}

/// What is not there at once is waited for, as on a request's way.
fn draw(source: &Source) -> Drawn {
    let limit = std::time::Duration::from_secs(1);
    let now = unix_ms();
    source.draw(now).unwrap_or_else(|| source.wait(now, limit).expect("a number"))
}

#[divan::bench]
fn place_unkept(bencher: Bencher<'_, '_>) {
    let source = source(&Nonces::default(), Counting::Once);
    bencher.bench_local(|| draw(black_box(&source)));
}

#[divan::bench]
fn place_kept(bencher: Bencher<'_, '_>) {
    let home = TempDir::new().expect("a directory");
    let source = source(&process(home.path().into()), Counting::Once);
    bencher.bench_local(|| draw(black_box(&source)));
}

#[divan::bench]
fn number_unkept(bencher: Bencher<'_, '_>) {
    let source = source(&Nonces::default(), MS);
    bencher.bench_local(|| draw(black_box(&source)));
}

#[divan::bench]
fn number_kept(bencher: Bencher<'_, '_>) {
    let home = TempDir::new().expect("a directory");
    let source = source(&process(home.path().into()), MS);
    bencher.bench_local(|| draw(black_box(&source)));
}

/// Two processes draw at once, as fast as they can.
#[divan::bench(threads = 2)]
fn number_kept_by_two(bencher: Bencher<'_, '_>) {
    let home = TempDir::new().expect("a directory");
    let processes = [process(home.path().into()), process(home.path().into())];
    let sources = processes.map(|process| source(&process, MS));
    let next = std::sync::atomic::AtomicUsize::new(0);
    bencher
        .with_inputs(|| next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 2)
        .bench_values(|which| draw(black_box(&sources[which])));
}
