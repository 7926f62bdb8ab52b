//! Request targets, hosts and headers: what is signed is of a route that names the host which a naive
//! reader finds in the request, and leaves with the target that was written; what passes unsigned is for
//! no host of a route.

use std::sync::LazyLock;

use countersign::access::Credentials;
use countersign::config::{Config, Unrouted};
use countersign::host::host_and_port;
use countersign::peer::Peer;
use countersign::refusal::Refusal;
use countersign::request::{
    Arrival, Body, Connect, Entrance, Inside, Outgoing, Plan, Sender, Trail, View, asks_for_socket,
};
use countersign::snapshot::{Snapshot, Surroundings};
use http::header::{CONNECTION, HOST};
use http::{Extensions, HeaderMap, Method, Uri, Version};

use super::input::{Input, Message};
use super::lenient::Server;
use super::{Target, corpus, paths};
use crate::support::home::Home;

pub(super) const TARGET: Target = Target {
    name: "requests",
    run,
    seeds,
    words: &[
        "http://",
        "https://",
        "ws://",
        "api.example.com",
        "API.EXAMPLE.COM.",
        "limited.example.com",
        "/v1/..",
        "x.wild.example.com",
        ":80",
        ":443",
        ":8443",
        "@",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0x7f.1",
        "%2e",
        "?",
        "#",
        "//",
        "/limited/v1",
        "/based",
        "/hostless/",
        "\nHost: ",
        "\nConnection: x-hop, ",
        "\nX-HTTP-Method-Override: DELETE",
        "\nX_Original_URL: /v2",
        "\nSec-Fetch-Site: cross-site",
        "\nOrigin: null",
        "\nUpgrade: websocket\nConnection: upgrade",
        "\nmetasv-signature: x",
    ],
    tries: 12_000,
};

fn seeds() -> Vec<Vec<u8>> {
    let hosts = [
        "api.example.com",
        "limited.example.com",
        "x.wild.example.com:80",
        "based.example.com:8443",
    ];
    let mut seeds = Vec::new();
    for (index, (_, _, text)) in corpus::requests().into_iter().enumerate() {
        let host = hosts[index % hosts.len()];
        let (method, rest) = text.split_once(' ').expect("a request has a method");
        seeds.push(format!("\0{method} http://{host}{rest}").into_bytes());
        seeds.push(format!("\u{1}{method} /limited{rest}").into_bytes());
    }
    for text in [
        "\0CONNECT api.example.com:443\nHost: api.example.com:443\n\n",
        "\u{3}CONNECT other.test:443\n\n",
        "\u{2}GET /x?y\nHost: api.example.com\n\n",
        "\u{2}GET api.example.com:443\nHost: api.example.com\n\n",
        "\u{4}GET http://other.test:80?x=/#y\nConnection: keep-alive, X-Hop\nX-Hop: 1\nX-Forwarded-For: 1\n\n",
        "\u{1}POST /hostless/../x\nHost: localhost\nReferer: http://evil.test/\n\n{}",
        "\u{1}GET /based?x\nHost: 127.0.0.1:8081\n\n",
        "\0DELETE http://LIMITED.example.com./v1/a%2Fb\nX-HTTP-Method-Override: GET\n\n",
    ] {
        seeds.push(text.into());
    }
    seeds
}

const ROUTES: &[(&str, &str, &str)] = &[
    ("api", "host = \"api.example.com\"\n", "api.example.com"),
    ("port", "host = \"api.example.com:8443\"\n", "api.example.com"),
    (
        "limited",
        "host = \"limited.example.com\"\npath = \"/v1\"\nmethods = [\"GET\", \"POST\"]\n",
        "limited.example.com",
    ),
    ("wild", "host = \"*.wild.example.com\"\n", "*.wild.example.com"),
    ("six", "host = \"[2001:db8::1]\"\n", "2001:db8::1"),
    ("based", "host = \"based.example.com\"\nupstream = \"based\"\n", "based.example.com"),
    ("hostless", "upstream = \"based\"\n", ""),
];

