//! Upstreams at Unix sockets: requests arrive there as at a port, and nothing is sent to a socket that
//! another user could have put there.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{ask, metasv, refusal, text};
use crate::support::client::{Client, Reply};
use crate::support::config;
use crate::support::home::Home;
use crate::support::local::{NOBODY, Nobodys, Relay};
use crate::support::origin::{self, Origin};
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, post};

/// A directory that everybody may enter, and a place for a socket in it.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory can be made");
        mode(directory.path(), 0o755);
        Self { directory }
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("provider.sock")
    }

    /// A proxy that signs for MetaSV and sends there.
    fn proxy(&self, lines: &str) -> Proxy {
        Proxy::start(&metasv(&format!("unix:{}", self.socket().display()), lines))
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

fn untrusted(reply: &Reply, why: &str) -> String {
    assert_eq!(refusal(reply), (502, "upstream_untrusted".to_owned()), "{why}");
    let problem = reply.json();
    assert!(text(&problem, "detail").contains(why), "{why}: {problem}");
    assert!(text(&problem, "remedy").starts_with("Nothing was sent."), "{problem}");
    text(&problem, "detail")
}

#[test]
fn requests_arrive_at_a_socket_as_they_do_at_a_port() {
    let (place, origin) = (Place::new(), Origin::start(origin::scripted(origin::metasv("test-a"))));
    let relay = Relay::start(&place.socket(), &origin.url());
    let tables = "[timeouts]\nresponse_head = \"1s\"\n";
    let proxy = place.proxy(tables);
    for _ in 0..3 {
        assert_eq!(ask(&proxy, "/x").status, 200);
    }
    let reply = Client::connect(proxy.forward_url()).exchange(post(METASV, r#"{"a":1}"#));
    assert_eq!(reply.status, 200);
    let arrived = origin.arrived();
    assert_eq!((arrived.len(), origin.connections()), (4, 1), "the connection is kept");
    for request in &arrived {
        assert_eq!(
            request.values("Host"),
            ["apiv2.metasv.com"],
            "the routed host is signed and sent"
        );
    }
    // A socket has deadlines too, and one that nobody listens at is not there.
    let reply = ask(&proxy, "/slow-head");
    assert_eq!(refusal(&reply), (504, "upstream_timeout".to_owned()));
    drop(relay);
    // The socket's file is still there.
    let reply = ask(&proxy, "/x");
    assert_eq!(refusal(&reply), (502, "upstream_unreachable".to_owned()));
    let detail = text(&reply.json(), "detail");
    assert!(detail.contains(&format!("unix:{}", place.socket().display())), "{detail}");
}

#[test]
fn a_route_without_a_host_asks_a_socket_for_localhost() {
    let (place, origin) = (Place::new(), Origin::start(origin::echo()));
    let _relay = Relay::start(&place.socket(), &origin.url());
    let table = format!(
        "[keys.metasv]\nstore = \"files\"\nentry = \"metasv.hex\"\nalgorithm = \"ecdsa_secp256k1\"\n\
         [routes.local]\nscheme = \"metasv\"\nkeys = {{ signer = \"metasv\" }}\nupstream = \"local\"\n\
         [upstreams.local]\nurl = \"unix:{}\"\n",
        place.socket().display()
    );
    let proxy = Proxy::start(&config::proxy(&[table]));
    let url = proxy.gateway_url();
    let host = url.trim_start_matches("http://");
    let request = format!("GET /local/x HTTP/1.1\r\nHost: {host}\r\n\r\n");
    assert_eq!(Client::connect(url).exchange(request).status, 200);
    let arrived = origin.arrived();
    assert_eq!((arrived[0].values("Host"), arrived[0].target.as_str()), (vec!["localhost"], "/x"));
}

#[test]
fn nothing_is_sent_to_a_socket_that_others_could_put_there_or_open() {
    let (place, origin) = (Place::new(), Origin::start(origin::metasv("test-a")));
    let _relay = Relay::start(&place.socket(), &origin.url());
    let proxy = place.proxy("idle_connections = 0\n");
    let (directory, socket) = (place.directory().to_owned(), place.socket());
    let cases = [
        (&directory, 0o777, "can be written by others (mode 0777)"),
        (&directory, 0o775, "can be written by its group (mode 0775)"),
        (&socket, 0o777, "can be written by others (mode 0777)"),
        (&socket, 0o602, "can be written by others (mode 0602)"),
    ];
    for (connections, (path, open, why)) in cases.into_iter().enumerate() {
        mode(path, open);
        let detail = untrusted(&ask(&proxy, "/x"), why);
        assert_eq!(origin.connections(), connections, "{why}");
        // The command that mends it is the last thing that is said.
        let fix = detail.rsplit_once('(').and_then(|(_, fix)| fix.strip_suffix(')'));
        let fix = fix.unwrap_or_else(|| panic!("{detail}"));
        let mended = Command::new("sh").args(["-c", fix]).status();
        assert!(mended.expect("sh can be run").success(), "{fix}");
        assert_eq!(ask(&proxy, "/x").status, 200, "{fix}");
    }
    // In a sticky directory it is nobody's but ours.
    mode(&directory, 0o1777);
    assert_eq!(ask(&proxy, "/x").status, 200);
}

#[test]
fn another_user_is_not_the_provider_unless_it_is_named() {
    let place = Place::new();
    mode(place.directory(), 0o1777);
    let _theirs = Nobodys::start(&place.socket());
    let proxy = place.proxy("");
    untrusted(&ask(&proxy, "/x"), &format!("belongs to user {NOBODY}"));
    // A file of ours where another user's process listens: that it was bound is not enough.
    chown(place.socket(), Some(0), Some(0)).expect("tests of other users run as root");
    untrusted(&ask(&proxy, "/x"), &format!("a process of user {NOBODY} listens there"));
    let named = format!("unix:{}", place.socket().display());
    for (uid, status) in [(NOBODY, 200), (1, 502)] {
        proxy.reload(&metasv(&named, &format!("socket_uid = {uid}\n")), true);
        assert_eq!(ask(&proxy, "/x").status, status, "{uid}");
    }
    // A directory of theirs, on the way.
    chown(place.socket(), Some(NOBODY), None).expect("we are root");
    chown(place.directory(), Some(NOBODY), None).expect("we are root");
    proxy.reload(&metasv(&named, &format!("socket_uid = {NOBODY}\n")), true);
    assert_eq!(ask(&proxy, "/x").status, 200);
    proxy.reload(&metasv(&named, ""), true);
    let shown = place.directory().display().to_string();
    untrusted(&ask(&proxy, "/x"), &format!("{shown} belongs to user {NOBODY}"));
}

#[test]
fn check_says_what_would_be_refused_and_starts_all_the_same() {
    let (place, origin) = (Place::new(), Origin::start(origin::metasv("test-a")));
    let url = format!("unix:{}", place.socket().display());
    let home = Home::new(&metasv(&url, ""));
    let check = || {
        let output = Command::new(crate::support::under_test())
            .args(["check"])
            .current_dir(home.path("."))
            .output();
        let output = output.expect("the binary can be run");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(check().contains("all good"), "a service may come later");
    let _relay = Relay::start(&place.socket(), &origin.url());
    assert!(check().contains("all good"));
    mode(&place.socket(), 0o666);
    let said = check();
    assert!(said.contains("1 warning") && said.contains("nothing will be sent there: "), "{said}");
    assert!(said.contains(&format!("fix: chmod o-w {}", place.socket().display())), "{said}");
    let explain = Command::new(crate::support::under_test())
        .args(["explain", "--url", &format!("{METASV}/x")])
        .current_dir(home.path("."))
        .output();
    let said = String::from_utf8_lossy(&explain.expect("it runs").stdout).into_owned();
    assert!(said.contains(&format!("\nupstream   {url}\n")), "{said}");
    assert_eq!(origin.connections(), 0);
}
