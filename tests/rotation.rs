//! Key rotation on the wire: the next key signs from a time on, or a share of the requests, and is
//! given up where the provider rejects it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use serde_json::json;

use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Answer, Handler, Origin, echo};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, get};
use crate::support::vectors::{load, text};
use crate::support::verify::{Clock, MetaSv};
use crate::support::wait::eventually;

/// How many requests each of the vectors' two keys has signed.
type Signed = Arc<[AtomicUsize; 2]>;

/// MetaSV, which knows both keys of the vectors and accepts those that are said.
fn provider(signed: &Signed, accepts: [bool; 2]) -> Handler {
    let vectors = load("metasv");
    let key =
        |name: &str| text(&vectors, &format!("/keys/{name}/public_key_compressed_hex")).to_owned();
    let verifiers =
        [key("test-a"), key("test-b")].map(|key| MetaSv::signature(&key, Clock::Running));
    let signed = Arc::clone(signed);
    Box::new(move |request| {
        let by = verifiers.iter().position(|verifier| verifier.check(request).is_ok());
        let Some(by) = by else { return status(500) };
        signed[by].fetch_add(1, Ordering::Relaxed);
        status(if accepts[by] { 200 } else { 401 })
    })
}

fn status(status: u16) -> Answer {
    Answer::json(status, &json!({}))
}

fn count(signed: &Signed) -> [usize; 2] {
    [0, 1].map(|key: usize| signed[key].load(Ordering::Relaxed))
}

/// The route signs with the first key; `lines` say when the second one does.
fn configuration(origin: &Origin, lines: &str) -> String {
    let next = format!("[routes.metasv.next]\nkeys = {{ signer = \"other\" }}\n{lines}\n");
    let other = "[keys.other]\nstore = \"files\"\nentry = \"metasv.wif\"\n\n";
    config::proxy(&[config::metasv(&origin.url(), None), other.to_owned(), next])
}

/// So many requests one after the other; the statuses that were answered, 0 where there was no answer:
/// who panicked would be waited for.
fn ask(url: &str, requests: usize) -> Vec<u16> {
    let Ok(mut client) = Client::try_connect(url) else { return vec![0; requests] };
    let mut one = || client.try_send(get(&format!("{METASV}/x"))).and_then(|()| client.try_reply());
    (0..requests).map(|_| one().map_or(0, |reply| reply.status)).collect()
}

#[test]
fn the_next_key_signs_from_its_time_on() {
    let signed = Signed::default();
    let origin = Origin::start(provider(&signed, [true, true]));
    let proxy = Proxy::start(&configuration(&origin, "from = \"2099-01-01T00:00:00Z\""));
    assert_eq!(ask(proxy.forward_url(), 3), [200; 3]);
    assert_eq!(count(&signed), [3, 0]);
    proxy.reload(&configuration(&origin, "from = \"2020-01-01T00:00:00Z\""), true);
    assert_eq!(ask(proxy.forward_url(), 3), [200; 3]);
    assert_eq!(count(&signed), [3, 3]);
    // Which key signed is in the log, as its fingerprint.
    let key = |line: &str| Some(line.split_once(" key=\"")?.1.split('"').next()?.to_owned());
    let logged = || proxy.output().lines().filter_map(key).collect::<Vec<String>>();
    eventually("every request is in the log", || logged().len() == 6);
    let prints = logged();
    assert!(prints[..3].iter().all(|print| *print == prints[0]), "{prints:?}");
    assert!(prints[3..].iter().all(|print| *print == prints[3]), "{prints:?}");
    assert!(prints[0] != prints[3] && prints[0].starts_with("SHA256:"), "{prints:?}");
    let answers = |key: &str| {
        let labels = format!("route=\"metasv\",fingerprint=\"{key}\",answer=\"accepted\"");
        proxy.metric(&format!("countersign_rotation_answers_total{{{labels}}}"))
    };
    assert_eq!([answers(&prints[0]), answers(&prints[3])], [3, 3]);
}

