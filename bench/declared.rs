//! What a declared scheme costs: a request signed with it, beside the same scheme in code; its
//! file at load; and the search for its route among many.

#[path = "self_check.rs"]
mod self_check;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use countersign::config::Config;
use countersign::moment::{Moment, Nonce};
use countersign::request::{Body, Outgoing};
use countersign::route::{Found, Origin, Route};
use countersign::scheme::{BodyNeed, Edits, Head};
use countersign::snapshot::{Snapshot, Surroundings};
use divan::{AllocProfiler, Bencher, black_box};
use http::{HeaderMap, HeaderValue, Method, header};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

// Counts allocations too: a few nanoseconds on each, and a report of those that are too many.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A request that nobody signs: what the others have to be held against.
#[divan::bench]
fn unsigned_get(bencher: Bencher<'_, '_>) {
    let home = Home::new();
    let (snapshot, _runtime) = home.snapshot(&home.one_each());
    let route = snapshot.routes.named("okx").expect("the route is in the configuration");
    let outgoing = dressed(route, Method::GET, "/api/v5/account/balance?ccy=BTC%2CETH", "");
    bencher
        .with_inputs(|| outgoing.spare().expect("the body is in hand"))
        .bench_local_values(|outgoing| outgoing.into_request(Edits::default()).expect("a request"));
}

/// Time, method and target under HMAC-SHA256; four headers.
#[divan::bench]
fn okx_get(bencher: Bencher<'_, '_>) {
    signed(bencher, "okx", Method::GET, OKX_GET, "");
}

/// The same with a body of 1 KiB.
#[divan::bench]
fn okx_post(bencher: Bencher<'_, '_>) {
    signed(bencher, "okx", Method::POST, OKX_POST, &orders());
}

const OKX_GET: &str = "/api/v5/account/balance?ccy=BTC%2CETH";
const OKX_POST: &str = "/api/v5/trade/batch-orders";

/// 1 KiB.
fn orders() -> String {
    let order = r#"{"instId":"BTC-USDT","tdMode":"cash","side":"buy","px":"2.15","sz":"2"},"#;
    format!("[{}]", &order.repeat(15)[..1022])
}

/// What the self-check adds to the two: everything made again of what is handed over, and compared.
#[divan::bench(args = ["okx GET", "okx POST"])]
fn self_check(bencher: Bencher<'_, '_>, request: &str) {
    let home = Home::new();
    let (snapshot, runtime) = home.snapshot(&home.one_each());
    let route = snapshot.routes.named("okx").expect("the route is in the configuration");
    let scheme = route.scheme.signing().expect("it signs").as_ref();
    let outgoing = match request {
        "okx GET" => dressed(route, Method::GET, OKX_GET, ""),
        _ => dressed(route, Method::POST, OKX_POST, &orders()),
    };
    let to_sign = outgoing.canonicalise(scheme, &MOMENT).expect("it has texts");
    let signatures = runtime.block_on(route.sign(&to_sign.preimages)).expect("the key signs");
    self_check::timed(bencher, scheme, (outgoing, &MOMENT), (to_sign, signatures));
}

/// A nonce put into a form, SHA-256 of both, and HMAC-SHA512 over that.
#[divan::bench]
fn kraken(bencher: Bencher<'_, '_>) {
    let body = "nonce=1&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25";
    signed(bencher, "kraken", Method::POST, "/0/private/AddOrder", body);
}

/// Path, time and nonce on secp256k1, as the file has it.
#[divan::bench]
fn metasv_declared(bencher: Bencher<'_, '_>) {
    signed(bencher, "metasv_declared", Method::GET, BLOCK, "");
}

/// The same in code.
#[divan::bench]
fn metasv_built_in(bencher: Bencher<'_, '_>) {
    signed(bencher, "metasv", Method::GET, BLOCK, "");
}

/// Declared schemes of a configuration: files read, vectors run.
#[divan::bench(args = [1, 500], sample_count = 10)]
fn load(bencher: Bencher<'_, '_>, files: usize) {
    let home = Home::new();
    let text = home.files(files);
    bencher.bench_local(|| {
        let config = Config::parse(black_box(&text), &home.path("proxy.toml"));
        config.unwrap_or_else(|errors| panic!("{errors}"))
    });
}

/// The search for the route of a request among so many.
#[divan::bench(args = [1, 100, 10_000])]
fn route(bencher: Bencher<'_, '_>, routes: usize) {
    let home = Home::new();
    let (snapshot, _runtime) = home.snapshot(&home.many(routes));
    let host = format!("h{}.example.com", routes / 2);
    bencher.bench_local(|| {
        let found = snapshot.routes.find(black_box(&host), None, "/v1/x", &Method::GET);
        assert!(matches!(found, Found::Route(_)));
    });
}

/// Everything that a signature adds to a request: texts, signature, headers and fields.
fn signed(bencher: Bencher<'_, '_>, route: &str, method: Method, target: &str, body: &str) {
    let home = Home::new();
    let (snapshot, runtime) = home.snapshot(&home.one_each());
    let route = snapshot.routes.named(route).expect("the route is in the configuration");
    let outgoing = dressed(route, method, target, body);
    bencher.with_inputs(|| outgoing.spare().expect("the body is in hand")).bench_local_values(
        |outgoing| {
            let scheme = route.scheme.signing().expect("it signs").as_ref();
            let to_sign = outgoing.canonicalise(scheme, black_box(&MOMENT)).expect("it has texts");
            let signatures = runtime.block_on(route.sign(&to_sign.preimages));
            let signatures = signatures.expect("the key signs");
            let edits = outgoing.edits(scheme, &MOMENT, to_sign.rest, &signatures);
            let edits = edits.expect("there is a place");
            outgoing.into_request(edits).expect("a request")
        },
    );
}

