//! What is said at the end: how many requests came through, and what became of them.

use std::fs;

use super::run::{Desk, err, out};
use crate::support::authority::Authority;
use crate::support::client::Client;
use crate::support::config::{CA_FILE, CA_KEY_FILE, INTERCEPT};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, SINOHOPE, get};

#[test]
fn the_end_says_how_many_requests_came_and_how_many_the_provider_refused() {
    let desk = Desk::new(INTERCEPT);
    let ca = Authority::new();
    desk.home.write(CA_FILE, &ca.pem());
    desk.home.write(CA_KEY_FILE, &ca.key_pem());
    desk.home.write("other.pem", &Authority::new().pem());
    // The provider knows another key of this client's.
    let text = fs::read_to_string(desk.home.path("proxy.toml")).expect("it is there");
    desk.home.write("unknown.toml", &text.replace("metasv.hex", "metasv.wif"));
    let https = METASV.replace("http:", "https:");
    let both = format!("curl -s {METASV}/a; curl -s {SINOHOPE}/b");
    for (config, script, says) in [
        (
            "proxy.toml",
            both.clone(),
            "2 requests came through: 2 signed; the provider rejected none",
        ),
        ("unknown.toml", both, "2 requests came through: 2 signed; the provider rejected 1"),
        ("proxy.toml", format!("curl -s {https}/c"), "1 request came through: 1 signed; "),
        (
            "proxy.toml",
            format!("curl -s --noproxy '*' {METASV}/d"),
            "no request came through: a program that sets a proxy of its own, or heeds none (Node \
             before 22.21), goes past this one; `countersign doctor` tries what is here, and \
             $COUNTERSIGN_GATEWAY/ROUTE/",
        ),
        (
            "proxy.toml",
            format!("curl -s --cacert other.pem {https}/e"),
            "no request came through, though 1 connection came for HTTPS: a program has to trust",
        ),
    ] {
        let script = format!("{{ {script}; }} >/dev/null; echo done");
        let output = desk.run(&["--config", config, "--", "sh", "-c", &script]);
        let said = err(&output);
        let last = said.lines().find(|line| line.contains(" came through"));
        let last = last.unwrap_or_else(|| panic!("{script}: {said}"));
        assert!(last.starts_with(&format!("countersign: {says}")), "{script}: {said}");
        // Nothing of it where a script reads, and nothing at all where it is not wanted.
        assert_eq!((out(&output).as_str(), output.status.code()), ("done\n", Some(0)));
        let output = desk.run(&["--quiet", "--config", config, "--", "sh", "-c", &script]);
        assert_eq!((out(&output).as_str(), err(&output).as_str()), ("done\n", ""));
    }
}

#[test]
fn the_end_counts_what_a_proxy_that_runs_has_taken_meanwhile() {
    let desk = Desk::new("");
    let text = fs::read_to_string(desk.home.path("proxy.toml")).expect("it is there");
    desk.home.write("proxy.toml", &text.replace("metasv.hex", "metasv.wif"));
    let proxy = Proxy::start_in(desk.home.clone(), &[]);
    let [forward, admin] = [proxy.forward_url(), proxy.admin_url()]
        .map(|url| url.trim_start_matches("http://").to_owned());
    let listeners = format!("\nforward = \"{forward}\"\nadmin = \"{admin}\"\n");
    let text = desk.listening(&listeners).replace("metasv.hex", "metasv.wif");
    desk.home.write("run.toml", &text);
    // What others sent before is not this program's.
    let mut other = Client::connect(proxy.forward_url());
    assert_eq!(other.exchange(get(&format!("{METASV}/x"))).status, 401);
    let end = |script: &str| {
        let output = desk.run(&["--config", "run.toml", "--", "sh", "-c", script]);
        let said = err(&output);
        assert!(said.contains("countersign: the proxy that runs, at "), "{said}");
        said.lines().last().unwrap_or_default().to_owned()
    };
    let three = format!("curl -s {METASV}/a {METASV}/b {SINOHOPE}/c");
    for _ in 0..5 {
        assert_eq!(
            end(&three),
            "countersign: 3 requests came through from this program or others: 3 signed; the \
             provider rejected 2"
        );
    }
    assert!(end("true").starts_with("countersign: no request came through: "));
    assert!(end("true").contains(" and with listen.gateway, $COUNTERSIGN_GATEWAY"));
    // One that has stopped cannot say, and nothing is made up.
    let stop = format!("kill {}; while curl -s {admin}/healthz; do sleep 0.05; done", proxy.pid());
    let unknown =
        "countersign: how many requests came through is not known: the proxy does not say";
    assert!(end(&format!("{three}; {stop}")).starts_with(unknown));
}
