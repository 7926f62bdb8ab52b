//! The stores of keys: each signs what arrives at the provider, says what is wrong with an entry,
//! and shows nothing of a key.

mod contract;
mod exec;
mod held;

use std::process::Command;

use crate::support::home::Home;
use crate::support::under_test;

/// What `check` says of a configuration whose keys cannot be opened.
fn refused(home: &Home, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(under_test());
    let command = command.args(["check", "proxy.toml"]).current_dir(home.path("."));
    let output = command.envs(variables.iter().copied()).output().expect("it can be run");
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