#[test]
fn ten_thousand_requests_go_through_while_keys_rotate() {
    const CLIENTS: usize = 4;
    const EACH: usize = 2_500;
    let signed = Signed::default();
    let origin = Origin::start(provider(&signed, [true, true]));
    let first = config::proxy(&[config::metasv(&origin.url(), None)]);
    let steps = [
        configuration(&origin, "canary = \"5%\""),
        configuration(&origin, "canary = \"50%\""),
        configuration(&origin, "from = \"2020-01-01T00:00:00Z\""),
        first.replace("metasv.hex", "metasv.wif"),
    ];
    let proxy = Proxy::start(&first);
    let (url, statuses) = (proxy.forward_url().to_owned(), Mutex::new(Vec::new()));
    // Everybody waits for the reload, and then the next fifth goes while it is done.
    let phase = Barrier::new(CLIENTS + 1);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut own = Vec::new();
                for _ in 0..=steps.len() {
                    phase.wait();
                    own.extend(ask(&url, EACH / (steps.len() + 1)));
                }
                statuses.lock().expect("no client panicked").extend(own);
            });
        }
        phase.wait();
        for step in &steps {
            phase.wait();
            proxy.reload(step, true);
        }
    });
    let statuses = statuses.into_inner().expect("no client panicked");
    assert_eq!(statuses.len(), CLIENTS * EACH);
    assert!(statuses.iter().all(|status| *status == 200));
    let [old, new] = count(&signed);
    assert_eq!(old + new, CLIENTS * EACH, "each request arrived once");
    // At the end the new key alone signs.
    assert_eq!(ask(proxy.forward_url(), 5), [200; 5]);
    assert_eq!(count(&signed), [old, new + 5]);
    assert!(old > 1_000 && new > 1_000, "{old} and {new}");
}

#[test]
fn a_canary_that_the_provider_rejects_falls_back_and_nothing_is_sent_twice() {
    let signed = Signed::default();
    let origin = Origin::start(provider(&signed, [true, false]));
    let proxy = Proxy::start(&configuration(&origin, "canary = \"20%\""));
    let (url, statuses) = (proxy.forward_url().to_owned(), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let own = ask(&url, 100);
                statuses.lock().expect("no client panicked").extend(own);
            });
        }
    });
    let statuses = statuses.into_inner().expect("no client panicked");
    let rejected = statuses.iter().filter(|status| **status == 401).count();
    // Five are enough to tell, and as many may be under way as there are clients.
    assert!((5..=9).contains(&rejected), "{rejected} were rejected");
    assert_eq!(statuses.len() - rejected, statuses.iter().filter(|status| **status == 200).count());
    assert_eq!(count(&signed), [400 - rejected, rejected], "the rejection was the answer");
    assert_eq!(proxy.metric("countersign_rotation_fallen_back{route=\"metasv\"}"), 1);
    let warnings =
        || proxy.output().lines().filter(|line| line.contains("rejects the next key")).count();
    eventually("it is said", || warnings() == 1);
    // A reload tries it again.
    proxy.reload(&configuration(&origin, "canary = \"50%\""), true);
    assert!(ask(proxy.forward_url(), 4).contains(&401));
}

#[test]
fn a_canary_that_has_ended_signs_everything() {
    let signed = Signed::default();
    let origin = Origin::start(provider(&signed, [true, true]));
    let ended =
        "canary = \"5%\"\nfrom = \"2020-01-01T00:00:00Z\"\nuntil = \"2020-01-02T00:00:00Z\"";
    let proxy = Proxy::start(&configuration(&origin, ended));
    assert_eq!(ask(proxy.forward_url(), 30), [200; 30]);
    assert_eq!(count(&signed), [0, 30]);
}

#[test]
fn what_belongs_to_the_next_key_goes_with_it() {
    let origin = Origin::start(echo());
    let secret = |name: &str| format!("[secrets.{name}]\nstore = \"files\"\nentry = \"{name}\"\n");
    let key = |name: &str| {
        format!(
            "[keys.{name}]\nstore = \"files\"\nentry = \"{name}\"\nalgorithm = \"hmac_sha256\"\n"
        )
    };
    let route = format!(
        "[routes.bybit]\nhost = \"api.bybit.com\"\nscheme = \"bybit\"\nkeys = {{ signer = \"old\" }}\n\
         secrets = {{ api_key = \"old_id\" }}\nparams = {{ recv_window = \"6000\" }}\nupstream = \"o\"\n\
         [upstreams.o]\nurl = \"{}\"\n[routes.bybit.next]\nkeys = {{ signer = \"new\" }}\n\
         secrets = {{ api_key = \"new_id\" }}\nparams = {{ recv_window = \"7000\" }}\n",
        origin.url()
    );
    for (from, id, window) in [("2020", "the new_id", "7000"), ("2099", "the old_id", "6000")] {
        let when = format!("from = \"{from}-01-01T00:00:00Z\"\n");
        let tables =
            [key("old"), key("new"), secret("old_id"), secret("new_id"), route.clone(), when];
        let home = Home::new(&config::proxy(&tables));
        for name in ["old", "new", "old_id", "new_id"] {
            home.write(&format!("keys/{name}"), &format!("the {name}"));
        }
        let proxy = Proxy::start_in(home, &[]);
        let request = get("http://api.bybit.com/v5/account/info");
        assert_eq!(Client::connect(proxy.forward_url()).exchange(request).status, 200);
        let arrived = origin.arrived().pop().expect("it arrived");
        assert_eq!(arrived.once("X-BAPI-API-KEY"), Ok(id));
        assert_eq!(arrived.once("X-BAPI-RECV-WINDOW"), Ok(window));
    }
}
