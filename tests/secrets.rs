//! Keys and tokens stay inside: with every level of the log on, through every kind of request,
//! refusal and reload, none of them is in what the proxy writes or answers.

mod flows;
mod memory;
mod mistakes;
pub(crate) mod search;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::config::Config;
use countersign::keys::{Algorithm, PrivateKey};
use countersign::moment::unix_ms;
use countersign::secret::Secret;
use countersign::snapshot::{Snapshot, Surroundings};
use flows::{BEARER, CLIENT, FLOWS, HANDSHAKE, METRICS, MINE, OUTDATED, PASSWORD, QUERY, WRONG};
use mistakes::{BAD_FILES, BAD_TOKENS, BadFile};
use num_bigint::BigUint;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use search::Canary;
use sha2::{Digest as _, Sha256};

use crate::support::client::{Client, Reply};
use crate::support::config;
use crate::support::dialect::{Outgoing, Prepared};
use crate::support::home::Home;
use crate::support::origin::{Origin, metasv, sinohope, verifying};
use crate::support::proxy::{Proxy, Signal, countersign};
use crate::support::sockets::Echo;
use crate::support::vectors::{load, text};
use crate::support::verify::loopring::Wants;
use crate::support::verify::{Arrived, Infras, Loopring, MetaSv, babyjub, lower_hex};

#[test]
fn no_secret_leaves_the_running_proxy() {
    let stage = Stage::new();
    let mut proxy = Proxy::start_in(stage.home(), &[]);
    let ca = std::fs::read_to_string(proxy.home().path("ca.pem")).expect("it is there");
    let mut answers: Vec<(String, Vec<u8>)> = Vec::new();
    let mut requests = 0;
    for flow in FLOWS {
        let reply = flow.exchange(&proxy, &ca);
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, flow.status, "{}: {body}", flow.name);
        requests += usize::from(flow.recorded);
        answers.push((flow.name.to_owned(), whole(&reply)));
    }
    assert_eq!(answers.len(), 48);
    assert_eq!((stage.echo.arrived().len(), stage.loopring.arrived().len()), (2, 1));
    stage.reload(&proxy, &mut answers);
    let written = proxy.finish(DEADLINE);

    // There was something to search, and secrets were at work.
    let lines = written.lines().filter(|line| line.contains("countersign::request: ")).count();
    assert!(lines >= requests, "{lines} lines for {requests} requests:\n{written}");
    assert!(written.contains(" DEBUG "), "the log is not at its most talkative:\n{written}");
    assert_eq!(written.matches("not reloaded: ").count(), BAD_FILES.len(), "{written}");
    let tokens = stage.token.arrived();
    let bearer = Canary::new("the bearer token", BEARER.as_bytes());
    assert!(
        !tokens.is_empty()
            && tokens.iter().all(|request| {
                bearer
                    .find(request.once("Authorization").expect("the proxy put it in").as_bytes())
                    .is_some()
            })
    );

    answers.push(("what it wrote".to_owned(), written.into_bytes()));
    assert_clean(&answers);
}

#[test]
fn no_mistake_makes_check_show_a_secret() {
    let hex = scalar("metasv", "/keys/test-a/private_key_hex");
    let stage = Stage::new();
    let mut said = Vec::new();
    let tokens = BAD_TOKENS.iter().map(|bad| (bad, 0));
    for ((name, file, content), code) in BAD_FILES.iter().map(|bad| (bad, 78)).chain(tokens) {
        let home = stage.home();
        home.write(file, &content(&stage.config(), &hex));
        let path = home.path("proxy.toml").display().to_string();
        let output = countersign(&["check", &path]);
        assert_eq!(output.status.code(), Some(code), "{name}: {output:?}");
        said.push(((*name).to_owned(), [output.stdout, output.stderr].concat()));
    }
    assert_clean(&said);
}