/// A request as the proxy dresses it, with its body in hand.
fn dressed(route: &Route, method: Method, target: &str, body: &str) -> Outgoing {
    let scheme = route.scheme.signing().expect("it signs").as_ref();
    let host = route.host.as_ref().expect("it has a host").to_string();
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_static("bench/1.0"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if !body.is_empty() {
        let kind = if body.starts_with('[') { "json" } else { "x-www-form-urlencoded" };
        let kind = HeaderValue::try_from(format!("application/{kind}"));
        headers.insert(header::CONTENT_TYPE, kind.expect("a header's value"));
    }
    let origin = Origin::of(&host, true).expect("the host is an authority");
    let head = Head { method, host, target: target.parse().expect("a target"), headers };
    let held = scheme.body_need(&head) == BodyNeed::Whole || !body.is_empty();
    let body = Bytes::copy_from_slice(body.as_bytes());
    let body = if held { Body::Held(body) } else { Body::Absent };
    Outgoing::dress(head, body, origin, Some(scheme)).expect("the parts make a request")
}

/// A directory with keys, scheme files and configurations.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().expect("a temporary directory"));
        for (name, text) in [
            ("hmac", "SecretSecretSecretSecret"),
            ("kraken", KRAKEN),
            ("k256", "ca19b48a11d317fc3ce51fdbc0161ec5d925a260f9f32fbdc4a52447396a8272"),
            ("metasv.toml", METASV),
        ] {
            fs::write(home.path(name), text).expect("a file can be written");
            private(&home.path(name));
        }
        home
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// A route of each scheme that is measured.
    fn one_each(&self) -> String {
        let mut text = HEAD.to_owned();
        for (name, host, key, secrets) in [
            ("okx", "www.okx.com", "hmac", "{ api_key = \"plain\", passphrase = \"plain\" }"),
            ("kraken", "api.kraken.com", "kraken", "{ api_key = \"plain\" }"),
            ("metasv", "apiv2.metasv.com", "k256", "{}"),
            ("metasv_declared", "declared.metasv.com", "k256", "{}"),
        ] {
            let route = format!(
                "[routes.{name}]\nhost = \"{host}\"\nscheme = \"{name}\"\nkeys = {{ signer = \
                 \"{key}\" }}\nsecrets = {secrets}\n"
            );
            text.push_str(&route);
        }
        text
    }

    /// So many routes of one declared scheme.
    fn many(&self, routes: usize) -> String {
        let mut text = HEAD.to_owned();
        for index in 0..=routes {
            write!(
                text,
                "[routes.r{index}]\nhost = \"h{index}.example.com\"\nscheme = \"okx\"\n\
                 keys = {{ signer = \"hmac\" }}\n\
                 secrets = {{ api_key = \"plain\", passphrase = \"plain\" }}\n"
            )
            .expect("a string grows");
        }
        text
    }

    /// So many scheme files, the catalogue's in turn, each under a name of its own.
    fn files(&self, count: usize) -> String {
        let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemes");
        let files = fs::read_dir(catalogue).expect("the catalogue is a directory");
        let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        files.sort();
        let mut text = HEAD.to_owned();
        for (index, file) in files.iter().cycle().take(count).enumerate() {
            let scheme = fs::read_to_string(file).expect("the file can be read");
            let own = format!("# Number {index}\n{scheme}");
            fs::write(self.path(&format!("s{index}.toml")), own).expect("a file can be written");
            write!(text, "[schemes.s{index}]\nfile = \"s{index}.toml\"\n").expect("it grows");
        }
        text + "[routes.metasv]\nhost = \"apiv2.metasv.com\"\nscheme = \"metasv\"\nkeys = { signer = \"k256\" }\n"
    }

    fn snapshot(&self, text: &str) -> (Snapshot, Runtime) {
        let config = Config::parse(text, &self.path("proxy.toml"));
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let snapshot = runtime.block_on(Snapshot::build(&config, &Surroundings::default(), None));
        (snapshot.unwrap_or_else(|errors| panic!("{errors}")), runtime)
    }
}

/// As the proxy wants files of keys.
fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("the file is our own");
}

const HEAD: &str = r#"
[listen]
forward = "127.0.0.1:0"

[stores.files]
kind = "file"
dir = "."

[schemes.metasv_declared]
file = "metasv.toml"

[keys.hmac]
store = "files"
entry = "hmac"
algorithm = "hmac_sha256"

[keys.kraken]
store = "files"
entry = "kraken"
algorithm = "hmac_sha512"
encoding = "base64"

[keys.k256]
store = "files"
entry = "k256"
algorithm = "ecdsa_secp256k1"

[secrets.plain]
store = "files"
entry = "hmac"

"#;

const METASV: &str = include_str!("declared/metasv.toml");

const KRAKEN: &str =
    "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";

const BLOCK: &str = "/block/000000000000000007dded8e2a733c654a006520409cdb0d6cdf642a1328c330";

const MOMENT: Moment = Moment { unix_ms: 1_700_000_000_000, nonce: Nonce::Placed(1_234_567_890) };
