//! Routes of declared schemes: what leaves the program is what an origin, which computes MACs by
//! itself, takes for signed.

use aws_lc_rs::hmac::{HMAC_SHA256, HMAC_SHA512, Key, sign};
use base16ct::lower::encode_string as hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::support::client::{Client, curl};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, echo};
use crate::support::proxy::{Proxy, countersign};
use crate::support::verify::Arrived;
use crate::support::wait::DEADLINE;

/// A time stamp and a signature in a JSON body.
pub(crate) const JSON: &str = r#"
format = 1
summary = "HMAC in a JSON body"
host = "json.test"

[keys.signer]
algorithms = ["hmac_sha256"]

[values]
time = { clock = "unix_ms" }
signature = { sign = "{body}{header.x-note}", key = "signer", as = "hex" }

[place.json]
time = { number = "{time}" }
signature = "{signature}"

[[vectors]]
source = "Python's hmac"
now = "2025-11-28T13:50:00.123Z"
keys.signer = "json-secret"
request = { method = "POST", target = "/", headers = { X-Note = "" }, body = '{"signature":"x","a": 1}' }
expect.body = '{"signature":"3870c4940c428dc2ad896f792940013624db2421c3aa732522577ddaa1dda441","a": 1,"time":1764337800123}'
"#;

/// A route of a declared scheme with a key and the secrets that it needs, to `origin`.
pub(crate) fn route(name: &str, algorithm: &str, secrets: &[&str], origin: &str) -> String {
    let bound: Vec<String> = secrets.iter().map(|own| format!("{own} = \"{own}\"")).collect();
    format!(
        "[schemes.{name}]\nfile = \"{name}.toml\"\n\
         [keys.{name}]\nstore = \"files\"\nentry = \"{name}.secret\"\nalgorithm = \"{algorithm}\"\n\
         [routes.{name}]\nhost = \"{name}.test\"\nscheme = \"{name}\"\n\
         keys = {{ signer = \"{name}\" }}\nsecrets = {{ {} }}\nupstream = \"{name}\"\n\
         [upstreams.{name}]\nurl = \"{origin}\"\n",
        bound.join(", ")
    )
}

const KRAKEN: &str =
    "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";

fn home(origin: &str) -> Home {
    let secrets = "[secrets.api_key]\nstore = \"files\"\nentry = \"api_key\"\n\
                   [secrets.passphrase]\nstore = \"files\"\nentry = \"passphrase\"\n";
    let home = Home::new(&config::proxy(&[
        secrets.to_owned(),
        route("okx", "hmac_sha256", &["api_key", "passphrase"], origin),
        route("binance", "hmac_sha256", &["api_key"], origin),
        route("kraken", "hmac_sha512", &["api_key"], origin),
        route("json", "hmac_sha256", &[], origin),
    ]));
    for (file, text) in [
        ("okx.toml", include_str!("../schemes/okx.toml")),
        ("binance.toml", include_str!("../schemes/binance.toml")),
        ("kraken.toml", include_str!("../schemes/kraken.toml")),
        ("json.toml", JSON),
        ("keys/okx.secret", "okx-secret"),
        ("keys/binance.secret", "binance-secret"),
        ("keys/kraken.secret", KRAKEN),
        ("keys/json.secret", "json-secret"),
        ("keys/api_key", "the-api-key"),
        ("keys/passphrase", "pass phrase"),
    ] {
        home.write(file, text);
    }
    home
}

