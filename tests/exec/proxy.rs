//! Which proxy a program is sent to, and that its requests are signed there.

use std::fs;

use serde_json::Value;

use super::run::{Desk, err};
use crate::support::authority::Authority;
use crate::support::config::{self, INTERCEPT};
use crate::support::origin::{Origin, echo, providers};
use crate::support::proxy::{Proxy, Signal};
use crate::support::stage::{METASV, SINOHOPE};
use crate::support::wait::DEADLINE;

#[test]
fn requests_of_a_program_are_signed_by_a_proxy_of_its_own() {
    let desk = Desk::new("");
    let url = format!("{SINOHOPE}/v1/test?b=2&a=1");
    let output = desk.run(&curl(&[], &url));
    let body: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert!(output.status.success() && body["ok"] == true, "{output:?}");
    let (before, after) = said_at(&err(&output));
    assert_eq!(before, "a proxy for this program alone");
    assert_eq!(
        after,
        "signs for apiv2.metasv.com, api.sinohope.com; other hosts are refused \
         (access.unrouted = \"pass\" lets them through)"
    );
    assert_eq!(desk.origin.arrived().len(), 1);
}

#[test]
fn what_was_refused_is_said_at_the_end() {
    let desk = Desk::new("");
    let script = "curl -s http://elsewhere.example/ >/dev/null; \
        curl -s http://elsewhere.example/ >/dev/null";
    let output = desk.run(&["--", "sh", "-c", script]);
    let said = err(&output);
    let line =
        "\ncountersign: refused 2 requests, host_not_routed: Add a [routes.NAME] with this host";
    assert!(said.contains(line), "{said}");
    assert!(said.contains("\ncountersign: 2 requests came through: 2 refused\n"), "{said}");
    assert_eq!(said.lines().count(), 3, "{said}");
    let output = desk.run(&["--quiet", "--", "sh", "-c", script]);
    assert_eq!(err(&output), "");
}

#[test]
fn the_proxy_that_runs_is_used_unless_an_own_one_is_wanted() {
    let desk = Desk::new("");
    let mut proxy = running(&desk);
    let config = serving(&desk, &proxy);
    let url = format!("{METASV}/xpubs");
    let whose = |options: &[&str]| {
        let output = desk.run(&curl(&[&["--config", &config], options].concat(), &url));
        assert!(output.status.success(), "{output:?}");
        said_at(&err(&output)).0
    };
    assert_eq!(whose(&[]), "the proxy that runs");
    proxy.await_metric("countersign_requests_total{route=\"metasv\",outcome=\"signed\"}", 1);
    assert_eq!(whose(&["--own"]), "a proxy for this program alone");
    assert_eq!(desk.origin.arrived().len(), 2);
    assert_eq!(proxy.metric("countersign_requests_total{route=\"metasv\",outcome=\"signed\"}"), 1);
    proxy.signal(Signal::Terminate);
    proxy.wait_exit(DEADLINE);
    assert_eq!(whose(&[]), "a proxy for this program alone");
}

#[test]
fn what_runs_with_other_routes_or_is_another_server_is_not_used() {
    let desk = Desk::new("");
    // Countersign, but with one route less.
    let config = config::proxy(&[config::sinohope(&desk.origin.url(), None)]);
    let other = Proxy::start(&config);
    // A server that answers everything with 200.
    let server = Origin::start(echo());
    let address = server.url().trim_start_matches("http://").to_owned();
    let listeners =
        |forward: &str, admin: &str| format!("\nforward = \"{forward}\"\nadmin = \"{admin}\"\n");
    let (forward, admin) = (bare(other.forward_url()), bare(other.admin_url()));
    for listeners in [listeners(forward, admin), listeners("127.0.0.1:1", &address)] {
        desk.home.write("other.toml", &desk.listening(&listeners));
        let output = desk.run(&["--config", "other.toml", "--", "true"]);
        assert_eq!(said_at(&err(&output)).0, "a proxy for this program alone");
        let passed_over = err(&output).contains(" has not the configuration in other.toml, so");
        assert_eq!(passed_over, listeners.contains(admin), "{}", err(&output));
    }
    assert_eq!(server.arrived().len(), 1, "it was asked");
}

#[test]
fn a_proxy_that_runs_with_another_upstream_is_not_used_until_it_has_this_one() {
    let desk = Desk::new("");
    let proxy = running(&desk);
    let sandbox = Origin::start(providers());
    // The same routes, keys and listeners: only where the requests go is another place.
    serving(&desk, &proxy);
    let text = |name: &str| fs::read_to_string(desk.home.path(name)).expect("it is there");
    let moved = |text: &str| text.replace(&desk.origin.url(), &sandbox.url());
    desk.home.write("sandbox.toml", &moved(&text("run.toml")));
    let url = format!("{METASV}/xpubs");
    let whose = |config: &str| {
        let output = desk.run(&curl(&["--config", config], &url));
        assert!(output.status.success(), "{output:?}");
        said_at(&err(&output)).0
    };
    let arrived = || (desk.origin.arrived().len(), sandbox.arrived().len());
    assert_eq!(whose("sandbox.toml"), "a proxy for this program alone");
    assert_eq!(arrived(), (0, 1));
    assert_eq!(whose("run.toml"), "the proxy that runs");
    assert_eq!(arrived(), (1, 1));
    proxy.reload(&moved(&text("proxy.toml")), true);
    assert_eq!(whose("run.toml"), "a proxy for this program alone");
    assert_eq!(arrived(), (2, 1));
    assert_eq!(whose("sandbox.toml"), "the proxy that runs");
    assert_eq!(arrived(), (2, 2));
}