/// A snapshot with each of [`ROUTES`].
pub(super) static VIEWED: LazyLock<Snapshot> = LazyLock::new(|| {
    let home = Home::new("");
    let mut text = String::from(
        "[listen]\nforward = \"127.0.0.1:0\"\ngateway = \"127.0.0.1:0\"\n[stores.files]\nkind = \"file\"\n\
         dir = \"keys\"\n[keys.metasv]\nstore = \"files\"\nentry = \"metasv.wif\"\n[upstreams.based]\n\
         url = \"https://up.example:8443/base\"\n",
    );
    for (name, lines, _) in ROUTES {
        text.push_str(&format!(
            "[routes.{name}]\n{lines}scheme = \"metasv\"\nkeys = {{ signer = \"metasv\" }}\n"
        ));
    }
    let config = Config::parse(&text, &home.path("proxy.toml"));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let surroundings = Surroundings::default();
    let built = runtime.block_on(Snapshot::build(&config, &surroundings, None));
    built.unwrap_or_else(|errors| panic!("{errors}"))
});

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let way = input.byte();
    let Some(message) = Message::read(input) else { return };
    let Ok(uri) = message.target.parse::<Uri>() else { return };
    let unrouted = if way & 4 == 0 { Unrouted::Refuse } else { Unrouted::Pass };
    let view = View { unrouted, ..VIEWED.view(false) };
    let (name, shown) = ("api.example.com".to_owned(), Credentials::default());
    let inside = Inside { name, port: 443, shown, https: true };
    let entrance = match way % 4 {
        1 => Entrance::Gateway(None),
        2 => Entrance::Inside(&inside),
        _ => Entrance::Forward,
    };
    let sender = Sender {
        entrance,
        peer: Some([127, 0, 0, 1].into()),
        user: Peer::User(0),
        client: Some("fuzzed"),
    };
    let (method, headers) = (message.method.clone(), message.headers.clone());
    let socket = asks_for_socket(&method, Version::HTTP_11, &headers);
    let body = if message.body.is_empty() {
        Body::Absent
    } else {
        Body::Streamed(Some(message.body.len() as u64))
    };
    let version = Version::HTTP_11;
    let arrival =
        Arrival { sender, method, uri, version, headers, spelled: Extensions::new(), body, socket };
    if arrival.is_connect() {
        return connected(Connect::of(view, &arrival, &mut Trail::default()), message.target);
    }
    let asked = match entrance {
        Entrance::Gateway(_) => asked_of_gateway(message.target),
        Entrance::Inside(_) => {
            Some((Some("api.example.com".to_owned()), from_path(message.target)))
        }
        Entrance::Forward | Entrance::Admin(_) => {
            Some((host(message.target), from_path(message.target)))
        }
    };
    match Plan::of(view, arrival, &mut Trail::default()) {
        Err(refusal) => sensible(&refusal, bytes.len()),
        Ok(Plan::Open(sealed)) => panic!("{sealed:?} is of no envelope"),
        Ok(Plan::Pass(outgoing)) => {
            let (name, target) = asked.expect("somewhere it goes");
            let name = name.expect("it names a host");
            assert!(!named(&name), "{name} has a route, and a request passed unsigned");
            assert_eq!(outgoing.signable().head.target.as_str(), target);
            clean(&outgoing, &message.headers);
        }
        Ok(Plan::Sign(unsigned)) => {
            let (name, target) = asked.expect("somewhere it goes");
            let route = &*unsigned.route.name;
            let (_, lines, pattern) = ROUTES.iter().find(|(own, ..)| *own == route).expect("a row");
            if let Some(name) = name {
                assert!(stands_for(pattern, &name), "{route} signs for {name}");
            }
            let base = if lines.contains("upstream") { "/base" } else { "" };
            assert_eq!(
                unsigned.outgoing.signable().head.target.as_str(),
                format!("{base}{target}")
            );
            guarded(&message, route, &target);
            clean(&unsigned.outgoing, &message.headers);
        }
    }
}

