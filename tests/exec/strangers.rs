//! Other users of the machine: none has a request signed by the proxy of an `exec`, unless the program
//! gave it the token, and none passes for the proxy that runs.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::run::{Desk, err, out};
use crate::access::users::nobody;
use crate::clients::{installed, program};
use crate::support::authority::Authority;
use crate::support::config::{self, CA_FILE, CA_KEY_FILE, INTERCEPT};
use crate::support::proxy::Proxy;
use crate::support::stage::METASV;

#[test]
fn the_proxy_of_a_program_signs_for_its_user_and_for_whom_it_gave_the_token() {
    let desk = Desk::new("[log]\nlevel = \"trace\"\n");
    // By forward listener, inside a CONNECT, and by the gateway; without the token, then with it.
    let script = r#"
        nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH="$PATH" "$@"; }
        ask() {
            as=$1 proxy=$2
            $as curl --disable -s -o /dev/null -w '%{http_code}\n' -x $proxy $0/forward
            $as curl --disable -s -o /dev/null -w '%{http_connect}\n' -x $proxy -p $0/inside
            $as curl --disable -s -o /dev/null -w '%{http_code}\n' $COUNTERSIGN_GATEWAY/metasv/gateway
        }
        bare=http://${HTTP_PROXY##*[@/]}
        for as in env nobody; do ask $as $bare; done
        ask nobody $HTTP_PROXY
        port=${bare##*:}
        nobody bash -c 'exec 3<>/dev/tcp/127.0.0.1/'$port'
            printf "GET '$0'/left HTTP/1.1\r\nHost: h\r\n\r\n" >&3; exec 3>&-'
        ask env $bare
        echo ${HTTP_PROXY%@*}
    "#;
    let output = desk.run(&["--", "sh", "-c", script, METASV]);
    let (said, logged) = (out(&output), err(&output));
    let lines: Vec<_> = said.lines().collect();
    let (ours, theirs, given) = (["200"; 3], ["407"; 3], ["200", "200", "407"]);
    assert_eq!(lines[..12], [ours, theirs, given, ours].concat(), "{logged}");
    let targets: Vec<_> = desk.origin.arrived().into_iter().map(|one| one.target).collect();
    let three = ["/forward", "/inside", "/gateway"];
    assert_eq!(targets, [&three[..], &three[..2], &three[..]].concat());
    let token = lines[12].rsplit(':').next().unwrap_or_default();
    assert!(token.len() == 64 && logged.contains("client=\"exec\""), "{logged}");
    assert!(!logged.contains(token), "{logged}");
}

