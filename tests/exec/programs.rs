//! Real programs that know of no proxy, no signature and no authority, over HTTP and HTTPS.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use countersign::tls::CaCertificate;

use super::run::{Desk, err, out};
use crate::clients::{installed, program};
use crate::support::authority::Authority;
use crate::support::config::{CA_FILE, CA_KEY_FILE, INTERCEPT};
use crate::support::proxy::countersign;
use crate::support::stage::METASV;

#[test]
fn programs_over_http_need_no_change() {
    let desk = Desk::new("");
    // Node 22 sends CONNECT for http:// as well, and inside it plain HTTP.
    assert_signed(&desk, METASV);
}

#[test]
fn programs_over_https_need_no_change() {
    let desk = Desk::new(INTERCEPT);
    let config = desk.home.path("proxy.toml");
    let made = countersign(&["ca", "new", &config.display().to_string()]);
    assert!(made.status.success(), "{made:?}");
    assert_signed(&desk, &METASV.replace("http:", "https:"));
}

#[test]
fn without_intercept_there_is_an_authority_for_as_long_as_the_program_runs() {
    let desk = Desk::new("");
    let script = "curl --disable -sS -o /dev/null -w '%{http_code}\n' $0 && java $1 $0 && \
        cat $NODE_EXTRA_CA_CERTS && grep -rl 'PRIVATE KEY' $(dirname $NODE_EXTRA_CA_CERTS) $TMPDIR";
    let url = format!("{}/xpubs", METASV.replace("http:", "https:"));
    let java = program("Get.java").to_string_lossy().into_owned();
    let before = files(&desk.home.path(""));
    let mut command = desk.exec(&["--quiet", "--", "sh", "-c", script, &url, &java]);
    let output = command.env_remove("NODE_EXTRA_CA_CERTS").output().expect("the binary can be run");
    let said = out(&output);
    let root = said.strip_prefix("200\n200\n200\n");
    let root = root.unwrap_or_else(|| panic!("{said}{}", err(&output)));
    assert_eq!(desk.origin.arrived().len(), 3);
    // Its certificate, and nothing behind it: no file has a key.
    assert!(root.ends_with("-----END CERTIFICATE-----\n"), "{root}");
    let certificate = CaCertificate::read(root.as_bytes()).expect("it is an authority");
    assert_eq!(certificate.trust_anchor_pem(), root, "and the only one");
    let routed = ["apiv2.metasv.com", "api.sinohope.com"];
    assert!(routed.into_iter().all(|host| certificate.permits(host)), "{root}");
    assert!(!certificate.permits("evil.com") && certificate.unlimited().is_none(), "{root}");
    assert_eq!(files(&desk.home.path("")), before);
    assert!(desk.left().is_empty(), "{:?}", desk.left());
}

/// Every file below a directory, but those of nonces.
fn files(directory: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(directory).expect("it can be read");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let paths = paths.filter(|path| !path.ends_with("state"));
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { [path].into() }).collect()
}

#[test]
fn what_a_program_reads_before_the_usual_variables_does_not_lead_past_the_proxy() {
    let desk = Desk::new("");
    let get = |variable: &str, value: &str, command: &[&str]| {
        let mut exec = desk.exec(&[&["--quiet", "--"], command].concat());
        let output = exec.env(variable, value).output().expect("the binary can be run");
        (out(&output), err(&output), desk.origin.arrived().len())
    };
    let url = format!("{METASV}/xpubs");
    let java = program("Get.java").to_string_lossy().into_owned();
    let elsewhere = "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=1";
    let (said, error, arrived) = get("JDK_JAVA_OPTIONS", elsewhere, &["java", &java, &url]);
    assert_eq!((said.as_str(), arrived), ("200\n200\n", 2), "{error}");
    let cargo = ["cargo", "search", "--index", &format!("sparse+{METASV}/index/"), "x"];
    let (_, error, arrived) = get("CARGO_HTTP_PROXY", "http://127.0.0.1:1", &cargo);
    assert_eq!(arrived, 3, "{error}");
}

