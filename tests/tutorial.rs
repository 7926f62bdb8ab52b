//! docs/declared-tutorial.md: its files are written, its commands run in their order, and what they
//! print is what it says.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::home::Home;
use crate::support::origin::{Origin, echo};
use crate::support::under_test;

#[test]
fn the_tutorial_does_what_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/declared-tutorial.md");
    let page = fs::read_to_string(page).expect("it is there");
    let origin = Origin::start(echo());
    let home = Home::new("");
    let upstream = format!("upstream = \"acme\"\n[upstreams.acme]\nurl = \"{}\"\n", origin.url());
    let (mut said, mut files, mut compared) = (String::new(), 0, 0);
    for (language, text) in blocks(&page) {
        match language {
            "toml acme.toml" => {
                home.write("acme.toml", &text);
                files += 1;
            }
            // The provider does not exist: another stands where it would.
            "toml proxy.toml" => {
                home.write("proxy.toml", &(text + &upstream));
                files += 1;
            }
            "sh" => said = run(&text, &home),
            "text" => {
                assert_eq!(said, text);
                compared += 1;
            }
            other => panic!("nothing is done with {other}"),
        }
    }
    assert_eq!((files, compared), (2, 3));
    let arrived = origin.arrived();
    assert_eq!(arrived.len(), 1, "{said}");
    let time = arrived[0].once("x-acme-time").expect("once");
    let signed = format!("{time}GET/v1/balance?currency=EUR");
    let key =
        aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"the secret that Acme has issued");
    let mac = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
    assert_eq!(arrived[0].once("x-acme-sign"), Ok(&*base16ct::lower::encode_string(mac.as_ref())));
    assert_eq!(arrived[0].once("x-acme-id"), Ok("an-id"));
}

/// Runs commands in the directory, where `countersign` is this program.
fn run(commands: &str, home: &Home) -> String {
    let program = under_test();
    let directory = program.parent().expect("it is in a directory").display();
    let commands = format!("PATH={directory}:$PATH\n{commands}");
    let mut shell = Command::new("sh");
    shell.args(["-ec", &commands]).current_dir(home.path("."));
    let output = shell.output().expect("there is a shell");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{commands}\n{error}");
    String::from_utf8(output.stdout).expect("text")
}

/// The fenced blocks of a page, each with its language.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside = lines.by_ref().take_while(|line| *line != "```");
            found.push((language, inside.map(|line| format!("{line}\n")).collect()));
        }
    }
    found
}