#[test]
fn a_configuration_is_the_same_however_it_is_written_and_another_with_other_files() {
    let desk = Desk::new(INTERCEPT);
    let replace_authority = || {
        let ca = Authority::new();
        desk.home.write(config::CA_FILE, &ca.pem());
        desk.home.write(config::CA_KEY_FILE, &ca.key_pem());
    };
    replace_authority();
    let proxy = running(&desk);
    let text = fs::read_to_string(desk.home.path("proxy.toml")).expect("it is there");
    let text = text.replacen(config::LISTENERS, &listeners_of(&proxy), 1);
    desk.home.write("run.toml", &format!("# The same, with a remark.\n{text}"));
    let path = desk.home.path("run.toml");
    let whose = || {
        let mut command = desk.exec(&["--config", &path.to_string_lossy(), "--", "true"]);
        let output = command.current_dir("/").output().expect("the binary can be run");
        said_at(&err(&output)).0
    };
    assert_eq!(whose(), "the proxy that runs");
    // What the proxy has read is not what a program would be told to trust.
    replace_authority();
    assert_eq!(whose(), "a proxy for this program alone");
}

#[test]
fn where_tokens_are_asked_for_the_program_shows_one() {
    let desk = Desk::new(config::TOKENS);
    desk.home.write(config::TOKENS_FILE, &config::client_tokens(&[("my app", "p@ss:w/rd")]));
    let url = format!("{METASV}/xpubs");
    let run = |options: &[&str], variable: Option<&str>| {
        let mut command = desk.exec(&curl(options, &url));
        command.env_remove("COUNTERSIGN_TOKEN").envs(variable.map(|v| ("COUNTERSIGN_TOKEN", v)));
        command.output().expect("the binary can be run")
    };
    for (options, variable, code, says) in [
        (&[] as &[&str], None, 64, "access.tokens wants a token, and there is none\n"),
        (&[], Some("p@ss"), 64, "the token has no name before it\n"),
        (&[], Some("my app:wrong"), 64, "the proxy does not take the token of \"my app\"\n"),
        (&["--token", "other:p@ss:w/rd"], None, 64, "does not take the token of \"other\"\n"),
        (&["--token", "my app:p@ss:w/rd"], Some("my app:wrong"), 0, "signs for"),
        (&[], Some("my app:p@ss:w/rd"), 0, "signs for"),
    ] {
        let output = run(options, variable);
        let said = err(&output);
        assert_eq!(output.status.code(), Some(code), "{options:?} {variable:?}: {said}");
        assert!(said.contains(says), "{said}");
        assert!(!said.contains("p@ss") && !said.contains("wrong"), "{said}");
    }
    assert_eq!(desk.origin.arrived().len(), 2);
}

#[test]
fn the_proxy_that_runs_is_asked_whether_it_takes_the_token() {
    let desk = Desk::new(config::TOKENS);
    let tokens = config::client_tokens(&[("app", "t0ken")]);
    desk.home.write(config::TOKENS_FILE, &tokens);
    let proxy = running(&desk);
    let listeners = listeners_of(&proxy);
    let text = fs::read_to_string(desk.home.path("proxy.toml")).expect("it is there");
    let text = text.replacen(config::LISTENERS, &listeners, 1);
    desk.home.write("run.toml", &text);
    for (token, code) in [("app:t0ken", 0), ("app:other", 64)] {
        let output = desk.run(&["--config", "run.toml", "--token", token, "--", "true"]);
        assert_eq!(output.status.code(), Some(code), "{}", err(&output));
        let runs = err(&output).contains("the proxy that runs");
        assert!(runs || err(&output).contains("does not take"), "{}", err(&output));
    }
}

/// These options of ours, and curl with nothing but a URL.
fn curl<'a>(options: &[&'a str], url: &'a str) -> Vec<&'a str> {
    [options, &["--", "curl", "--disable", "-sS", "--fail-with-body", url]].concat()
}

/// A proxy that runs with the desk's own configuration.
fn running(desk: &Desk) -> Proxy {
    Proxy::start_in(desk.home.clone(), &[])
}

/// The name of a configuration with the addresses this proxy has.
fn serving(desk: &Desk, proxy: &Proxy) -> String {
    desk.home.write("run.toml", &desk.listening(&listeners_of(proxy)));
    "run.toml".to_owned()
}

fn listeners_of(proxy: &Proxy) -> String {
    let (forward, admin) = (bare(proxy.forward_url()), bare(proxy.admin_url()));
    format!("\nforward = \"{forward}\"\nadmin = \"{admin}\"\n")
}

fn bare(url: &str) -> &str {
    url.trim_start_matches("http://")
}

/// The line that says which proxy it is, without the address: what stands before it and after.
fn said_at(said: &str) -> (String, String) {
    let mut lines = said.lines().filter_map(|line| line.strip_prefix("countersign: "));
    let parts = lines.find_map(|line| line.split_once(", at 127.0.0.1:"));
    let (before, rest) = parts.unwrap_or_else(|| panic!("{said}"));
    let after = rest.split_once(", ").map_or("", |(_, after)| after);
    (before.to_owned(), after.to_owned())
}