#[test]
fn the_files_that_programs_trust_are_their_own_and_are_removed() {
    let desk = Desk::new(INTERCEPT);
    let ca = Authority::new();
    desk.home.write(CA_FILE, &ca.pem());
    desk.home.write(CA_KEY_FILE, &ca.key_pem());
    desk.home.write("corporate.pem", "the company's\n");
    let script = "cat $CURL_CA_BUNDLE; stat -c %a $(dirname $CURL_CA_BUNDLE); \
        grep -c BEGIN $NODE_EXTRA_CA_CERTS $SSL_CERT_FILE | sed s/.*://; ls $CURL_CA_BUNDLE";
    let mut command = desk.exec(&["--quiet", "--", "sh", "-c", script]);
    command.env("CURL_CA_BUNDLE", "corporate.pem").env_remove("NODE_EXTRA_CA_CERTS");
    let output = command.output().expect("the binary can be run");
    let said = out(&output);
    let rest = said.strip_prefix("the company's\n").and_then(|rest| rest.strip_prefix(&ca.pem()));
    let rest = rest.unwrap_or_else(|| panic!("{said}{}", err(&output)));
    let lines: Vec<&str> = rest.lines().collect();
    let [mode, for_node, system, path] = lines[..] else { panic!("{rest}") };
    assert_eq!((mode, for_node), ("700", "1"));
    assert!(system.parse::<usize>().is_ok_and(|count| count > 1), "{system} authorities");
    assert!(path.starts_with(&*desk.temporary().to_string_lossy()), "{path}");
    assert!(fs::metadata(path).is_err() && desk.left().is_empty(), "{:?}", desk.left());
}

/// Runs every program with a URL below this, and looks at what arrives.
fn assert_signed(desk: &Desk, host: &str) {
    let url = format!("{host}/xpubs?a=1");
    let path = |name: &str| program(name).to_string_lossy().into_owned();
    let binary = |name: &str| installed(name).to_string_lossy().into_owned();
    let python =
        |library: &str| vec![binary("venv/bin/python"), path("get.py"), library.to_owned()];
    let curl = ["curl", "--disable", "-sS", "-o", "/dev/null", "-w", "%{http_code}\n"];
    let programs = [
        (curl.map(str::to_owned).to_vec(), 1),
        (python("requests"), 1),
        (python("httpx"), 1),
        (python("aiohttp"), 1),
        (python("urllib"), 1),
        (vec![binary("bin/node"), path("get.mjs")], 1),
        (vec!["java".to_owned(), path("Get.java")], 2),
        (["sh", "-c", "wget -q -O /dev/null $0 && echo 200"].map(str::to_owned).to_vec(), 1),
        (["ruby", "-rnet/http", "-e", RUBY].map(str::to_owned).to_vec(), 1),
        (["php", "-r", PHP].map(str::to_owned).to_vec(), 1),
        (["perl", "-MLWP::UserAgent", "-e", PERL].map(str::to_owned).to_vec(), 1),
    ];
    for (command, answers) in programs {
        let before = desk.origin.arrived().len();
        let mut arguments = vec!["--quiet".to_owned(), "--".to_owned()];
        arguments.extend(command.iter().cloned().chain([url.clone()]));
        let output = desk.run(&arguments);
        assert_eq!(out(&output), "200\n".repeat(answers), "{command:?}: {}", err(&output));
        let arrived = desk.origin.arrived();
        assert_eq!(arrived.len(), before + answers, "{command:?}");
        assert!(arrived.iter().all(|one| one.target == "/xpubs?a=1"), "{command:?}");
    }
}

const RUBY: &str = "puts Net::HTTP.get_response(URI(ARGV[0])).code";
const PHP: &str = r#"$c = curl_init($argv[1]); curl_setopt($c, CURLOPT_RETURNTRANSFER, true);
    curl_exec($c); echo curl_getinfo($c, CURLINFO_RESPONSE_CODE), "\n";"#;
const PERL: &str = r#"print LWP::UserAgent->new->get($ARGV[0])->code, "\n""#;
