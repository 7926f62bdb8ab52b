//! A token in a file that another process renews, as a snapshot sees it.

use std::fs;
use std::os::unix::fs::symlink;

use countersign::config::Config;
use countersign::snapshot::{Snapshot, Surroundings};
use tokio::runtime::Runtime;

use super::{HeaderMap, NOW_MS, handshake, token};
use crate::support::config;
use crate::support::home::Home;
use crate::support::wait::eventually;

#[test]
fn a_watched_token_is_taken_up_when_it_changes_and_refused_while_it_is_bad() {
    let home = home("watch = true\n");
    let runtime = runtime();
    let snapshot = snapshot(&runtime, &home);
    let (second, third) = (good(r#"{"exp":1700003602}"#), good(r#"{"exp":1700003603}"#));
    assert_eq!(sent(&snapshot), Ok(first()));

    replace(&home, &second);
    eventually("the second token is in use", || sent(&snapshot) == Ok(second.clone()));
    replace(&home, "Bearer x");
    eventually("a bad one is refused", || sent(&snapshot).is_err());
    let why = sent(&snapshot).expect_err("it is bad");
    assert_eq!(why, "the secret in secrets.token starts with \"Bearer \"");
    replace(&home, &second);
    eventually("the second token is back", || sent(&snapshot) == Ok(second.clone()));

    home.write("keys/third.jwt", &third);
    symlink("third.jwt", home.path("keys/link")).expect("a link can be made");
    fs::rename(home.path("keys/link"), home.path("keys/infras.jwt")).expect("it can be renamed");
    eventually("the link is followed", || sent(&snapshot) == Ok(third.clone()));

    // A snapshot in use by a request is one that is watched; then the task is gone.
    assert_eq!(runtime.metrics().num_alive_tasks(), 1);
    drop(snapshot);
    eventually("nothing watches any more", || runtime.metrics().num_alive_tasks() == 0);
}

#[test]
fn a_token_that_is_a_member_of_a_file_is_watched_too() {
    let home = home("watch = true\n");
    let config = fs::read_to_string(home.path("proxy.toml")).expect("it is there");
    home.write("proxy.toml", &config.replace("infras.jwt", "infras.json#token"));
    let json = |token: &str| format!("{{\"token\":\"{token}\"}}");
    home.write("keys/infras.json", &json(&first()));
    let runtime = runtime();
    let snapshot = snapshot(&runtime, &home);
    assert_eq!(sent(&snapshot), Ok(first()));
    // Twice: a secret is read once more soon after the start, whether its file is watched or not.
    for expiry in [1_700_003_602, 1_700_003_603] {
        let next = good(&format!(r#"{{"exp":{expiry}}}"#));
        home.write("keys/new", &json(&next));
        fs::rename(home.path("keys/new"), home.path("keys/infras.json")).expect("it is renamed");
        eventually("the next token is in use", || sent(&snapshot) == Ok(next.clone()));
    }
}

#[test]
fn a_token_that_is_not_watched_needs_no_task() {
    let home = home("");
    let runtime = runtime();
    let snapshot = snapshot(&runtime, &home);
    assert_eq!(sent(&snapshot), Ok(first()));
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
}

/// The token that a handshake would carry.
fn sent(snapshot: &Snapshot) -> Result<String, String> {
    let route = snapshot.routes.named("infras").expect("there is a route");
    let scheme = route.scheme.signing().expect("the scheme signs requests");
    let sent = handshake(scheme, &HeaderMap::new(), NOW_MS);
    let arrived = sent.map_err(|error| error.to_string())?;
    arrived.once("Sec-WebSocket-Infras-Token").map(str::to_owned)
}

fn snapshot(runtime: &Runtime, home: &Home) -> Snapshot {
    let config = Config::load(&home.path("proxy.toml"));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let built = runtime.block_on(Snapshot::build(&config, &Surroundings::default(), None));
    built.unwrap_or_else(|errors| panic!("{errors}"))
}

/// Puts a token in place the way that leaves no moment without one.
fn replace(home: &Home, token: &str) {
    home.write("keys/new", &format!("{token}\n"));
    fs::rename(home.path("keys/new"), home.path("keys/infras.jwt")).expect("it can be renamed");
}

fn home(more: &str) -> Home {
    let home = Home::new(&config::proxy(&[format!(
        r#"
[secrets.infras_token]
store = "files"
entry = "infras.jwt"
{more}
[routes.infras]
host = "api.infras.online"
scheme = "infras"
secrets = {{ token = "infras_token" }}
params = {{ src = "0" }}
"#
    )]));
    home.write("keys/infras.jwt", &first());
    home
}

fn first() -> String {
    good(r#"{"exp":1700003601}"#)
}

fn good(payload: &str) -> String {
    token(r#"{"alg":"RS256"}"#, payload)
}

/// One that goes on by itself.
fn runtime() -> Runtime {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    built.expect("a runtime can be made")
}