/// What must not be signed, whatever else is in a request.
fn guarded(message: &Message<'_>, route: &str, target: &str) {
    let site = message.headers.get("sec-fetch-site");
    assert!(site.is_none_or(|site| site != "cross-site"), "another origin's page had it signed");
    let null = message.headers.get_all("origin").iter().any(|origin| origin == "null");
    assert!(!null, "a sandboxed page had it signed");
    if route != "limited" {
        return;
    }
    assert!(
        [Method::GET, Method::POST].contains(&message.method),
        "{route} signs {}",
        message.method
    );
    paths::inside(target.split('?').next().unwrap_or_default(), Server(0));
    for name in message.headers.keys() {
        let name = name.as_str().replace('_', "-");
        let says = [
            "x-http-method-override",
            "x-method-override",
            "x-http-method",
            "x-original-url",
            "x-rewrite-url",
        ];
        assert!(!says.contains(&name.as_str()), "{name} on a limited route");
    }
}

/// What leaves has one `Host`, and nothing of the client's connection.
fn clean(outgoing: &Outgoing, arrived: &HeaderMap) {
    let head = outgoing.signable().head;
    let hosts: Vec<_> = head.headers.get_all(HOST).iter().collect();
    assert_eq!(hosts, [head.host.as_str()]);
    host_and_port(&head.host).expect("what is sent as Host is a host");
    let listed = arrived.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let listed: Vec<String> = listed
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in head.headers.keys().map(|name| name.as_str()) {
        let plain = name.replace('_', "-");
        let own = ["host", "content-length"].contains(&name);
        assert!(own || !listed.iter().any(|one| one == name), "Connection lists {name}");
        let begins = |prefix: &str| plain.starts_with(prefix);
        let gone =
            ["connection", "te", "upgrade", "keep-alive", "transfer-encoding", "via", "forwarded"];
        assert!(!gone.contains(&&*plain) && !begins("proxy-") && !begins("x-forwarded-"), "{name}");
    }
    assert!(head.headers.get_all("content-length").iter().count() <= 1);
}

fn connected(connect: Result<Connect, Refusal>, target: &str) {
    match connect {
        Err(refusal) => sensible(&refusal, target.len()),
        Ok(Connect::Tunnel { name, .. }) => {
            assert_eq!(host(target), Some(name.clone()));
            assert!(!named(&name), "{name} has a route, and a blind tunnel was dug");
        }
        Ok(Connect::Enter(inside)) => {
            assert_eq!(host(target), Some(inside.name.clone()));
            assert!(named(&inside.name), "{} has no route", inside.name);
        }
    }
}

/// A refusal is words on a line, and no longer than what it is about allows.
fn sensible(refusal: &Refusal, length: usize) {
    let said = format!("{}{}", refusal.detail, refusal.advice());
    assert!(!said.contains(char::is_control), "{said:?}");
    assert!(said.len() < 2_000 + 8 * length, "{} bytes are said of {length}", said.len());
}

/// The host of a URL or an authority, as a naive reader has it: lower-case, without dot, port and brackets.
fn host(target: &str) -> Option<String> {
    let after = target.split_once("://").map_or(target, |(_, rest)| rest);
    let authority = after.split(['/', '?', '#']).next()?.to_ascii_lowercase();
    if let Some(bracketed) = authority.strip_prefix('[') {
        let address: std::net::Ipv6Addr = bracketed.split(']').next()?.parse().ok()?;
        return Some(address.to_string());
    }
    let name = authority.split(':').next()?;
    Some(name.strip_suffix('.').unwrap_or(name).to_owned())
}

/// Path and query of a target, without a fragment; `/` where there is no path.
fn from_path(target: &str) -> String {
    let after = match target.split_once("://").filter(|_| !target.starts_with('/')) {
        Some((_, rest)) => &rest[rest.find(['/', '?', '#']).unwrap_or(rest.len())..],
        None => target,
    };
    let after = after.split('#').next().unwrap_or_default();
    if after.starts_with('/') || after == "*" { after.to_owned() } else { format!("/{after}") }
}

/// The rest of a gateway's path behind the name of its route, which decides the host.
fn asked_of_gateway(target: &str) -> Option<(Option<String>, String)> {
    let path = from_path(target);
    let rest = path.strip_prefix('/')?;
    Some((None, from_path(&rest[rest.find(['/', '?']).unwrap_or(rest.len())..])))
}

/// Whether a route is for this host, on whatever port.
fn named(name: &str) -> bool {
    ROUTES.iter().any(|(.., pattern)| stands_for(pattern, name))
}

fn stands_for(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(below) => {
            name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == below)
        }
        None => !pattern.is_empty() && pattern == name,
    }
}
