//! Requests and answers as people have them: HAR, the output of `curl -v`, an answer with a `Date`;
//! and the difference as it is printed.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Row, table};
use crate::support::proxy::countersign;

/// The one row whose name this is.
fn row(rows: &[Row], name: &str) -> Row {
    rows.iter().find(|row| row.name == name).expect("the table has it").clone()
}

fn verify(home: &Path, route: &str, more: &[&str]) -> (Option<i32>, String) {
    let config = home.join("proxy.toml").to_string_lossy().into_owned();
    let output = countersign(&[&["verify", &config, "--route", route], more].concat());
    let text = String::from_utf8(output.stdout).expect("it is text");
    (output.status.code(), text + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_capture_says_the_same_in_every_form() {
    let home = TempDir::new().expect("a directory can be made");
    let rows = table(home.path());
    let late = row(&rows, "sinohope: names as they stand");
    let raw = fs::read_to_string(&late.files[0]).expect("it is text");
    let (head, _) = raw.split_once("\r\n\r\n").expect("it has a head");
    let mut lines = head.lines();
    let line = lines.next().expect("it has a line");
    let target = line.split(' ').nth(1).expect("it has a target");
    let headers: Vec<(&str, &str)> =
        lines.clone().filter_map(|line| line.split_once(": ")).collect();
    let pairs: Vec<Value> =
        headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let har = json!({ "log": { "entries": [{
        "request": {
            "method": "GET", "url": format!("https://api.sinohope.com{target}"),
            "httpVersion": "HTTP/2", "headers": pairs,
        },
        "response": { "status": 401, "headers": [], "content": { "text": "{\"code\":1008}" } },
    }] } });
    let curl: String = head.lines().map(|line| format!("> {line}\n")).collect();
    let curl = format!(
        "* Connected to api.sinohope.com\n{curl}>\n< HTTP/2 401\n< date: Fri, 28 Nov 2025 13:50:00 GMT\n<\n"
    );
    for (name, text) in [("request.har", har.to_string()), ("curl.txt", curl)] {
        let path = home.path().join(name);
        fs::write(&path, text).expect("it is ours");
        let (exit, said) = verify(home.path(), "sinohope", &["--file", &path.to_string_lossy()]);
        assert_eq!(exit, Some(1), "{name}: {said}");
        assert!(
            said.contains("the query's names were not sorted before signing"),
            "{name}: {said}"
        );
    }
    let (_, said) = verify(home.path(), "sinohope", &["--file", &late.files[0]]);
    let lines: Vec<&str> = said.lines().collect();
    let at = |word: &str| {
        lines.iter().position(|line| line.trim_start().starts_with(word)).expect("it is there")
    };
    let (signed, wanted) = (lines[at("signed")], lines[at("wanted")]);
    let mark = lines[at("^ differs")].find('^').expect("it is there");
    assert_ne!(signed.chars().nth(mark), wanted.chars().nth(mark), "{said}");
    assert_eq!(signed[10..mark], wanted[10..mark], "{said}");
}

#[test]
fn an_answer_says_when_a_request_arrived_and_what_the_provider_meant() {
    let home = TempDir::new().expect("a directory can be made");
    let rows = table(home.path());
    let good = row(&rows, "sinohope: a good POST");
    let answer = home.path().join("answer.http");
    // The request is of 13:50:00.
    for (date, body, exit, words) in [
        ("Fri, 28 Nov 2025 13:50:01 GMT", "{}", 0, "valid: route sinohope"),
        ("Fri, 28 Nov 2025 14:20:01 GMT", "{}", 1, "30 min old when the request arrived"),
        ("Fri, 28 Nov 2025 13:20:01 GMT", "{}", 1, "in the future when the request arrived"),
        ("Fri, 28 Nov 2025 13:50:01 GMT", "{\"code\":1008}", 0, "not on the key's list"),
    ] {
        let text = format!("HTTP/1.1 401 Unauthorized\r\nDate: {date}\r\n\r\n{body}");
        fs::write(&answer, text).expect("it is ours");
        let more = ["--file", &good.files[0], "--answer", &answer.to_string_lossy()];
        let (code, said) = verify(home.path(), "sinohope", &more);
        assert_eq!(code, Some(exit), "{date} {body}: {said}");
        assert!(said.contains(words), "{date} {body}: {said}");
    }
    // Without an arrival, what is old is a remark.
    let (code, said) = verify(home.path(), "sinohope", &["--file", &good.files[0]]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("providers take a request for about five minutes"), "{said}");
}

#[test]
fn no_secret_is_in_what_is_said() {
    let home = TempDir::new().expect("a directory can be made");
    let rows = table(home.path());
    let secrets = [
        "SecretSecretSecret",
        "kQH5HW/8p1uGOVjb",
        "canary-of-a-token",
        "Y2FuYXJ5LW9mLWEtdG9rZW4",
        "test-api-key",
    ];
    let mut seen = 0;
    for route in ["binance", "okx", "kraken", "gate", "infras", "v2"] {
        let files: Vec<&String> = rows
            .iter()
            .filter(|row| row.route == route && !row.codes.is_empty())
            .flat_map(|row| &row.files)
            .collect();
        let more: Vec<&str> = files.iter().flat_map(|file| ["--file", file.as_str()]).collect();
        for json in [&["--json"][..], &[]] {
            let (_, said) = verify(home.path(), route, &[&more[..], json].concat());
            let shown = secrets.iter().find(|secret| said.contains(**secret));
            assert_eq!(shown, None, "{route}");
            seen += said.len();
        }
    }
    assert!(seen > 10_000, "only {seen} bytes were looked at");
}