#[test]
fn no_secret_is_in_what_debugging_prints() {
    let stage = Stage::new();
    let home = stage.home();
    let config = Config::parse(&stage.config(), &home.path("proxy.toml"));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let snapshot = runtime.block_on(Snapshot::build(&config, &Surroundings::default(), None));
    let snapshot = snapshot.unwrap_or_else(|errors| panic!("{errors}"));
    let mut shown = vec![debug("Config", &config), debug("Snapshot", &snapshot)];
    let arrived = Arrived { method: "GET".into(), target: "/".into(), ..Arrived::default() };
    let request = Outgoing::new(&arrived);
    for (name, expired) in [("token", false), ("handshake", false), ("outdated", true)] {
        let route = snapshot.routes.named(name).expect("the route of the token");
        shown.push(debug("Route", route));
        let scheme = route.scheme.signing().expect("the scheme signs requests");
        let moment = countersign::moment::Moments::new(config.replica.written()).next();
        let prepared = Prepared::of(scheme, &request, &moment).expect("nothing is against it");
        let signatures = countersign::scheme::Signatures::default();
        let edits = prepared.dressed.edits(scheme.as_ref(), &moment, prepared.rest, &signatures);
        assert_eq!(edits.is_err(), expired, "{name}");
        shown.push(debug("Edits", &edits));
    }
    for (hex, algorithm) in [
        (scalar("metasv", "/keys/test-a/private_key_hex"), Algorithm::ECDSA_SECP256K1),
        (scalar("sinohope", "/keys/test-p256/private_scalar_hex"), Algorithm::ECDSA_P256),
        (BABYJUB.to_owned(), Algorithm::EDDSA_BABYJUB),
        (scalar("cobo", RSA), Algorithm::RSA_PKCS1_SHA256),
    ] {
        shown.push(debug("Secret", &Secret::new(hex.clone().into_bytes())));
        let key = PrivateKey::parse(hex.as_bytes(), Some(algorithm), None);
        let key = key.expect("the vectors have keys");
        shown.push(debug("LocalSigner", &key.signer().expect("it signs")));
        shown.push(debug("PrivateKey", &key));
    }
    assert_eq!(shown.len(), 20);
    assert!(shown.iter().all(|(_, text)| text.len() >= 8), "{shown:?}");
    assert_clean(&shown);
}

#[test]
fn no_secret_is_in_what_a_panic_prints() {
    let number = scalar("metasv", "/keys/test-a/private_key_hex");
    let parse = || PrivateKey::parse(number.as_bytes(), Some(Algorithm::ECDSA_SECP256K1), None);
    let signer = parse().expect("the vectors have keys").signer().expect("it signs");
    let secret = || Secret::new(BEARER.as_bytes().to_vec());
    let key = parse().expect("the vectors have keys");
    let account = || PrivateKey::parse(ACCOUNT.as_bytes(), None, None).expect("it is an account");
    let babyjub = account().signer().expect("it signs");
    let rsa = PrivateKey::parse(scalar("cobo", RSA).as_bytes(), None, None).expect("a key");
    let printed = [
        panicked("Secret", secret()),
        panicked("LocalSigner", signer),
        panicked("PrivateKey", key),
        panicked("LocalSigner of Baby Jubjub", babyjub),
        panicked("PrivateKey of Baby Jubjub", account()),
        panicked("LocalSigner of RSA", rsa.signer().expect("it signs")),
        panicked("PrivateKey of RSA", rsa),
    ];
    assert!(printed.iter().all(|(_, text)| text.starts_with(b"it holds: ")), "{printed:?}");
    assert_clean(&printed);
}

/// What an `expect` that fails on `error` prints: the error with Debug, whatever it is.
fn panicked<E: Debug>(name: &str, error: E) -> (String, Vec<u8>) {
    let work = std::panic::AssertUnwindSafe(|| {
        let result: Result<(), E> = std::hint::black_box(Err(error));
        result.expect("it holds");
    });
    let payload = std::panic::catch_unwind(work).expect_err("it panics");
    let text = payload.downcast::<String>().expect("a panic that formats has a text");
    (name.to_owned(), text.into_bytes())
}

/// Five providers that verify, two of them by token.
struct Stage {
    sinohope: Origin,
    metasv: Origin,
    token: Origin,
    loopring: Origin,
    echo: Echo,
}

impl Stage {
    fn new() -> Self {
        let bearer = MetaSv::bearer(BEARER);
        Self {
            sinohope: Origin::start(sinohope("test-p256")),
            metasv: Origin::start(metasv("test-a")),
            token: Origin::start(verifying(move |request| bearer.check(request))),
            loopring: Origin::start(verifying(|request| account_holder().check(request))),
            echo: Echo::start(Arc::new(|arrived| {
                Infras::at(unix_ms() as f64 / 1000.0).check(arrived)?;
                let same = arrived.once("Sec-WebSocket-Infras-Token")? == HANDSHAKE;
                same.then_some(()).ok_or_else(|| "it is another token".to_owned())
            })),
        }
    }

