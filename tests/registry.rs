//! What every scheme and every refusal owes beside its code: vectors, a second opinion,
//! sentences, and an entry in the documents.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use countersign::keys::Algorithm;
use countersign::metrics::{Metrics, Row};
use countersign::refusal::{Code, Facts};
use countersign::scheme::{Entry, KnownCause, Registry, all_causes};
use serde_json::Value;

use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::proxy::{Proxy, countersign};
use crate::support::vectors::load;

#[test]
fn every_scheme_has_vectors_a_second_opinion_and_sentences() {
    let schemes = Registry::built_in();
    assert!(schemes.iter().count() >= 3, "the walk must see something");
    for entry in schemes.iter() {
        let name = entry.name.as_ref();
        // Two schemes of one provider share its files.
        let provider = name.split('_').next().expect("a text has a beginning");
        let vectors = load(provider);
        assert!(accepted(&vectors) >= 3, "{name}: three requests to sign");
        assert!(refusals(&vectors) >= 3, "{name}: three that are refused or do not verify");
        let verifier = file(&format!("tests/support/verify/{provider}.rs"));
        assert!(verifier.is_file(), "{name}: {} is missing", verifier.display());
        let source = fs::read_to_string(&verifier).expect("a file that is there can be read");
        assert!(!source.contains("countersign::"), "{name}: the verifier shares code with src/");
        for (what, sentence) in sentences(entry) {
            let ends = sentence.ends_with(['.', '?']);
            assert!(ends && sentence.len() > 10, "{name}, {what}: {sentence:?} is no sentence");
        }
        for note in &entry.notes {
            assert!(note.ends_with('.') && note.len() > 40, "{name}: {note:?} is no paragraph");
        }
        assert!(entry.summary.len() > 10 && !entry.summary.ends_with('.'), "{name}: summary");
        assert!(entry.host.contains('.'), "{name}: host");
        assert!(["http", "ws"].contains(&entry.protocol), "{name}: protocol");
        assert_eq!(entry.public_form.is_none(), entry.keys.is_empty(), "{name}: public form");
        assert!(entry.public_form.is_none_or(|form| !form.name.is_empty()), "{name}: its name");
        let Some(refusal) = &entry.refusal else {
            continue;
        };
        assert!(refusal.status >= 400, "{name}: refusal status");
        let refusal: Value = serde_json::from_str(&refusal.body).expect("a refusal is JSON");
        assert!(refusal.to_string().contains("{reason}"), "{name}: {refusal}");
    }
}

#[test]
fn the_registry_is_in_order_and_names_are_values_a_file_can_hold() {
    let schemes = Registry::built_in();
    let names: Vec<&str> = schemes.iter().map(|entry| entry.name.as_ref()).collect();
    assert!(names.is_sorted() && names.iter().collect::<BTreeSet<_>>().len() == names.len());
    for entry in schemes.iter() {
        let keys = entry.keys.iter().map(|slot| slot.name.as_ref());
        let secrets = entry.secrets.iter().map(|slot| slot.name.as_ref());
        let params = entry.params.iter().map(|param| param.name.as_ref());
        for name in keys.chain(secrets).chain(params).chain([entry.name.as_ref()]) {
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            assert!(!name.is_empty() && name.bytes().all(plain), "{}: {name}", entry.name);
        }
        for slot in &entry.keys {
            assert!(!slot.algorithms.is_empty(), "{}: keys.{}", entry.name, slot.name);
        }
        for param in &entry.params {
            let fits = param.values.is_empty() || param.values.contains(&param.default);
            assert!(fits, "{}: params.{} cannot be its default", entry.name, param.name);
        }
    }
}

#[test]
fn the_documents_are_what_the_program_writes() {
    let output = countersign(&["documents"]);
    assert!(output.status.success(), "{output:?}");
    let names = String::from_utf8(output.stdout).expect("names are text");
    for name in names.lines() {
        let output = countersign(&["documents", name]);
        assert!(output.status.success(), "{output:?}");
        let written = String::from_utf8_lossy(&output.stdout);
        let path = format!("docs/{name}.md");
        assert!(read(&path) == written, "run: countersign documents {name} >new; mv new {path}");
    }
    assert_eq!(names.lines().count(), DOCUMENTS.len(), "{names}");
    for (name, rows) in DOCUMENTS {
        let document = read(&format!("docs/{name}.md"));
        let rows = rows();
        assert!(rows.len() >= 3, "{name}: {rows:?}");
        for row in rows {
            assert!(document.contains(&format!("\n{row}")), "{name}: {row}");
        }
    }
}

/// What begins a line of each document, from the tables themselves.
type Rows = fn() -> Vec<String>;

