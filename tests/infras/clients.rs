//! Programs with WebSockets, which know of no proxy, no token and no authority, under
//! `countersign exec`.

use std::process::{Command, Output, Stdio};

use super::wire::{HOST, home, judge, lasting};
use crate::clients::{installed, program};
use crate::support::client::run;
use crate::support::home::Home;
use crate::support::sockets::Echo;
use crate::support::under_test;

#[test]
fn sessions_of_python_and_node_need_no_change() {
    let echo = Echo::start(judge());
    // The listeners are on free ports in any case: exec starts a proxy of its own.
    let (home, _ca) = home("forward = \"127.0.0.1:0\"", &echo.url(), &lasting(3600));
    let binary = |name: &str| installed(name).display().to_string();
    let script = |name: &str| program(name).display().to_string();
    let mut opened = 0;
    for command in [
        vec![binary("venv/bin/python"), script("session.py"), "websockets".to_owned()],
        vec![binary("venv/bin/python"), script("session.py"), "aiohttp".to_owned()],
        vec![binary("bin/node"), script("session.mjs")],
    ] {
        for scheme in ["ws", "wss"] {
            let url = format!("{scheme}://{HOST}/mpc/sign");
            let output = exec(&home, &[&command[..], &[url]].concat());
            let said = String::from_utf8_lossy(&output.stdout);
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!(said, "the first round\n4001\n", "{command:?} {scheme}: {error}");
            opened += 1;
            assert_eq!(echo.arrived().len(), opened, "{command:?} {scheme}");
        }
    }
}

fn exec(home: &Home, command: &[String]) -> Output {
    let mut exec = Command::new(under_test());
    exec.args(["exec", "--quiet", "--"]).args(command).current_dir(home.path("."));
    run(exec.stdin(Stdio::null()))
}
