//! The stores of keys: each signs what arrives at the provider, says what is wrong with an entry,
//! and shows nothing of a key.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::{SINOHOPE, get};
use crate::support::under_test;

#[test]
fn a_credential_of_systemd_may_be_readable_by_its_group() {
    let origin = Origin::start(scripted(providers()));
    let route = config::sinohope(&origin.url(), None).replace("\"files\"", "\"credentials\"");
    let home =
        Home::new(&config::proxy(&[route, "[stores.credentials]\nkind = \"systemd\"\n".into()]));
    let directory = home.path("keys").display().to_string();
    // An access list for the service's user shows as the group's bit.
    fs::set_permissions(home.path("keys/sinohope.pem"), Permissions::from_mode(0o440))
        .expect("it is there");
    let elsewhere = [("CREDENTIALS_DIRECTORY", "/nonexistent")];
    let said = refused(&home, &elsewhere);
    assert!(said.contains("/nonexistent/sinohope.pem does not exist"), "{said}");
    let said = refused(&home, &[]);
    assert!(said.contains("the credential sinohope.pem is not there"), "{said}");
    assert!(said.contains("LoadCredential=sinohope.pem:"), "{said}");

    let proxy = Proxy::start_in(home, &[("CREDENTIALS_DIRECTORY", &directory)]);
    let mut client = Client::connect(proxy.forward_url());
    assert_eq!(client.exchange(get(&format!("{SINOHOPE}/x"))).status, 200);
}

/// What `check` says of a configuration whose keys cannot be opened.
fn refused(home: &Home, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(under_test());
    let command = command.args(["check", "proxy.toml"]).current_dir(home.path("."));
    let output = command.envs(variables.iter().copied()).output().expect("it can be run");
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
