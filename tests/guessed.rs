//! `schemes new --from`: requests of the catalogue's providers, as they are sent, and their key are
//! all that it is given; the file that it writes then has to sign another request of the provider,
//! of which the catalogue says what it must become.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use toml::{Table, Value};

use crate::support::home::Home;
use crate::support::proxy::countersign;

/// Providers that are found: which vectors are captured, which one is signed afterwards, and what
/// else is said.
const FOUND: &[(&str, &[usize], usize, &[&str])] = &[
    ("okx", &[2], 3, &[]),
    ("bybit", &[0], 1, &[]),
    ("binance", &[2], 3, &[]),
    ("binance_ed25519", &[0], 1, &[]),
    ("coinbase_exchange", &[0], 1, &[]),
    ("bitget", &[0], 1, &[]),
    ("kucoin", &[0], 1, &[]),
    ("gate", &[0], 1, &[]),
    ("mexc", &[0], 1, &[]),
    ("mexc_contract", &[0], 1, &[]),
    ("deribit", &[0], 1, &[]),
    // That it expires five seconds later is seen with the time alone.
    ("bitmex", &[0], 1, &["--at", "1764337800123"]),
    ("bitfinex", &[0], 1, &[]),
    // The instruction stands nowhere in the request.
    ("backpack", &[1], 2, &["--param", "instruction=orderQueryAll"]),
    ("cobo_waas2", &[0], 1, &[]),
    ("wechat_pay", &[0], 1, &[]),
    ("kraken", &[0], 1, &[]),
    ("coinbase", &[0], 1, &[]),
    ("binance_rsa", &[0], 1, &[]),
    ("bybit_rsa", &[0], 1, &[]),
    ("bitgo_v2", &[0], 1, &[]),
    ("coinex", &[1], 0, &[]),
];

/// Providers whose form the search does not try, and what it lacks.
const NOT_FOUND: &[(&str, &str)] = &[
    ("aliyun_acs3", "lists of headers"),
    ("aliyun_rpc", "a suffix of the key"),
    ("apex", "a secret that is the base64 of what is issued"),
    ("apple", "one vector, and no other to sign; its audience is an identifier to the search"),
    ("aws_s3", "derived keys"),
    ("aws_s3_unsigned", "derived keys"),
    ("aws_sigv4", "derived keys"),
    ("aws_sigv4_session", "derived keys"),
    ("azure_shared_key", "lists of headers"),
    ("bitgo", "a constant in the text"),
    ("bitstamp", "words in the text, and a header of the request"),
    ("btcbox", "a secret that is the MD5 of what is issued"),
    ("cobo_custody", "digests for a key, sorted fields of a form"),
    ("coinex_hash", "a secret inside a hash"),
    ("coinone", "a body that is made whole"),
    ("crypto_com", "members of JSON"),
    ("cryptomus", "a secret inside a hash"),
    ("fireblocks", "a target whose brackets are escaped"),
    ("gemini", "JSON in a header"),
    ("google", "a claim that is a list of scopes"),
    ("htx", "constants in the query"),
    ("kraken_futures", "a path behind the hash of the body"),
    ("oauth1", "a suffix of the key"),
    ("oauth1_sha1", "a suffix of the key"),
    ("ovh", "a secret inside a hash"),
    ("rfc9421", "lines of components"),
    ("tencent_tc3", "derived keys"),
    ("turnkey", "JSON in a header"),
    ("upbit", "claims that are left out"),
    ("web_bot_auth", "lines of components"),
];

#[test]
fn every_provider_of_the_catalogue_is_found_or_has_a_reason() {
    let listed = FOUND.iter().map(|row| row.0).chain(NOT_FOUND.iter().map(|row| row.0));
    let listed: Vec<String> = listed.map(str::to_owned).collect();
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemes"));
    let names = files.expect("it is there").map(|file| file.expect("it is read").path());
    let names: BTreeSet<String> =
        names.map(|path| path.file_stem().expect("a name").to_string_lossy().into()).collect();
    assert_eq!(listed.len(), names.len());
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), names);
    assert!(FOUND.len() >= 10);
}

