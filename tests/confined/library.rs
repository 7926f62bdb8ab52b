//! A PKCS#11 module: nothing that it may need is taken, unless the configuration says what it needs.

use std::process::Command;

use super::{sign, stage, threads};
use crate::stores::token::{Token, borrowed, hsm};
use crate::support::home::Home;
use crate::support::proxy::Proxy;

/// A proxy whose key is in a token, with these lines below `[process]`.
fn proxy(lines: &str) -> (crate::support::origin::Origin, Proxy) {
    let (origin, config) = stage("");
    let config = config.replacen("store = \"files\"", "store = \"hsm\"", 1);
    let home = Home::new(&format!("{config}{}[process]\n{lines}", hsm()));
    let token = Token::new(&home);
    token.import("keys/sinohope.pem", "sinohope.pem", "01");
    let proxy = Proxy::start_in(home, &borrowed(&token.variables()));
    sign(&proxy);
    (origin, proxy)
}

#[test]
fn beside_a_module_files_and_programs_are_given_up_only_where_its_needs_are_named() {
    for (lines, files, programs) in [
        ("", "; listening on TCP (Landlock), ", "; other processes (seccomp), "),
        (
            "write = [\"tokens\"]\n",
            "; files and TCP (Landlock), ",
            "; programs and other processes (seccomp), ",
        ),
    ] {
        let (_origin, proxy) = proxy(lines);
        proxy.await_output("given up: ");
        let said = proxy.output();
        assert!(said.contains(files) && said.contains(programs), "{lines}: {said}");
        assert!(threads(proxy.pid()).iter().all(|(_, new, calls)| new == "1" && calls == "2"));
        // The token is opened anew, and its module loaded already.
        let config = std::fs::read_to_string(proxy.home().path("proxy.toml")).expect("it is there");
        proxy.reload(&config, true);
        sign(&proxy);
    }
}

#[test]
fn a_module_whose_directory_is_not_named_says_what_it_could_not_do() {
    let (_origin, config) = stage("");
    let config = config.replacen("store = \"files\"", "store = \"hsm\"", 1);
    let home = Home::new(&format!("{config}{}[process]\nread = []\n", hsm()));
    let token = Token::new(&home);
    token.import("keys/sinohope.pem", "sinohope.pem", "01");
    let moved = tempfile::TempDir::new().expect("a directory can be made");
    let tokens = moved.path().join("tokens");
    let done = Command::new("mv").arg(home.path("tokens")).arg(&tokens).status();
    assert!(done.expect("mv is there").success());
    home.write("softhsm.conf", &format!("directories.tokendir = {}\n", tokens.display()));
    let mut command = Command::new("timeout");
    command.arg("20").arg(crate::support::under_test()).args(["run", "proxy.toml"]);
    command.current_dir(home.path(".")).envs(token.variables());
    let output = command.output().expect("it can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("keys.sinohope: "), "{said}");
}
