//! Several processes are several [`Nonces`] on one directory: a lock belongs to the open file, and
//! each opens its own. A machine's start is another line in the file.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::thread;

use super::*;

const KEY: &str = "SHA256:a/b+c";
const MS: Counting = Counting::Increasing(Unit { per_ms: 1, ms: 1 });
const LIMIT: Duration = Duration::from_secs(60);

fn process(directory: &Path) -> Nonces {
    Nonces::new(Keeping::In { path: directory.to_owned(), named: false }, Replica::ALONE)
}

fn source(nonces: &Nonces, counting: Counting, now_ms: u64) -> Source {
    let (source, unkept) = nonces.source(KEY, (counting, false), now_ms).unwrap();
    assert_eq!(unkept, None);
    source
}

fn draw(source: &Source, now_ms: u64) -> u64 {
    match source.draw(now_ms).map_or_else(|| source.wait(now_ms, LIMIT), Ok).unwrap() {
        Drawn::Place(number) | Drawn::Number(number) => number,
    }
}

/// As after SIGKILL: nothing is given back.
fn kill(nonces: Nonces, directory: &Path) {
    let files = || fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let left: Vec<_> = files().map(|path| (fs::read(&path).unwrap(), path)).collect();
    drop(nonces);
    for (bytes, path) in left {
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn numbers_increase_across_processes_kills_and_clocks_set_back() {
    let home = tempfile::tempdir().unwrap();
    let (mut last, mut drawn) = (0, 0);
    for now in [5_000_000, 5_000_100, 4_000_000, 4_000_000, 1, 6_000_000] {
        let (one, other) = (process(home.path()), process(home.path()));
        for _ in 0..50 {
            for nonces in [&one, &other] {
                let number = draw(&source(nonces, MS, now), now);
                assert!(number > last && number >= now, "{number} after {last}");
                (last, drawn) = (number, drawn + 1);
            }
        }
        kill(one, home.path());
        kill(other, home.path());
    }
    assert_eq!(drawn, 600);
    assert!(last < 6_000_000 + 200, "numbers are ahead of the clock without need: {last}");
}

#[test]
fn processes_that_draw_at_once_share_no_number_and_each_sees_them_increase() {
    let home = tempfile::tempdir().unwrap();
    let mut all = HashSet::new();
    thread::scope(|scope| {
        let draw_many = || {
            let nonces = process(home.path());
            (0..3_000).map(|_| draw(&source(&nonces, MS, 77), 77)).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(draw_many)).collect();
        for thread in threads {
            let numbers = thread.join().unwrap();
            assert!(numbers.is_sorted());
            all.extend(numbers);
        }
    });
    assert_eq!(all.len(), 12_000);
}

#[test]
fn another_start_of_the_machine_with_its_clock_back_repeats_nothing() {
    for counting in [MS, Counting::Once] {
        let home = tempfile::tempdir().unwrap();
        let now = 10_000_000;
        let nonces = process(home.path());
        let first = source(&nonces, counting, now);
        let mut seen: HashSet<u64> = (0..5_000).map(|_| draw(&first, now)).collect();
        drop(first);
        // What had not come to the disk yet is lost: the numbers are those of the beginning.
        for file in fs::read_dir(home.path()).unwrap() {
            let path = file.unwrap().path();
            let line = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("{:020} {} {:36}\n", 0, &line[21..41], "earlier")).unwrap();
        }
        let again = process(home.path());
        if counting == Counting::Once {
            // The others are as used as the first: a fresh lane would prove nothing.
            kill(nonces, home.path());
            for lane in 1..placer::LANES {
                let path = |lane| home.path().join(format!("SHA256-a_b-c.lane-{lane}"));
                fs::copy(path(0), path(lane)).unwrap();
            }
        }
        let second = source(&again, counting, now);
        let more: Vec<u64> = (0..5_000).map(|_| draw(&second, now)).collect();
        seen.extend(more);
        assert_eq!(seen.len(), 10_000, "{counting:?}");
    }
}

#[test]
fn processes_have_a_lane_each_and_those_after_the_last_are_told() {
    let home = tempfile::tempdir().unwrap();
    let now = 3_000_000;
    let processes: Vec<_> = (0..placer::LANES).map(|_| process(home.path())).collect();
    let mut seen = HashSet::new();
    for nonces in &processes {
        let source = source(nonces, Counting::Once, now);
        seen.extend((0..400).map(|_| draw(&source, now + 1)));
    }
    let late = process(home.path());
    let (unkept, problem) = late.source(KEY, (Counting::Once, false), now).unwrap();
    let problem = problem.unwrap();
    assert!(problem.what.starts_with("16 processes") && problem.what.contains(KEY), "{problem}");
    seen.extend((0..400).map(|_| draw(&unkept, now + 1)));
    assert_eq!(seen.len(), 17 * 400);
    // A lane that is let go of is taken again, and goes on where it was.
    drop(processes);
    let again = process(home.path());
    seen.extend((0..400).map(|_| draw(&source(&again, Counting::Once, now), now + 1)));
    assert_eq!(seen.len(), 18 * 400);
}

#[test]
fn a_killed_process_and_a_clock_set_back_repeat_no_place() {
    let home = tempfile::tempdir().unwrap();
    let (mut seen, mut drawn) = (HashSet::new(), 0);
    for now in [900_000, 899_000, 899_000, 905_000, 900_500] {
        let nonces = process(home.path());
        let lane = source(&nonces, Counting::Once, now);
        for step in 0..1_000 {
            seen.insert(draw(&lane, now + step));
            drawn += 1;
        }
        drop(lane);
        kill(nonces, home.path());
    }
    assert_eq!(seen.len(), drawn);
}

#[test]
fn a_place_past_what_is_on_the_disk_has_to_be_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let lane = source(&process(home.path()), Counting::Once, 900_000);
    draw(&lane, 900_000);
    assert!(lane.draw(900_001).is_some());
    assert!(lane.draw(1_200_000).is_none(), "a machine that stopped now would place there again");
    lane.wait(1_200_000, LIMIT).unwrap();
    assert!(lane.draw(1_200_001).is_some());
}