const DOCUMENTS: &[(&str, Rows)] = &[
    ("admin", || {
        ["/", "/show", "/status", "/healthz", "/readyz", "/metrics"]
            .map(|path| format!("| `{path}` | GET, HEAD | "))
            .into()
    }),
    ("algorithms", || Algorithm::ALL.iter().map(|one| format!("| `{one}` | ")).collect()),
    ("catalogue", || {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemes");
        let files = fs::read_dir(directory).expect("it can be listed").map(|file| {
            let name = file.expect("it can be listed").file_name().to_string_lossy().into_owned();
            format!("| [`{}`](../schemes/{name}) | ", name.trim_end_matches(".toml"))
        });
        files.collect()
    }),
    ("configuration", || {
        let names = ["forward", "client_idle", "pool_idle", "max_age", "audit"];
        names.map(|name| format!("| `{name}` | ")).into()
    }),
    ("declared", || {
        let words = ["header.NAME", "sign", "iso_ms", "hexN", "swap", "base58", "spki"];
        words.map(|word| format!("| `{word}` | ")).into()
    }),
    ("diagnosis", || {
        let row = |known: &KnownCause| format!("| `{}` | {} | ", known.code, known.cause);
        all_causes().map(row).collect()
    }),
    ("metrics", || {
        let row = |row: &Row| format!("| `{}` | {} | ", row.name, row.kind);
        Metrics::default().rows().iter().map(row).collect()
    }),
    ("private-networks", || {
        ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "fc00::/7"]
            .map(|net| format!("| `{net}` | "))
            .into()
    }),
    ("refusals", || {
        let row = |facts: &Facts| format!("| `{}` | {} | ", facts.name, facts.status.as_u16());
        Code::all().map(Code::facts).map(row).collect()
    }),
    ("rejected", || {
        let names = ["sinohope", "binance", "kraken", "okx"];
        names.map(|name| format!("| `{name}` | ")).into()
    }),
    ("schemes", || {
        let mut rows = Vec::new();
        for entry in Registry::built_in().iter() {
            rows.push(format!("## {}\n", entry.name));
            rows.extend(entry.notes.iter().map(|note| format!("{note}\n")));
            let slots = sentences(entry).into_iter();
            rows.extend(slots.map(|(slot, doc)| format!("| `{slot}` | {doc}")));
        }
        rows
    }),
    ("signer", || ["listen", "uid", "routes"].map(|name| format!("| `{name}` | ")).into()),
];

#[test]
fn every_setting_has_a_line_with_kind_default_and_sentence() {
    let kept = read("docs/configuration.md");
    let rows = kept.lines().filter(|line| line.starts_with("| `"));
    let rows: Vec<Vec<&str>> = rows.map(|line| line.split(" | ").collect()).collect();
    assert!(rows.len() >= 60, "only {} settings were seen", rows.len());
    for cells in rows {
        let sentence = cells.last().and_then(|cell| cell.strip_suffix(" |")).unwrap_or_default();
        assert!(cells.len() == 5 && sentence.ends_with('.'), "{cells:?}");
    }
}

#[test]
fn names_of_algorithms_are_read_as_they_are_written() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.name().parse(), Ok(*algorithm));
    }
}

#[test]
fn what_the_narrow_commands_write_is_the_document() {
    for (command, name) in [
        (&["schemes", "--markdown"][..], "schemes"),
        (&["keys", "algorithms", "--markdown"], "algorithms"),
    ] {
        let output = countersign(command);
        assert!(output.status.success(), "{output:?}");
        assert!(read(&format!("docs/{name}.md")).as_bytes() == output.stdout, "{name}");
    }
}

#[test]
fn the_routes_that_init_leaves_to_its_reader_are_right() {
    let mut seen = 0;
    for entry in Registry::built_in().iter().filter(|entry| !entry.example.routes.is_empty()) {
        let home = Home::new("");
        let (dir, file) = (home.path("new"), home.path("new/proxy.toml"));
        let (dir, file) = (dir.display().to_string(), file.display().to_string());
        let output = countersign(&["init", "--provider", &entry.name, "--dir", &dir]);
        assert!(output.status.success(), "{output:?}");
        for slot in &entry.secrets {
            home.write(&format!("new/keys/{}", slot.file), "a-secret");
        }
        let written = fs::read_to_string(&file).expect("init wrote it");
        home.write("new/proxy.toml", &uncommented(&written));
        let output = countersign(&["check", &file]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && !said.contains("warning"), "{}: {output:?}", entry.name);
        let routes = 1 + entry.example.routes.matches("[routes.").count();
        assert!(said.contains(&format!("{routes} routes and ")), "{}: {said}", entry.name);
        seen += routes;
    }
    assert!(seen >= 5, "{seen}");
}

/// The same with what is commented out in force: tables, and values of names without spaces.
fn uncommented(toml: &str) -> String {
    let plain = |line: &str| {
        let rest = line.strip_prefix('#').map_or("", str::trim_start);
        let name = rest.split(" = ").next().unwrap_or_default();
        let in_force = rest.starts_with('[') || (rest != name && !name.contains(' '));
        format!("{}\n", if in_force { rest } else { line })
    };
    toml.lines().map(plain).collect()
}

