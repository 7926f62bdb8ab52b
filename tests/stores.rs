//! The stores of keys: each signs what arrives at the provider, says what is wrong with an entry,
//! and shows nothing of a key.

mod agent;
mod algorithms;
mod contract;
mod exec;
mod held;
mod kept;
mod kms;
mod memory;
mod pkcs11;
mod putting;
pub(crate) mod token;
mod transit;
mod trent;
mod uris;
mod vault;

use std::process::Command;

use crate::support::home::Home;
use crate::support::under_test;

/// What `check` says of a configuration whose keys cannot be opened.
fn refused(home: &Home, variables: &[(&str, &str)]) -> String {
    checked(home, variables, 78)
}

/// What `check` says of a good one.
fn check(home: &Home, variables: &[(&str, &str)]) -> String {
    checked(home, variables, 0)
}

fn checked(home: &Home, variables: &[(&str, &str)], code: i32) -> String {
    let mut command = Command::new(under_test());
    let command = command.args(["check", "proxy.toml"]).current_dir(home.path("."));
    let output = command.envs(variables.iter().copied()).output().expect("it can be run");
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