#[test]
fn a_process_asks_once_for_a_key() {
    let home = tempfile::tempdir().unwrap();
    let nonces = process(home.path());
    for counting in [MS, Counting::Once] {
        let (one, other) = (source(&nonces, counting, 9), source(&nonces, counting, 9));
        assert_ne!(draw(&one, 9), draw(&other, 9));
    }
    let names = fs::read_dir(home.path()).unwrap().map(|file| file.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["SHA256-a_b-c.lane-0", "SHA256-a_b-c.ms"]);
}

#[test]
fn what_cannot_be_kept_is_told_and_goes_on_with_the_clock() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    for keeping in [Keeping::Unknown, Keeping::In { path: file.join("x"), named: true }] {
        let nonces = Nonces::new(keeping, Replica::ALONE);
        let (source, problem) = nonces.source(KEY, (MS, false), 70).unwrap();
        assert!(problem.is_some());
        assert_eq!([draw(&source, 70), draw(&source, 60), draw(&source, 90)], [70, 71, 90]);
        assert!(nonces.source(KEY, (Counting::Once, false), 70).unwrap().1.is_some());
        assert!(nonces.order(KEY).unwrap().1.is_some());
    }
    let named = Nonces::new(Keeping::In { path: file, named: true }, Replica::ALONE);
    assert!(
        named.source(KEY, (MS, false), 70).is_err(),
        "a named directory that is unsafe is an error"
    );
    let quiet = Nonces::default();
    assert!(quiet.source(KEY, (MS, false), 70).unwrap().1.is_none());
}

#[test]
fn a_turn_is_one_of_all_processes() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let home = tempfile::tempdir().unwrap();
    let (one, other) = (process(home.path()), process(home.path()));
    let (one, other) = (one.order(KEY).unwrap().0, other.order(KEY).unwrap().0);
    runtime.block_on(async {
        let taken = one.take().await.unwrap();
        let waits = Duration::from_millis(20);
        assert!(tokio::time::timeout(waits, other.take()).await.is_err());
        assert!(tokio::time::timeout(waits, one.take()).await.is_err());
        drop(taken);
        drop(tokio::time::timeout(LIMIT, other.take()).await.unwrap().unwrap());
        drop(tokio::time::timeout(LIMIT, one.take()).await.unwrap().unwrap());
    });
}

#[test]
fn numbers_of_other_units_and_keys_are_others() {
    let home = tempfile::tempdir().unwrap();
    let nonces = process(home.path());
    let unit = |per_ms, ms| Counting::Increasing(Unit { per_ms, ms });
    for (counting, number) in [
        (unit(1, 1), 100_000),
        (unit(1000, 1), 100_000_000),
        (unit(1_000_000, 1), 100_000_000_000),
        (unit(1, 1000), 100),
    ] {
        let source = source(&nonces, counting, 100_000);
        assert_eq!([draw(&source, 100_000), draw(&source, 100_000)], [number, number + 1]);
    }
    let (source, _) = nonces.source("SHA256:other", (MS, false), 90).unwrap();
    assert_eq!(draw(&source, 90), 90);
}

#[test]
fn a_state_that_fails_gives_no_number() {
    let home = tempfile::tempdir().unwrap();
    let nonces = process(home.path());
    let source = source(&nonces, MS, 100);
    draw(&source, 100);
    fs::write(home.path().join("SHA256-a_b-c.ms"), "of another program").unwrap();
    assert_eq!(source.draw(101), None);
    let problem = source.wait(101, LIMIT).unwrap_err();
    assert!(problem.what.contains("SHA256-a_b-c.ms cannot be used"), "{problem}");
}

#[test]
fn a_lock_that_nobody_lets_go_of_is_waited_for_as_long_as_is_allowed() {
    let home = tempfile::tempdir().unwrap();
    let nonces = process(home.path());
    let source = source(&nonces, MS, 100);
    let directory = Directory::open(home.path(), false).unwrap();
    let other = record::Record::open(&directory, "SHA256-a_b-c.ms").unwrap();
    let locked = other.try_lock().unwrap().unwrap();
    assert_eq!(source.draw(101), None);
    let problem = source.wait(101, Duration::from_millis(5)).unwrap_err();
    assert!(problem.what.contains("somebody else has had it for 5ms"), "{problem}");
    drop(locked);
    assert!(source.draw(101).is_some());
}