    fn config(&self) -> String {
        let (token, loopring) = (self.token.url(), self.loopring.url());
        let echo = self.echo.url();
        let more = format!(
            r#"
[log]
level = "trace"

[access]
tokens = "clients"

[intercept]
ca_cert = "ca.pem"
ca_key = "ca"

[secrets.ca]
store = "files"
entry = "sinohope.pem"

[stores.variables]
kind = "env"

[secrets.clients]
store = "files"
entry = "clients"

[keys.loopring]
store = "files"
entry = "loopring.json"

[secrets.api_key]
store = "files"
entry = "loopring.json#apiKey"

[secrets.bearer]
store = "files"
entry = "bearer.jwt"

[routes.token]
host = "token.example.com"
scheme = "metasv"
secrets = {{ token = "bearer" }}
upstream = "token"

[upstreams.token]
url = "{token}"

[routes.down]
host = "down.example.com"
path = "/down"
scheme = "metasv"
keys = {{ signer = "metasv" }}
upstream = "down"

[secrets.handshake]
store = "files"
entry = "handshake.jwt"
watch = true

[routes.handshake]
host = "handshake.example.com"
scheme = "infras"
secrets = {{ token = "handshake" }}
params = {{ src = "0" }}
upstream = "down"

[secrets.outdated]
store = "files"
entry = "outdated.jwt"

[routes.outdated]
host = "outdated.example.com"
scheme = "infras"
secrets = {{ token = "outdated" }}
params = {{ src = "0", token_member = "token" }}
upstream = "down"

[routes.session]
host = "session.example.com"
scheme = "infras"
secrets = {{ token = "handshake" }}
params = {{ src = "0" }}
upstream = "echo"

[upstreams.echo]
url = "{echo}"

[routes.loopring]
host = "loopring.example.com"
scheme = "loopring"
keys = {{ eddsa = "loopring" }}
secrets = {{ api_key = "api_key" }}
params = {{ canonical = "v2" }}
upstream = "loopring"

[upstreams.loopring]
url = "{loopring}"

[upstreams.down]
url = "http://127.0.0.1:1"
"#
        );
        config::proxy(&[
            config::sinohope(&self.sinohope.url(), None),
            config::metasv(&self.metasv.url(), None),
            more,
        ])
    }

    fn home(&self) -> Home {
        let home = Home::new(&self.config());
        let hash = base16ct::lower::encode_string(&Sha256::digest(CLIENT));
        home.write("keys/clients", &format!("app:{hash}\n"));
        home.write("keys/loopring.json", ACCOUNT);
        home.write("keys/bearer.jwt", &format!("{BEARER}\n"));
        home.write("keys/handshake.jwt", &format!("{HANDSHAKE}\n"));
        home.write("keys/outdated.jwt", OUTDATED);
        home.write("ca.pem", &authority(&home));
        home
    }

    /// Good files, then every bad one, each taken note of before the next.
    fn reload(&self, proxy: &Proxy, answers: &mut Vec<(String, Vec<u8>)>) {
        let hex = scalar("metasv", "/keys/test-a/private_key_hex");
        let as_it_is: &BadFile = &("nothing", "proxy.toml", |config, _| config.to_owned());
        let taken_up = BAD_TOKENS.iter().chain([as_it_is]).map(|bad| (bad, "ok"));
        let refused = BAD_FILES.iter().map(|bad| (bad, "failed"));
        let mut counts = BTreeMap::new();
        for ((_, file, content), result) in taken_up.chain(refused) {
            let fresh = self.home();
            let good = std::fs::read_to_string(fresh.path(file)).expect("the file is there");
            proxy.home().write(file, &content(&self.config(), &hex));
            proxy.signal(Signal::Hangup);
            let count = counts.entry(result).or_insert(0);
            *count += 1;
            let wanted = format!("reloads_total{{result=\"{result}\"}} {count}");
            answers.push(await_metric(proxy, &wanted));
            proxy.home().write(file, &good);
        }
    }
}

/// Loopring, as it knows the account.
fn account_holder() -> Loopring {
    let number: BigUint = BABYJUB.parse().expect("it is a number");
    let wants = Wants::V2("https://loopring.example.com");
    Loopring { key: babyjub::public_key(&number), api_key: Some(API_KEY), wants }
}

/// A CA whose key is one of the secrets already: Sinohope's.
fn authority(home: &Home) -> String {
    let key = std::fs::read_to_string(home.path("keys/sinohope.pem")).expect("the key is there");
    let key = KeyPair::from_pem(&key).expect("it is P-256");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.self_signed(&key).expect("the key can sign").pem()
}

/// Asks for the metrics until they say so.
fn await_metric(proxy: &Proxy, wanted: &str) -> (String, Vec<u8>) {
    let url = proxy.admin_url();
    let mut client = Client::connect(url);
    let begun = Instant::now();
    loop {
        let reply = client.exchange(METRICS.request(url));
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        if body.contains(wanted) {
            return (format!("metrics with {wanted}"), whole(&reply));
        }
        assert!(begun.elapsed() < DEADLINE, "{wanted} is not in\n{body}");
        std::thread::yield_now();
    }
}