#[test]
fn files_are_found_that_sign_other_requests_of_their_provider() {
    let mut failed = Vec::new();
    for (name, captured, other, more) in FOUND {
        if let Err(what) = Trial::new(name).run(captured, *other, more) {
            failed.push(format!("{name}: {what}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

struct Trial {
    name: &'static str,
    scheme: Table,
    home: Home,
}

impl Trial {
    fn new(name: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemes/{name}.toml"));
        let text = fs::read_to_string(path).expect("the catalogue has it");
        let more = FURTHER.iter().find(|(own, _)| *own == name).map_or("", |(_, text)| text);
        let scheme = format!("{text}\n{more}").parse().expect("it is TOML");
        Self { name, scheme, home: Home::new("") }
    }

    fn run(&self, captured: &[usize], other: usize, more: &[&str]) -> Result<(), String> {
        let mut arguments = vec!["schemes".to_owned(), "new".to_owned()];
        for index in captured {
            let file = format!("{index}.http");
            self.home.write(&file, &self.raw(&self.sent(*index)));
            arguments.extend(["--from".to_owned(), self.path(&file)]);
        }
        let vector = self.vector(captured[0]);
        let key = text(&vector["keys"]["signer"]);
        self.home.write("keys/key", &key);
        let file = self.path("found.toml");
        let rest = ["--secret", &self.path("keys/key"), "--out", &file];
        arguments.extend(rest.map(str::to_owned));
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = countersign(&arguments);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let written = fs::read_to_string(&file).expect("it was written");
        // The catalogue's keys and identifiers are captured ones here.
        assert!(!written.contains(key.trim()), "{}: the key is in {written}", self.name);
        for (name, value) in &self.sent(captured[0]).headers {
            let open = value.len() < 6 || value.bytes().all(|byte| byte.is_ascii_digit());
            let label = name.to_ascii_lowercase();
            let id = label.contains("key") || label.contains("sign") || label.contains("phrase");
            assert!(open || !id || !written.contains(value.as_str()), "{}: {name}", self.name);
        }
        self.home.write("found.toml", &(written.clone() + &self.adapted(&written, other, more)));
        let output = countersign(&["schemes", "test", &file]);
        if output.status.success() {
            return Ok(());
        }
        let whole = fs::read_to_string(&file).expect("it is there");
        Err(String::from_utf8_lossy(&output.stderr).into_owned() + &whole)
    }

    fn path(&self, name: &str) -> String {
        self.home.path(name).to_string_lossy().into_owned()
    }

    fn vector(&self, index: usize) -> &Table {
        let vectors = self.scheme["vectors"].as_array().expect("a list");
        vectors[index].as_table().expect("a table")
    }

    /// A vector's request as it is sent: signed.
    fn sent(&self, index: usize) -> Sent {
        let vector = self.vector(index);
        let (request, expect) = (&vector["request"], &vector["expect"]);
        let now = instant(&text(&vector["now"]));
        let mut headers = Vec::new();
        for (name, place) in places(&self.scheme) {
            let given = expect.get("headers").and_then(|own| own.get(&name));
            let own = request.get("headers").and_then(|own| own.get(&name));
            let value = match given.or_else(|| own.filter(|_| !place.contains("signature"))) {
                Some(value) => text(value),
                None => self.made(vector, &place, now),
            };
            headers.push((name, value));
        }
        if let Some(kind) = request.get("headers").and_then(|own| own.get("Content-Type")) {
            headers.push(("Content-Type".into(), text(kind)));
        }
        let part = |name: &str| expect.get(name).or_else(|| request.get(name)).map(text);
        Sent {
            method: text(&request["method"]),
            target: part("target").expect("there is one"),
            headers,
            body: part("body").unwrap_or_default(),
        }
    }

    /// What stands in a placement that a vector says nothing of.
    fn made(&self, vector: &Table, place: &str, now: u64) -> String {
        let name = place.trim_matches(['{', '}']);
        if let Some(secret) = vector.get("secrets").and_then(|own| own.get(name)) {
            return text(secret);
        }
        let param = |own: &Value| own.get(name)?.get("default").map(text);
        if let Some(param) = self.scheme.get("params").and_then(param) {
            return param;
        }
        if place == "{signer.public}" {
            return text(&self.vector(0)["expect"]["headers"]["Biz-Api-Key"]);
        }
        if place == "Bearer {token}" {
            return format!("Bearer {}", token(vector));
        }
        match self.scheme["values"].get(name).and_then(|own| own.get("clock")).map(text).as_deref()
        {
            Some("unix_ms") => now.to_string(),
            Some("unix") => (now / 1000).to_string(),
            _ if !place.contains('{') => place.to_owned(),
            other => panic!("{}: {place} is {other:?}", self.name),
        }
    }

    fn raw(&self, sent: &Sent) -> String {
        let mut raw = format!("{} {} HTTP/1.1\r\n", sent.method, sent.target);
        let _infallible = write!(raw, "Host: {}\r\n", text(&self.scheme["host"]));
        for (name, value) in &sent.headers {
            let _infallible = write!(raw, "{name}: {value}\r\n");
        }
        let _infallible = write!(raw, "Content-Length: {}\r\n\r\n{}", sent.body.len(), sent.body);
        raw
    }

    /// Another vector of the catalogue, under the names of the file that was found.
    fn adapted(&self, written: &str, other: usize, more: &[&str]) -> String {
        let found: Table = written.parse().expect("it is TOML");
        let (vector, sent) = (self.vector(other), self.sent(other));
        let mut own = Table::new();
        for name in ["now", "nonce", "keys", "request"] {
            if let Some(value) = vector.get(name) {
                own.insert(name.into(), value.clone());
            }
        }
        own.insert("source".into(), "the catalogue".into());
        let mut secrets = Table::new();
        for (name, place) in found.get("secrets").and_then(Value::as_table).into_iter().flatten() {
            let label = text(place);
            let label = label.trim_start_matches("Sent as ").trim_end_matches('.');
            secrets.insert(name.clone(), self.secret(vector, &sent, label).into());
        }
        own.insert("secrets".into(), secrets.into());
        if more.contains(&"--param") {
            own.insert("params".into(), vector["params"].clone());
            own["params"].as_table_mut().expect("a table").remove("window");
        }
        own.insert("expect".into(), expected(vector, &sent, &found).into());
        let mut whole = Table::new();
        whole.insert("vectors".into(), vec![Value::from(own)].into());
        "\n".to_owned() + &toml::to_string(&whole).expect("it can be written")
    }

    /// What a provider's console has issued, by the header, parameter or claim that it stands in.
    fn secret(&self, vector: &Table, sent: &Sent, label: &str) -> String {
        let header = sent.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(label));
        if let Some((_, value)) = header {
            return value.trim_start_matches("Bearer ").to_owned();
        }
        let inner = sent.headers.iter().find_map(|(_, value)| {
            let (_, rest) = value.split_once(&format!("{label}="))?;
            let end = if rest.starts_with('"') { '"' } else { ',' };
            rest.trim_start_matches('"').split(end).next().map(str::to_owned)
        });
        inner.unwrap_or_else(|| text(&vector["secrets"]["key_name"]))
    }
}

struct Sent {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// What a file that was found must make of another request.
fn expected(vector: &Table, sent: &Sent, found: &Table) -> Table {
    if vector["expect"].get("jwt").is_some() {
        return vector["expect"].as_table().expect("a table").clone();
    }
    let mut expect = Table::new();
    let mut headers = Table::new();
    for (name, _) in places(found) {
        let value = sent.headers.iter().find(|(own, _)| *own == name).expect("it is sent");
        headers.insert(name, value.1.clone().into());
    }
    expect.insert("headers".into(), headers.into());
    for (name, value) in [("target", &sent.target), ("body", &sent.body)] {
        if vector["expect"].get(name).is_some() {
            expect.insert(name.into(), value.clone().into());
        }
    }
    expect
}

fn places(scheme: &Table) -> Vec<(String, String)> {
    let headers = scheme["place"].get("headers").and_then(Value::as_table).expect("a table");
    headers.iter().map(|(name, place)| (name.clone(), text(place))).collect()
}

/// The token that a vector describes, signed with its key.
fn token(vector: &Table) -> String {
    let part = |name: &str| {
        let json = serde_json::to_string(&vector["expect"]["jwt"]["token"][name]).expect("JSON");
        URL_SAFE_NO_PAD.encode(json)
    };
    let signed = format!("{}.{}", part("header"), part("claims"));
    let pem = text(&vector["keys"]["signer"]);
    let base64: String = pem.lines().filter(|line| !line.contains("---")).collect();
    let der = STANDARD.decode(base64).expect("PEM");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).expect("a key");
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).expect("it signs");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Milliseconds since 1970 of the vectors' instants, which are few.
fn instant(text: &str) -> u64 {
    let known = [
        ("2025-11-28T13:50:00.123Z", 1_764_337_800_123),
        ("2025-11-28T13:50:00Z", 1_764_337_800_000),
        ("2021-03-23T09:39:36.594Z", 1_616_492_376_594),
    ];
    let found = known.iter().find(|(own, _)| *own == text);
    found.map_or(0, |(_, unix_ms)| *unix_ms)
}

/// Vectors of providers of which the catalogue has but one.
const FURTHER: &[(&str, &str)] = &[
    (
        "kraken",
        r#"
[[vectors]]
source = "Python's hmac and hashlib, over the text that Kraken's documents describe"
now = "2021-03-23T09:39:36.594Z"
keys.signer = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
secrets.api_key = "k"
request = { method = "POST", target = "/0/private/Balance", body = "nonce=1&asset=XBT" }
expect.body = "nonce=1616492376594&asset=XBT"
expect.headers.API-Sign = "ndZHEdgJJBJpAOOlwZnspIjoxqpuYJJcIe++v2ODM9jXuknTYRlxQKoVtXNwQIVsTvJQudexLX43vtBpFB2MFg=="
"#,
    ),
    (
        "coinbase",
        r#"
[[vectors]]
source = "the claims that Coinbase's documents describe"
now = "2025-11-28T13:50:00Z"
nonce = "00000000000000000000000000000001"
keys.signer = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgoWqFGXQBjY5yIpWh
eOjx3yx/XJ0kSe+mK4HJfnEdeM2hRANCAAT1CgnpVO9S9eh4Jh1T9ayr5hcKokhL
TD+u6MPOoVsFuVhk/On18DOGqQ9zGyvtQmGEDnLvnn8NXl0zEObfX0Z6
-----END PRIVATE KEY-----"""
secrets.key_name = "organizations/1/apiKeys/3"
request = { method = "POST", target = "/api/v3/brokerage/orders", body = '{"a":1}' }
expect.jwt.token.header = { alg = "ES256", typ = "JWT", kid = "organizations/1/apiKeys/3", nonce = "00000000000000000000000000000001" }
expect.jwt.token.claims = { iss = "cdp", sub = "organizations/1/apiKeys/3", nbf = 1764337800, exp = 1764337920, uri = "POST api.coinbase.com/api/v3/brokerage/orders" }
"#,
    ),
];
