//! What a program finds in its environment, and what it must not find.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use super::run::{Desk, err, out};
use crate::support::client::run;
use crate::support::stage::SINOHOPE;
use crate::support::vectors::{load, text};

#[test]
fn a_program_finds_the_proxy_in_its_environment() {
    let desk = Desk::new("");
    let output = desk
        .exec(&["--", "env"])
        .env("HTTPS_PROXY", "http://corp.example:3128")
        .env("NO_PROXY", "intranet.example,sinohope.com")
        .env("no_proxy", "other.example")
        .env("grpc_proxy", "http://corp.example:3128")
        .env("no_grpc_proxy", "grpc.example,api.sinohope.com")
        .env("npm_config_https_proxy", "http://corp.example:3128")
        .env_remove("PIP_PROXY")
        .env("KEPT", "as it is")
        .output()
        .expect("the binary can be run");
    let variables = variables(&out(&output));
    let proxy = &variables["HTTP_PROXY"];
    let token = proxy.strip_prefix("http://exec:").and_then(|rest| rest.split_once('@'));
    let (token, place) = token.unwrap_or_else(|| panic!("{proxy}"));
    assert!(token.len() == 64 && place.starts_with("127.0.0.1:"), "{proxy}");
    assert!(err(&output).contains(place) && !err(&output).contains(token), "{}", err(&output));
    let both = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "WSS_PROXY"];
    for name in both.into_iter().flat_map(|name| [name.to_owned(), name.to_lowercase()]) {
        assert_eq!(&variables[&name], proxy, "{name}");
    }
    for name in ["GLOBAL_AGENT_HTTP_PROXY", "grpc_proxy", "npm_config_https_proxy"] {
        assert_eq!(&variables[name], proxy, "{name}");
    }
    for name in ["NO_PROXY", "no_proxy", "no_grpc_proxy", "GLOBAL_AGENT_NO_PROXY"] {
        let expected = "intranet.example,other.example,grpc.example,localhost,127.0.0.1,::1";
        assert_eq!(variables[name], expected, "{name}");
    }
    assert_eq!(variables["NODE_USE_ENV_PROXY"], "1");
    assert_eq!(variables["PERL_LWP_ENV_PROXY"], "1");
    let unasked = ["GRPC_PROXY", "PIP_PROXY", "pip_proxy", "NPM_CONFIG_HTTPS_PROXY"];
    assert!(unasked.iter().all(|name| !variables.contains_key(*name)), "{variables:?}");
    assert_eq!(variables["KEPT"], "as it is");
    assert!(variables["COUNTERSIGN_GATEWAY"].starts_with("http://127.0.0.1:"));
    assert!(err(&output).contains("left out of NO_PROXY"), "{}", err(&output));
    assert!(err(&output).contains(": sinohope.com, api.sinohope.com\n"), "{}", err(&output));
}

#[test]
fn keys_and_passphrases_do_not_reach_the_program() {
    let vectors = load("sinohope");
    let key = text(&vectors, "/keys/test-p256/pkcs8_der_hex");
    let stores = r#"
[stores.vars]
kind = "env"
prefix = "VAULT_"
[stores.locked]
kind = "file"
dir = "keys"
passphrase_env = "SESAME"
[keys.other]
store = "vars"
entry = "SINOHOPE"
[routes.other]
host = "api.sinohope.com"
path = "/other"
scheme = "sinohope"
keys = { signer = "other" }
upstream = "sinohope_origin"
"#;
    let desk = Desk::new(stores);
    let run = |program: &[&str]| {
        let mut command = desk.exec(program);
        command.env("VAULT_SINOHOPE", key).env("VAULT_OLD", "yesterdays").env("SESAME", "open");
        command.env("COUNTERSIGN_TOKEN", "app:t0ken").env("VAULTS", "not a key");
        command.output().expect("the binary can be run")
    };
    let output = run(&["--", "env"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let said = out(&output);
    assert!(said.contains("VAULTS=not a key\n"));
    for secret in [key, "yesterdays", "SESAME", "t0ken", "VAULT_"] {
        assert!(!said.contains(secret), "{secret} in\n{said}");
    }
    // What the program cannot see is what the proxy signs with.
    let url = format!("{SINOHOPE}/other");
    let output = run(&["--quiet", "curl", "--disable", "-sS", "--fail-with-body", &url]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(desk.origin.arrived().len(), 1);
}

#[test]
fn java_is_told_in_options_of_its_own_and_only_where_there_is_one() {
    let desk = Desk::new("");
    let java = desk.home.path("jdk/bin");
    fs::create_dir_all(&java).expect("a directory can be made");
    // What makes its trust store is told what the program is, but for what is ours and its options.
    for (name, script) in [("java", ""), ("keytool", "/usr/bin/env >${0%/*}/seen")] {
        fs::write(java.join(name), format!("#!/bin/sh\n{script}\n")).expect("a file");
        fs::set_permissions(java.join(name), fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    let programs = desk.home.path("bin");
    fs::create_dir_all(&programs).expect("a directory can be made");
    symlink("/usr/bin/env", programs.join("env")).expect("a link can be made");
    for (path, home, told) in [
        (programs.clone(), None, false),
        (programs.clone(), Some(desk.home.path("jdk")), true),
        (programs.clone(), Some(desk.home.path("nowhere")), false),
    ] {
        let mut command = desk.exec(&["env"]);
        command.env("PATH", path).env("JAVA_TOOL_OPTIONS", "-Xmx1g").env_remove("JAVA_HOME");
        command.envs(home.map(|home| ("JAVA_HOME", home)));
        command.env("COUNTERSIGN_TOKEN", "app:t0ken").env("COUNTERSIGN_KEY", "k3y");
        let variables = variables(&out(&command.output().expect("the binary can be run")));
        let options = &variables["JAVA_TOOL_OPTIONS"];
        let port = variables["HTTP_PROXY"].rsplit(':').next().unwrap_or_default().to_owned();
        if told {
            assert!(options.starts_with("-Xmx1g -Dhttp.proxyHost=127.0.0.1 "), "{options}");
            assert!(options.contains(&format!(" -Dhttps.proxyPort={port} ")), "{options}");
        } else {
            assert_eq!(options, "-Xmx1g");
        }
    }
    let seen = fs::read_to_string(java.join("seen")).expect("it was asked for a store");
    assert!(seen.contains("\nJAVA_HOME=") || seen.starts_with("JAVA_HOME="), "{seen}");
    for name in ["COUNTERSIGN_", "JAVA_TOOL_OPTIONS", "t0ken", "k3y"] {
        assert!(!seen.contains(name), "{name} in\n{seen}");
    }
}

fn variables(env: &str) -> BTreeMap<String, String> {
    let pairs = env.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The proxy in this process may need many descriptors; a program that uses `select` must not find
/// its limit raised.
#[test]
fn a_program_has_the_limit_of_descriptors_that_there_was() {
    let desk = Desk::new("");
    let script = "ulimit -Sn; for try in $(seq 3000); do \
                  set -- $(grep 'Max open files' /proc/$PPID/limits); \
                  test \"$4\" = \"$5\" && echo raised && exit; done";
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 100 && exec \"$0\" \"$@\""]);
    let exec = desk.exec(&["--", "sh", "-c", script]);
    command.arg(exec.get_program()).args(exec.get_args()).current_dir(desk.home.path("."));
    command.envs(exec.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert_eq!(out(&run(&mut command)), "100\nraised\n");
}
