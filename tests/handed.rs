//! Socket activation: listeners that systemd has bound, and clients that were there before the process.

use std::fs::{self, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::support::client::Client;
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers, scripted};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, get};
use crate::support::under_test;
use crate::support::wait::{DEADLINE, eventually, limited};

/// What systemd does for a socket unit: binds these, and becomes the program when somebody connects.
fn activating(mut command: Command, places: &[&str]) -> Command {
    command.args(["--setenv=XDG_STATE_HOME"]);
    command.args(places.iter().map(|place| format!("--listen={place}"))).arg(under_test());
    command
}

/// A port that nobody has, at an address that no other test uses.
fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.78:0").expect("a port is free");
    listener.local_addr().expect("it is bound").to_string()
}

fn configured(forward: &str, home: &Path, origin: &Origin) -> String {
    let admin = home.join("admin");
    let listeners = format!("forward = \"{forward}\"\nadmin = \"unix:{}\"\n", admin.display());
    config::listening(&listeners, &[config::metasv(&origin.url(), None)])
}

/// A request that came before the process is answered by it, so that a restart loses none; and what
/// systemd has bound stays when the process ends.
#[test]
fn listeners_that_are_handed_over_are_served_and_left_behind() {
    let origin = Origin::start(scripted(providers()));
    let (home, forward) = (Home::new(""), free_port());
    home.write("proxy.toml", &configured(&forward, &home.path("."), &origin));
    let admin = home.path("./admin");
    let command = activating(Command::new(ACTIVATE), &[&forward, &admin.display().to_string()]);
    let url = format!("http://{forward}");
    let waiting = thread::spawn(move || {
        eventually("systemd listens", || TcpStream::connect(&forward).is_ok());
        let mut client = Client::connect(&format!("http://{forward}"));
        client.exchange(get(&format!("{METASV}/waiting"))).status
    });
    let mut proxy = Proxy::start_by(command, home, &[]);
    assert_eq!(waiting.join().expect("the client was answered"), 200);
    assert_eq!(proxy.forward_url(), url);
    assert_eq!(proxy.probe("/readyz").status, 200);
    assert_eq!(origin.arrived().len(), 1);
    proxy.finish(DEADLINE);
    assert!(admin.exists(), "the socket is systemd's");
}

#[test]
fn a_socket_without_a_listener_or_open_to_others_stops_the_start() {
    let origin = Origin::start(scripted(providers()));
    for (mode, listens, said) in [
        (0o600, "other", "and no listener is there"),
        (0o622, "admin", "write SocketMode=0600 in its socket unit"),
    ] {
        let home = Home::new("");
        home.write("proxy.toml", &configured("127.0.0.1:0", &home.path("."), &origin));
        let socket = home.path(format!("./{listens}"));
        let mut command = activating(limited(ACTIVATE), &[&socket.display().to_string()]);
        let command = command.args(["run", "proxy.toml"]).current_dir(home.path("."));
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let child: Child = child.expect("it can be run");
        eventually("systemd listens", || socket.exists());
        fs::set_permissions(&socket, Permissions::from_mode(mode)).expect("it is ours");
        eventually("somebody could connect", || UnixStream::connect(&socket).is_ok());
        let output = child.wait_with_output().expect("it ends");
        let written = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(written.contains(said), "{written}");
        assert!(!output.status.success(), "{written}");
        assert!(fs::symlink_metadata(&socket).is_ok(), "it is left as it was");
    }
}

const ACTIVATE: &str = "systemd-socket-activate";