#[test]
fn programs_show_the_token_that_is_in_their_proxys_url() {
    let desk = Desk::new(INTERCEPT);
    let ca = Authority::new();
    desk.home.write(CA_FILE, &ca.pem());
    desk.home.write(CA_KEY_FILE, &ca.key_pem());
    let path = |name: &str| program(name).to_string_lossy().into_owned();
    let binary = |name: &str| installed(name).to_string_lossy().into_owned();
    let python =
        |library: &str| vec![binary("venv/bin/python"), path("get.py"), library.to_owned()];
    let wget = "wget -q -O /dev/null $0 && echo 200";
    let curl = ["curl", "--disable", "-sS", "-o", "/dev/null", "-w", "%{http_code}\n"];
    let url = format!("{METASV}/xpubs?a=1");
    let programs = [
        curl.map(str::to_owned).to_vec(),
        python("requests"),
        python("httpx"),
        python("aiohttp"),
        python("urllib"),
        vec![binary("bin/node"), path("get.mjs")],
        ["sh", "-c", wget].map(str::to_owned).to_vec(),
    ];
    // Another user, who may read what the program reads: the token is all that lets it in.
    let other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let other = [&other[..], &["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]];
    let mut arrived = 0;
    for command in &programs {
        for url in [url.clone(), url.replace("http:", "https:")] {
            let mut arguments = vec!["--quiet".to_owned(), "--".to_owned()];
            arguments.extend(other.concat().iter().map(|word| (*word).to_owned()));
            arguments.extend(command.iter().cloned().chain([url.clone()]));
            let output = desk.run(&arguments);
            assert_eq!(out(&output), "200\n", "{command:?} {url}: {}", err(&output));
            arrived += 1;
            assert_eq!(desk.origin.arrived().len(), arrived, "{command:?} {url}");
        }
    }
}

#[test]
fn who_holds_the_admin_port_is_not_believed_unless_it_is_whom_we_know() {
    let desk = Desk::new(config::TOKENS);
    desk.home.write(config::TOKENS_FILE, &config::client_tokens(&[("app", "t0ken")]));
    // What anybody may ask the proxy as long as it runs.
    let ready = Proxy::start_in(desk.home.clone(), &[]).probe("/readyz").json();
    let mut squatter = Squatter::start(ready["configuration"].as_str().expect("a digest"));
    let text = std::fs::read_to_string(desk.home.path("proxy.toml")).expect("it is there");
    let run = |user: &str| {
        let listeners = format!(
            "\nforward = \"{}\"\nadmin = \"{}\"\n{user}\n",
            squatter.forward, squatter.admin
        );
        desk.home.write("run.toml", &text.replacen(config::LISTENERS, &listeners, 1));
        let url = format!("{METASV}/xpubs");
        let ours = ["--config", "run.toml", "--token", "app:t0ken", "--"];
        let curl = ["curl", "--disable", "-s", "-m", "20", &url];
        err(&desk.run(&[&ours[..], &curl[..]].concat()))
    };
    for user in ["", "user = \"1001\""] {
        let said = run(user);
        let what = format!("what runs at {} is user 65534's, so it is not used", squatter.admin);
        assert!(said.contains(&what), "{said}");
        assert!(said.contains("write user = \"65534\" below [listen]"), "{said}");
        assert!(said.contains("a proxy for this program alone"), "{said}");
    }
    assert_eq!(desk.origin.arrived().len(), 2);
    let said = run("user = \"65534\"");
    assert!(said.contains("countersign: the proxy that runs, at "), "{said}");
    assert_eq!(desk.origin.arrived().len(), 2);
    let seen = squatter.end();
    let asked: Vec<_> =
        seen.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(asked[..2], ["/readyz"; 2], "{seen}");
    // What was shown to it before it was believed: nothing. Then, the token.
    assert!(seen.lines().take(3).all(|line| !line.contains("Basic")), "{seen}");
    assert!(asked.len() > 3 && seen.contains("Basic"), "{seen}");
}

/// Somebody who has bound the ports of a proxy, and says all that it would say.
struct Squatter {
    child: Child,
    said: BufReader<ChildStdout>,
    admin: String,
    forward: String,
}

impl Squatter {
    fn start(digest: &str) -> Self {
        let mut command: Command = nobody();
        command.args(["python3", "-u", "-c", SQUATTER, digest]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it can be run");
        let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("it says where it listens");
        let ports: Value =
            serde_json::from_str(&line).unwrap_or_else(|why| panic!("{line}: {why}"));
        let place = |at: usize| format!("127.0.0.1:{}", ports[at]);
        Self { child, said, admin: place(0), forward: place(1) }
    }

    /// Ends it; what it was asked for, with the credentials.
    fn end(&mut self) -> String {
        drop(self.child.stdin.take());
        let mut seen = String::new();
        self.said.read_to_string(&mut seen).expect("it ends with its input");
        seen
    }
}

impl Drop for Squatter {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

const SQUATTER: &str = r#"
import http.server, json, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        print(self.path, self.headers.get("Proxy-Authorization"))
        text = json.dumps({"state": "ready", "self_tested_keys": [], "routes": [],
            "configuration": sys.argv[1], "addresses": ["127.0.0.1:%d" % port for port in ports]})
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *_):
        pass
servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
ports = [server.server_address[1] for server in servers]
for server in servers:
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps(ports))
sys.stdin.read()
"#;