/// None of the secrets is in any of the texts.
fn assert_clean(texts: &[(String, Vec<u8>)]) {
    let secrets = secrets();
    assert_eq!(secrets.len(), 19);
    for (name, text) in texts {
        for secret in &secrets {
            if let Some(found) = secret.find(text) {
                panic!("{name}: {found} of\n{}", String::from_utf8_lossy(text));
            }
        }
    }
}

/// Whatever must not be seen.
fn secrets() -> Vec<Canary> {
    let (metasv, sinohope) = (
        scalar("metasv", "/keys/test-a/private_key_hex"),
        scalar("sinohope", "/keys/test-p256/private_scalar_hex"),
    );
    let bytes = |hex: &str| lower_hex("key", hex).expect("the vectors are lower-case hex");
    vec![
        Canary::new("the key of metasv", &bytes(&metasv)),
        Canary::new("the file of metasv's key", metasv.as_bytes()),
        Canary::new("the key of sinohope", &bytes(&sinohope)),
        Canary::new("the file of sinohope's key", sinohope.as_bytes()),
        Canary::new("the key of loopring", &bytes(BABYJUB_HEX)),
        Canary::new("the number in loopring's file", BABYJUB.as_bytes()),
        Canary::new("the API key in loopring's file", API_KEY.as_bytes()),
        Canary::new("a part of an RSA key's private exponent", &part_of_exponent()),
        Canary::new("a key in PEM", b"PRIVATE KEY-----"),
        Canary::new("the bearer token", BEARER.as_bytes()),
        Canary::new("the handshake's token", HANDSHAKE.as_bytes()),
        Canary::new("what the handshake's token says", part(HANDSHAKE).as_bytes()),
        Canary::new("an outdated token", OUTDATED.as_bytes()),
        Canary::new("what an outdated token says", part(OUTDATED).as_bytes()),
        Canary::new("a client's token", CLIENT.as_bytes()),
        Canary::new("a mistaken token", WRONG.as_bytes()),
        Canary::new("a password", PASSWORD.as_bytes()),
        Canary::new("an application's own authorization", MINE.as_bytes()),
        Canary::new("a query", QUERY.as_bytes()),
    ]
}

/// What stands amid the private exponent in the PKCS#1 of a 2048-bit key.
fn part_of_exponent() -> Vec<u8> {
    let pem = scalar("cobo", RSA);
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(base64).expect("PEM is base64");
    der[300..332].to_vec()
}

/// The payload of a token, as it is encoded.
fn part(token: &str) -> &str {
    token.split('.').nth(1).expect("a token has parts")
}

/// A private key's number in hex, or its PEM.
fn scalar(scheme: &str, at: &str) -> String {
    text(&load(scheme), at).to_owned()
}

/// An answer's head and body.
fn whole(reply: &Reply) -> Vec<u8> {
    let headers: String =
        reply.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    [headers.as_bytes(), &reply.body].concat()
}

fn debug(name: &str, value: &dyn Debug) -> (String, Vec<u8>) {
    (name.to_owned(), format!("{value:?} {value:#?}").into_bytes())
}

/// A test key of Loopring's vectors, and the same in hex.
const RSA: &str = "/keys/tss_node/private_pkcs1_pem";
const BABYJUB: &str =
    "1242957328515765470505817310060337585626176314364086438653683782645761561015";
const BABYJUB_HEX: &str = "02bf7d29ae0293dd8b7538681341934a26ec5c98bd2f8c58e4d67bbede05d1b7";
const API_KEY: &str = "HlkcGxbqBeaF76j4rvPaOasyfPwnkQ6B6DQ6THZWbvrAGxzEdulXQvOKLrRW";
/// As its web page exports it.
const ACCOUNT: &str = r#"{
  "exchangeId": 2,
  "accountId": 12345,
  "apiKey": "HlkcGxbqBeaF76j4rvPaOasyfPwnkQ6B6DQ6THZWbvrAGxzEdulXQvOKLrRW",
  "publicKeyX": "18809985953149777588036990576122270034377496742551640392370617631832472343320",
  "publicKeyY": "2999735071096943496651189069661668040008838034157950555146435784533131768027",
  "privateKey": "1242957328515765470505817310060337585626176314364086438653683782645761561015"
}
"#;
const DEADLINE: Duration = Duration::from_secs(60);