#[test]
fn the_example_in_the_document_of_refusals_is_a_real_answer() {
    let document = read("docs/refusals.md");
    let example = document.split("```").nth(1).expect("there is an example");
    let (head, body) = example.split_once("\n\n").expect("a head, an empty line, a body");
    let shown: Value = serde_json::from_str(body).expect("the body is JSON");
    let code = Code::all().find(|code| shown["code"] == code.name());
    let code = code.expect("the example has a code that exists");
    let detail = shown["detail"].as_str().expect("a detail");
    let route = shown["route"].as_str();
    let id = shown["request_id"].as_str().expect("an id");
    let made = countersign::refusal::Refusal::new(code, detail).into_response(route, id);
    let same: Value = serde_json::from_slice(made.body()).expect("a refusal is JSON");
    assert_eq!(shown, same);
    let mut lines = head.trim_start_matches("http").trim().lines();
    let status = lines.next().expect("a status line");
    assert!(status.starts_with(&format!("HTTP/1.1 {} ", made.status().as_u16())), "{status}");
    let mut headers = 0;
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        assert_eq!(made.headers()[name], value, "{name}");
        headers += 1;
    }
    assert_eq!(headers, made.headers().len());
}

#[test]
fn what_is_not_http_is_answered_as_the_document_of_refusals_says() {
    let proxy = Proxy::start(&config::proxy(&[config::sinohope("http://127.0.0.1:1", None)]));
    // As long as limits.header and still not over; not a byte of it is left unread.
    let mut long = String::from("GET / HTTP/1.1\r\nHost: h\r\nLong: ");
    long.push_str(&"x".repeat(32 * 1024 - long.len()));
    let table = [
        ("nonsense\r\n\r\n", 400),
        ("GET http://h/ HTTP/1.1\r\nbad header\r\n\r\n", 400),
        ("GET http://h/?q=\"x\" HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /h/?q=<x> HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /h/` HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (&long, 431),
    ];
    for (request, status) in table {
        for url in [proxy.forward_url(), proxy.gateway_url(), proxy.admin_url()] {
            let mut client = Client::connect(url);
            let reply = client.exchange(request);
            assert_eq!((reply.status, reply.body.len()), (status, 0), "{url}");
            assert!(reply.values("Proxy-Status").is_empty(), "{url}");
            assert!(client.try_reply().is_err(), "{url}: the connection is closed");
        }
    }
}

/// Requests that are signed, and handshakes that are sent, in sections of any of these names.
fn accepted(vectors: &Value) -> usize {
    let sent = list(vectors, "handshake").filter(|case| !case["expect"]["refused"].is_string());
    let sections = ["sign", "api_requests", "v2_base_string", "v3_url_sign", "orders"];
    let believed = list(vectors, "requests").filter(|case| case["accept"] == true);
    let sealed = sections.iter().map(|name| list(vectors, name).count()).sum::<usize>();
    sealed + sent.count() + believed.count()
}

/// Cases that must be refused, and signatures that must not verify.
fn refusals(vectors: &Value) -> usize {
    let invalid = list(vectors, "verify").filter(|case| case["valid"] == false);
    let handshakes =
        list(vectors, "handshake").filter(|case| case["expect"]["refused"].is_string());
    let refused = list(vectors, "negative")
        .filter(|case| case["expect"].as_str().is_some_and(|expect| expect.starts_with("refused")));
    let sections = vectors.as_object().expect("the vectors are an object").iter();
    let sections = sections.filter(|(name, _)| name.ends_with("_refused"));
    let cases = sections.filter_map(|(_, cases)| cases.as_array()).flatten();
    let in_sections = cases.filter(|case| case["expect"] == "refuse");
    let unbelieved = list(vectors, "requests").filter(|case| case["accept"] == false);
    let refused = refused.count() + unbelieved.count();
    invalid.count() + handshakes.count() + refused + in_sections.count()
}

/// The cases under `name`, where there are any.
fn list<'a>(vectors: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    vectors[name].as_array().into_iter().flatten()
}

/// The doc strings of a scheme, by the slot they belong to.
fn sentences(entry: &Entry) -> Vec<(String, &str)> {
    let keys = entry.keys.iter().map(|slot| (format!("keys.{}", slot.name), slot.doc.as_ref()));
    let secrets =
        entry.secrets.iter().map(|slot| (format!("secrets.{}", slot.name), slot.doc.as_ref()));
    let params =
        entry.params.iter().map(|param| (format!("params.{}", param.name), param.doc.as_ref()));
    keys.chain(secrets).chain(params).collect()
}

fn read(name: &str) -> String {
    let path = file(name);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
