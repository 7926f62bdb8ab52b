//! Nonces that increase, of replicas that have a lane each: as they arrive, and what is refused beforehand.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::sync::{Arc, Mutex};

use countersign::moment::unix_ms;

use crate::nonces::{KRAKEN_POST, kraken_nonces};
use crate::shared::kraken;
use crate::shared::load::{Load, refused};
use crate::support::home::Home;
use crate::support::origin::{Answer, Handler, Origin, echo};
use crate::support::proxy::{Proxy, Signal, countersign};
use crate::support::redis::Redis;
use crate::support::verify::Arrived;

/// Which process a request is of, its nonce, and when it arrived.
type Seen = Arc<Mutex<Vec<(char, u64, u64)>>>;

fn watching(seen: &Seen) -> Handler {
    let seen = Arc::clone(seen);
    Box::new(move |request: &Arrived| {
        let body = String::from_utf8_lossy(&request.body);
        let from = body.split('&').find_map(|field| field.strip_prefix("a="));
        let from = from.and_then(|from| from.chars().next()).expect("it says whose it is");
        let nonce = kraken_nonces(std::slice::from_ref(request))[0];
        seen.lock().expect("no handler panicked").push((from, nonce, unix_ms()));
        Answer::json(200, &serde_json::json!({}))
    })
}

fn of(process: char) -> String {
    KRAKEN_POST().replace("a=1", &format!("a={process}"))
}

/// The bug: two replicas that have one lane, a successor that begins at the clock, numbers that are used up
/// where they are refused, or a state directory that is used all the same.
#[test]
fn numbers_of_replicas_differ_and_each_ones_increase() {
    let seen = Seen::default();
    let origin = Origin::start(watching(&seen));
    let redis = Redis::start();
    let state = tempfile::tempdir().expect("a directory");
    let variables = [("XDG_STATE_HOME", &*state.path().to_string_lossy())];
    let start = || Proxy::start_in(kraken(&origin, &redis.url(), "", ""), &variables);
    let began = unix_ms();
    let proxies = [start(), start(), start()];
    let load = |proxy: &Proxy, name| Load::of(proxy.forward_url(), of(name));
    let loads = [load(&proxies[0], 'a'), load(&proxies[1], 'b'), load(&proxies[2], 'c')];
    loads.iter().for_each(|load| load.await_more(150));
    proxies[2].signal(Signal::Kill);
    let next = start();
    let fourth = load(&next, 'd');
    fourth.await_more(150);
    loads[..2].iter().for_each(|load| load.await_more(50));
    for load in loads.into_iter().chain([fourth]) {
        let answered = load.end();
        assert!(refused(&answered).is_empty(), "{:?}", refused(&answered));
    }
    let seen = std::mem::take(&mut *seen.lock().expect("no handler panicked"));
    let all: HashSet<u64> = seen.iter().map(|(_, nonce, _)| *nonce).collect();
    assert_eq!(all.len(), seen.len(), "a nonce was used twice");
    let mut each: BTreeMap<char, Vec<(u64, u64)>> = BTreeMap::new();
    for (from, nonce, now) in seen {
        each.entry(from).or_default().push((nonce, now));
    }
    let lanes: HashSet<u64> = each.values().map(|own| own[0].0 % 16).collect();
    assert_eq!((each.len(), lanes.len()), (4, 4), "what was killed has its lane for a while");
    for (from, own) in each {
        assert!(
            own.len() >= 150 && own.is_sorted_by(|one, next| one.0 < next.0),
            "{from}: {own:?}"
        );
        for (count, (nonce, now)) in (1..).zip(&own) {
            assert!(nonce % 16 == own[0].0 % 16 && *nonce >= began, "{from}: {nonce}");
            // A burst runs ahead by a stride for each; a request is not under way for long.
            let (least, most) = (now - 20_000, now + 16 * count + 16);
            assert!((least..=most).contains(nonce), "{from}: {nonce} at {now}, the {count}th");
        }
    }
    let kept = fs::read_dir(state.path()).expect("it is there").flatten().map(|entry| entry.path());
    let kept: Vec<_> = kept.flat_map(fs::read_dir).flatten().flatten().collect();
    assert!(kept.is_empty(), "{kept:?}");
}

fn check(home: &Home, arguments: &[&str]) -> (Option<i32>, String) {
    let path = home.path("proxy.toml").display().to_string();
    let output = countersign(&[&["check"], arguments, &[path.as_str()]].concat());
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// The bug: numbers of a key that come from lanes on one route and from turns on another; seconds whose next
/// number in a lane is past the end of the lease.
#[test]
fn what_lanes_cannot_give_is_refused_where_it_is_written() {
    let origin = Origin::start(echo());
    let redis = Redis::start();
    let mixed = |home: Home| {
        let text = fs::read_to_string(home.path("proxy.toml")).expect("it is there");
        let second = "[routes.second]\nhost = \"second.test\"\nscheme = \"kraken\"\n\
                      keys = { signer = \"kraken\" }\nsecrets = { api_key = \"api_key\" }\n\
                      upstream = \"kraken\"\n";
        home.write("proxy.toml", &format!("{text}{second}"));
        home
    };
    let seconds = |home: Home| {
        let mut file = include_str!("../../schemes/kraken.toml").to_owned();
        // The printed example with seconds; its signature is by Python's hmac.
        let signed = "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==";
        let anew = "28F1XlLdmppzmifj69CgIqA3B7E5GSEpE6eJF90NzIMNzPlNlb8K6ZRWS5pWVKlmJ0uvZY9/r4L69hwpJtvIXA==";
        for (old, new) in [
            ("increasing_ms", "increasing_s"),
            ("nonce=1616492376594&", "nonce=1616492376&"),
            (signed, anew),
        ] {
            assert!(file.contains(old), "{old}");
            file = file.replace(old, new);
        }
        home.write("kraken.toml", &file);
        home
    };
    let written = |ordered: &str| kraken(&origin, &redis.url(), ordered, "");
    for arguments in [&[][..], &["--without-keys"]] {
        for (home, said) in [
            (mixed(written("")), None),
            (
                mixed(written("ordered = true")),
                Some((
                    "routes.kraken is ordered and routes.second is not",
                    "scheme = \"kraken\"",
                    "write ordered = true on routes.second too",
                )),
            ),
            (seconds(written("ordered = true")), None),
            (
                seconds(written("")),
                Some((
                    "the nonces of kraken count seconds",
                    "scheme = \"kraken\"",
                    "write ordered = true",
                )),
            ),
        ] {
            let (code, output) = check(&home, arguments);
            let Some((what, line, fix)) = said else {
                assert_eq!(code, Some(0), "{output}");
                continue;
            };
            assert_eq!(code, Some(78), "{output}");
            let text = fs::read_to_string(home.path("proxy.toml")).expect("it is there");
            let at = (1..).zip(text.lines()).filter(|(_, own)| *own == line).last();
            let at: usize = at.expect("it is written").0;
            for words in [what, fix, &format!("proxy.toml:{at}:")] {
                assert!(output.contains(words), "{words}: {output}");
            }
        }
    }
    let (_, said) = check(&written(""), &[]);
    assert_eq!(said.matches("of two replicas that send at once").count(), 1, "{said}");
    let (_, said) = check(&written("ordered = true"), &[]);
    assert!(!said.contains("nonce window") && !said.contains("replicas"), "{said}");
}
