//! Web pages in a browser whose proxy this is, or that reaches the gateway: none has a request signed,
//! whatever the browser leaves out on plain-http URLs; and programs that only look like one do.

mod chromium;

use std::process::Command;

use crate::clients::installed;
use crate::support::client::{curl, run};
use crate::support::doors::{DOORS, Doors};

const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                      Chrome/156.0.0.0 Safari/537.36";
const ORIGINS: &str = "[access]\norigins = [\"http://wallet.example\"]\n";

/// The origin of what a request is addressed to.
fn own(doors: &Doors, door: &str) -> String {
    match door {
        "gateway" => doors.proxy.gateway_url().to_owned(),
        "TLS in a CONNECT" => "https://apiv2.metasv.com".to_owned(),
        _ => "http://apiv2.metasv.com".to_owned(),
    }
}

#[test]
fn what_bears_a_browsers_marks_is_refused_by_every_way() {
    let doors = Doors::new("", ORIGINS);
    let marks = |own: &str| {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        [
            "Referer: http://evil.example/\r\n".to_owned(),
            "Referer: https://evil.example/page\r\nUser-Agent: curl/8\r\n".to_owned(),
            format!("Referer: {own}.evil.example/\r\n"),
            format!("Referer: {own}/\r\nReferer: http://evil.example/\r\n"),
            "Referer: http://wallet.example/\r\n".to_owned(),
            "Upgrade-Insecure-Requests: 1\r\n".to_owned(),
            format!("User-Agent: {CHROME}\r\nAccept-Language: en-US,en;q=0.9\r\n"),
            format!("User-Agent: {firefox}\r\nAccept-Language: de\r\n"),
            "User-Agent: Opera/9.80 (X11; Linux) Presto/2.12\r\nAccept-Language: de\r\n".to_owned(),
            // A page can empty the one, and not the other.
            format!("User-Agent: {CHROME}\r\nAccept-Language:\r\n"),
            format!("User-Agent: curl/8\r\nUser-Agent: {CHROME}\r\nAccept-Language: de\r\n"),
            // A redirect keeps the Referer of the page that it began at.
            format!("Referer: {own}/\r\nUser-Agent: {CHROME}\r\nAccept-Language: de\r\n"),
            format!("Referer: {own}/\r\nUpgrade-Insecure-Requests: 1\r\n"),
        ]
    };
    let mut refused = 0;
    for door in DOORS {
        for headers in marks(&own(&doors, door)) {
            let reply = doors.ask(door, "GET", "/x", headers.as_bytes());
            let problem = reply.json();
            let found = (reply.status, &problem["code"]);
            assert_eq!(found, (403, &"cross_site".into()), "{door}: {headers:?}");
            let remedy = problem["remedy"].as_str().expect("it says what to do");
            assert!(remedy.contains("Accept-Language"), "{remedy}");
            refused += 1;
        }
    }
    assert_eq!((refused, doors.origin.connections()), (52, 0));
}

#[test]
fn what_bears_half_of_them_or_says_where_it_is_from_is_signed() {
    let doors = Doors::new("", ORIGINS);
    let browser = format!(
        "User-Agent: {CHROME}\r\nAccept-Language: de\r\nUpgrade-Insecure-Requests: 1\r\n\
         Referer: http://wallet.example/\r\n"
    );
    let axios = "Accept: application/json, text/plain, */*\r\nUser-Agent: axios/1.21.1\r\n\
                 Accept-Encoding: gzip, compress, deflate, br\r\n";
    let node = "connection: keep-alive\r\naccept: */*\r\naccept-language: *\r\n\
                sec-fetch-mode: cors\r\nuser-agent: node\r\naccept-encoding: gzip, deflate\r\n";
    let mut signed = 0;
    for door in DOORS {
        let own = own(&doors, door);
        for headers in [
            axios.to_owned(),
            node.to_owned(),
            format!("User-Agent: {CHROME}\r\n"),
            "Accept-Language: de\r\n".to_owned(),
            "User-Agent: python-requests/2 Mozilla/5.0\r\nAccept-Language: de\r\n".to_owned(),
            format!("Referer: {own}/docs\r\n"),
            "Referer:\r\n".to_owned(),
            // What no page can write, and no redirect keeps.
            format!("{browser}Origin: http://wallet.example\r\n"),
            format!("{browser}Origin: {own}\r\n"),
            format!("{browser}Sec-Fetch-Site: none\r\n"),
            format!("{browser}Sec-Fetch-Site: same-origin\r\n"),
        ] {
            let reply = doors.ask(door, "GET", "/x", headers.as_bytes());
            assert_eq!(reply.status, 200, "{door}: {headers:?}");
            signed += 1;
        }
    }
    assert_eq!((signed, doors.origin.arrived().len()), (44, 44));
}

#[test]
fn programs_that_borrow_a_browsers_name_are_signed_for() {
    let doors = Doors::new("", "");
    let (forward, gateway) = (doors.proxy.forward_url(), doors.proxy.gateway_url());
    let url = "http://apiv2.metasv.com/x";
    let output = curl(["--fail", "-x", forward, "-A", CHROME, url]);
    assert!(output.status.success(), "{output:?}");

    let script = "import sys, requests; requests.get(sys.argv[1], headers={'User-Agent': \
                  sys.argv[2]}, timeout=60).raise_for_status()";
    let mut python = Command::new(installed("venv/bin/python"));
    python.args(["-c", script, url, CHROME]).env("http_proxy", forward);
    let output = run(&mut python);
    assert!(output.status.success(), "{output:?}");

    // Node's own fetch, through the gateway and by the proxy of its environment.
    let script = "for (const url of process.argv.slice(1)) { const answer = await fetch(url); \
                  if (!answer.ok) { console.error(await answer.text()); process.exitCode = 1 } }";
    let mut node = Command::new(installed("bin/node"));
    node.args(["--input-type=module", "-e", script, &format!("{gateway}/metasv/x"), url]);
    node.env("NODE_USE_ENV_PROXY", "1").env("http_proxy", forward).env("no_proxy", "127.0.0.1");
    let output = run(&mut node);
    assert!(output.status.success(), "{output:?}");

    let arrived = doors.origin.arrived();
    let agents: Vec<_> = arrived.iter().map(|one| one.values("User-Agent")).collect();
    assert_eq!(agents, [[CHROME], [CHROME], ["node"], ["node"]]);
    let fetched = arrived[2].values("Accept-Language");
    assert_eq!((fetched, arrived[2].values("Sec-Fetch-Mode")), (vec!["*"], vec!["cors"]));
}