/// What arrives when curl, whose proxy this is, asks with these arguments.
fn arrived(proxy: &Proxy, origin: &Origin, arguments: &[&str]) -> Arrived {
    let before = origin.arrived().len();
    let output = curl([&["--fail", "--proxy", proxy.forward_url()], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", proxy.output());
    origin.arrived().into_iter().nth(before).expect("a request arrived")
}

fn mac(secret: &str, text: &str) -> Vec<u8> {
    sign(&Key::new(HMAC_SHA256, secret.as_bytes()), text.as_bytes()).as_ref().to_vec()
}

/// A request's query and body, without the last field, which must be the signature.
fn signed(text: &str) -> (&str, &str) {
    text.rsplit_once("&signature=").expect("the signature stands last")
}

#[test]
fn curl_needs_no_change_for_headers_query_form_and_json() {
    let origin = Origin::start(echo());
    let mut proxy = Proxy::start_in(home(&origin.url()), &[]);

    let got = arrived(
        &proxy,
        &origin,
        &["http://okx.test/api/v5/balance?ccy=a%2Cb", "-H", "OK-ACCESS-KEY: mine"],
    );
    let time = got.once("ok-access-timestamp").expect("once");
    let text = format!("{time}GET/api/v5/balance?ccy=a%2Cb");
    assert_eq!(got.once("ok-access-sign"), Ok(&*STANDARD.encode(mac("okx-secret", &text))));
    assert_eq!(got.once("ok-access-key"), Ok("the-api-key"));

    let got = arrived(
        &proxy,
        &origin,
        &["http://binance.test/api/v3/order?b=%2f&signature=x&timestamp=1"],
    );
    let query = got.target.strip_prefix("/api/v3/order?").expect("the path is kept");
    let (before, rest) = query.split_once("&signature=").expect("in its place");
    let (signature, after) = rest.split_once('&').expect("in its place");
    assert!(before == "b=%2f" && after.starts_with("timestamp=17"), "{query}");
    assert_eq!(signature, hex(&mac("binance-secret", &format!("{before}&{after}"))));

    let got = arrived(
        &proxy,
        &origin,
        &["http://binance.test/api/v3/order", "--data", "a=1&timestamp=1&signature=x"],
    );
    let body = String::from_utf8(got.body.clone()).expect("text");
    let (before, signature) = signed(&body);
    assert_eq!(got.target, "/api/v3/order");
    assert_eq!(signature, hex(&mac("binance-secret", before)));
    assert_eq!(got.once("content-length"), Ok(&*body.len().to_string()));

    let mut nonces = Vec::new();
    for _ in 0..3 {
        let got =
            arrived(&proxy, &origin, &["http://kraken.test/0/private/X", "--data", "nonce=5&a=+"]);
        let body = String::from_utf8(got.body.clone()).expect("text");
        let nonce = body.strip_prefix("nonce=").and_then(|rest| rest.strip_suffix("&a=+"));
        let nonce = nonce.expect("the form is kept");
        let hashed = Sha256::digest(format!("{nonce}{body}"));
        let key = Key::new(HMAC_SHA512, &STANDARD.decode(KRAKEN).expect("base64"));
        let mac = sign(&key, &[b"/0/private/X", &hashed[..]].concat());
        assert_eq!(got.once("api-sign"), Ok(&*STANDARD.encode(mac)));
        nonces.push(nonce.parse::<u64>().expect("a number"));
    }
    assert!(nonces.is_sorted_by(|one, next| one < next), "{nonces:?}");

    let got = arrived(
        &proxy,
        &origin,
        &[
            "http://json.test/x",
            "-H",
            "X-Note: n",
            "-H",
            "Content-Type: application/json",
            "--data",
            r#"{"a": 1.0 }"#,
        ],
    );
    let body = String::from_utf8(got.body.clone()).expect("text");
    let (before, rest) = body.split_once(r#","signature":""#).expect("behind the last member");
    let signature = rest.strip_suffix("\" }").expect("the end is kept");
    assert!(before.starts_with(r#"{"a": 1.0,"time":17"#), "{body}");
    assert_eq!(signature, hex(&mac("json-secret", &format!("{before} }}n"))));
    let written = proxy.finish(DEADLINE);
    assert!(written.contains("countersign::request") && !written.contains("-secret"), "{written}");
}

#[test]
fn headers_are_written_in_the_letters_of_the_file() {
    let origin = Origin::start(echo());
    let proxy = Proxy::start_in(home(&origin.url()), &[]);
    let get = "GET http://okx.test/x HTTP/1.1\r\nHost: okx.test\r\nok-access-KEY: mine\r\n\r\n";
    let post =
        "POST http://kraken.test/x HTTP/1.1\r\nHost: kraken.test\r\nContent-Length: 0\r\n\r\n";
    let mut client = Client::connect(proxy.forward_url());
    // The second of each on a connection that has served before.
    for request in [get, post, get, post] {
        assert_eq!(client.exchange(request).status, 200, "{}", proxy.output());
    }
    let okx = ["OK-ACCESS-KEY", "OK-ACCESS-PASSPHRASE", "OK-ACCESS-SIGN", "OK-ACCESS-TIMESTAMP"];
    let arrived = origin.arrived();
    for (request, expected) in
        arrived.iter().zip([&okx[..], &["API-Key", "API-Sign"]].iter().cycle())
    {
        let names = request.headers.iter().map(|(name, _)| name.as_str());
        let mut names: Vec<&str> = names.filter(|name| name.contains('-')).collect();
        names.retain(|name| !name.starts_with("Content-"));
        names.sort_unstable();
        assert_eq!(names, **expected);
    }
    assert_eq!(arrived.len(), 4);
}

/// Coinone's body is the base64 of the program's JSON, with the key's name and a nonce in it.
#[test]
fn a_body_that_the_file_makes_is_what_arrives() {
    let origin = Origin::start(echo());
    let route = route("coinone", "hmac_sha512", &["api_key"], &origin.url());
    let route = route.replace("[schemes.coinone]\nfile = \"coinone.toml\"\n", "");
    let secret = "[secrets.api_key]\nstore = \"files\"\nentry = \"api_key\"\n".to_owned();
    let home = Home::new(&config::proxy(&[secret, route]));
    home.write("keys/api_key", "the-api-key");
    home.write("keys/coinone.secret", "mixed-Case");
    let proxy = Proxy::start_in(home, &[]);
    let json = ["-H", "Content-Type: application/json", "--data"];
    let own = STANDARD.encode(r#"{"access_token":"dummy","nonce":"1","a":1.0}"#);
    for body in [r#"{"a": 1.0}"#, &own] {
        let arguments = [&["http://coinone.test/v2.1/x"], &json[..], &[body]].concat();
        let got = arrived(&proxy, &origin, &arguments);
        let payload = got.once("x-coinone-payload").expect("once");
        assert_eq!(got.body, payload.as_bytes());
        let said = STANDARD.decode(payload).expect("base64");
        let said = String::from_utf8(said).expect("text");
        let nonce = said.strip_prefix(r#"{"access_token":"the-api-key","nonce":""#);
        let nonce = nonce.and_then(|rest| rest.strip_suffix(r#"","a":1.0}"#));
        assert!(nonce.is_some_and(|nonce| nonce.len() == 36), "{said}");
        let tag = sign(&Key::new(HMAC_SHA512, b"MIXED-CASE"), payload.as_bytes());
        assert_eq!(got.once("x-coinone-signature"), Ok(&*hex(tag.as_ref())));
    }
}

#[test]
fn secrets_that_stand_in_query_or_body_are_shown_to_nobody() {
    let post = "POST /exchange/v1/x HTTP/1.1\r\nHost: crypto_com.test\r\n\
                Content-Type: application/json\r\nContent-Length: 41\r\n\r\n\
                {\"id\":1,\"method\":\"private/x\",\"params\":{}}";
    let get = "GET /v1/order?symbol=x HTTP/1.1\r\nHost: htx.test\r\n\r\n";
    for (name, request) in [("htx", get), ("crypto_com", post)] {
        let route = route(name, "hmac_sha256", &["api_key"], "http://127.0.0.2:9");
        let route = route.replace(&format!("[schemes.{name}]\nfile = \"{name}.toml\"\n"), "");
        let secret = "[secrets.api_key]\nstore = \"files\"\nentry = \"api_key\"\n".to_owned();
        let home = Home::new(&config::proxy(&[secret, route]));
        home.write("keys/api_key", "placed-in-the-open");
        home.write(&format!("keys/{name}.secret"), "never-placed");
        home.write("request.http", request);
        let path = |name: &str| home.path(name).to_string_lossy().into_owned();
        let (config, file) = (path("proxy.toml"), path("request.http"));
        no_secret_is_held(&home, request);
        for form in [&[][..], &["--json"]] {
            let said = countersign(&[&["explain", &config, "--file", &file], form].concat());
            assert_eq!(said.status.code(), Some(0), "{said:?}");
            let text = String::from_utf8(said.stdout).expect("text");
            assert!(text.contains("(secret)"), "{text}");
            for hidden in ["placed-in-the-open", "never-placed"] {
                assert!(!text.contains(hidden), "{text}");
                assert!(!text.contains(&hex(hidden.as_bytes())), "{text}");
            }
        }
    }
}

/// Nor in what a running proxy holds of its requests.
fn no_secret_is_held(home: &Home, request: &str) {
    let origin = Origin::start(echo());
    let written = std::fs::read_to_string(home.path("proxy.toml")).expect("it is there");
    let written = written.replace("http://127.0.0.2:9", &origin.url());
    let own = Home::new(&format!("{written}\n[inspect]\nkeep = 9\nbodies = true\n"));
    for name in ["api_key", "htx.secret", "crypto_com.secret"] {
        if let Ok(secret) = std::fs::read_to_string(home.path(format!("keys/{name}"))) {
            own.write(&format!("keys/{name}"), &secret);
        }
    }
    let proxy = Proxy::start_in(own, &[]);
    let (head, host) = request.split_once(" /").expect("a path");
    let name = host.split_once("Host: ").and_then(|(_, rest)| rest.split_once("\r\n"));
    let request = format!("{head} http://{}/{host}", name.expect("a Host").0);
    assert_eq!(Client::connect(proxy.forward_url()).exchange(request).status, 200);
    let page = |path: &str| String::from_utf8(proxy.probe(path).body).expect("text");
    let list: serde_json::Value = serde_json::from_str(&page("/requests")).expect("JSON");
    let one = page(&format!("/request?id={}", list[0]["id"].as_str().expect("an id")));
    assert!(one.contains("(secret)"), "{one}");
    for hidden in ["placed-in-the-open", "never-placed"] {
        assert!(!one.contains(hidden) && !one.contains(&hex(hidden.as_bytes())), "{one}");
    }
}

#[test]
fn what_is_written_twice_is_refused() {
    let origin = Origin::start(echo());
    let proxy = Proxy::start_in(home(&origin.url()), &[]);
    for (arguments, code) in [
        (vec!["http://binance.test/x?timestamp=1&timestamp=2"], "query_unsignable"),
        (vec!["http://binance.test/x?signature=1", "--data", "signature=2"], "query_unsignable"),
        (
            vec!["http://kraken.test/x", "-H", "Content-Type: text/plain", "--data", "a"],
            "body_unsignable",
        ),
        (vec!["http://json.test/x", "--data", "[]"], "body_unsignable"),
        (vec!["http://json.test/x", "--data", "{}"], "value_unsignable"),
    ] {
        let output = curl([&["--proxy", proxy.forward_url()], &arguments[..]].concat());
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(code), "{arguments:?}: {said}");
    }
    assert_eq!(origin.arrived().len(), 0);
}

#[test]
fn every_problem_of_every_file_is_told_in_one_run() {
    let okx = include_str!("../schemes/okx.toml");
    let home = home("http://127.0.0.1:9");
    let placed = okx.replace("SIGN = \"{signature}\"", "SIGN = \"{signer}\"");
    let mut config = std::fs::read_to_string(home.path("proxy.toml")).expect("it is there");
    for (name, text) in [
        ("vector", okx.replace("texts.signature = \"2025", "texts.signature = \"2026")),
        ("word", okx.replace("{method}", "{methd}")),
        ("circle", okx.replace("{ clock = \"iso_ms\" }", "\"{signature}\"")),
        ("placed", placed),
        ("unread", okx.replace("SIGN = \"{signature}\"", "SIGN = \"{time}{signature}\"")),
    ] {
        home.write(&format!("{name}.toml"), &text);
        config.push_str(&format!("[schemes.{name}]\nfile = \"{name}.toml\"\n"));
    }
    home.write("proxy.toml", &config);
    let path = home.path("proxy.toml").display().to_string();
    let output = countersign(&["check", &path]);
    let said = String::from_utf8_lossy(&output.stderr).replace(&path.replace("proxy.toml", ""), "");
    for expected in [
        "vector.toml:39:19: the text of signature differs at byte 3, which came from {time}: \
         \"2025-11-28T13:50:00\" and not \"2026-11-28T13:50:00\"\n  \
         fix: mend the value, or the vector's text\n",
        "word.toml:14:29: \"methd\" is no source, value, secret or param\n  fix: write method\n",
        "circle.toml:13:8: time goes in a circle: time needs signature needs time\n  \
         fix: take one of them from what the program sent, or remove a hole\n",
        "placed.toml:20:19: signer is a key, which no text can contain\n  \
         fix: write {signer.public}, or key = \"signer\" in sign, hash or jwt\n",
        "unread.toml:20:1: OK-ACCESS-SIGN cannot be read back: two holes stand side by side\n  \
         fix: put a character between them that the first cannot contain\n",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    // What follows from a placed key and a circle is told besides.
    assert!(said.starts_with("countersign: 8 problems in the configuration\n"), "{said}");
    assert_eq!(output.status.code(), Some(78), "{said}");
}

/// A file whose claims cannot be read back, or accept what nobody signed, would show here: `demo`
/// has no code for any of these.
#[test]
fn every_file_of_the_catalogue_is_played_against_a_stand_in() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/schemes");
    let mut names = Vec::new();
    for file in std::fs::read_dir(directory).expect("it can be listed") {
        let path = file.expect("it can be listed").path();
        let text = std::fs::read_to_string(&path).expect("it is text");
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        // Keys of RSA take seconds each to make.
        if !text.contains("rsa_pkcs1_sha256") || name == "wechat_pay" {
            names.push(name);
        }
    }
    let arguments = ["demo", "--once"].into_iter().chain(names.iter().map(String::as_str));
    let output = countersign(&arguments.collect::<Vec<_>>());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !said.contains("WRONG"), "{said}");
    for name in &names {
        let signed = format!("\n{name}: the request of ");
        let unsigned = format!("\n{name}, past the proxy: nobody signs\n");
        assert!(said.contains(&signed) && said.contains(&unsigned), "{name}: {said}");
    }
    let count = |verdict: &str| said.matches(verdict).count();
    assert!(names.len() >= 39, "{names:?}");
    assert_eq!(count("  verdict    401 Unauthorized refused\n"), names.len());
    assert!(count("  verdict    200 OK accepted\n") >= 2 * names.len(), "{said}");
}
