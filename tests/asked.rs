//! Reloads that are asked for, or that a changed file brings; what supervisors are told.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::access::users::nobody;
use crate::support::client::{curl, run};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, echo};
use crate::support::proxy::{Proxy, Signal};
use crate::support::under_test;

fn post(proxy: &Proxy, path: &str) -> (u16, Value) {
    let url = format!("{}{path}", proxy.admin_url());
    let output = curl(["-s", "-X", "POST", "-w", "\n%{http_code}", &url]);
    let text = String::from_utf8(output.stdout).expect("text");
    let (body, status) = text.rsplit_once('\n').expect("curl writes the status");
    (status.parse().expect("a status"), serde_json::from_str(body).unwrap_or_default())
}

fn configuration(origin: &Origin, more: &str) -> String {
    config::proxy(&[config::metasv(&origin.url(), None), more.to_owned()])
}

#[test]
fn a_reload_that_is_asked_for_says_what_changed_or_what_is_wrong() {
    let origin = Origin::start(echo());
    let proxy = Proxy::start(&configuration(&origin, ""));
    let ready = || -> Value { serde_json::from_slice(&proxy.probe("/readyz").body).expect("JSON") };
    assert_eq!(ready()["last_reload"], Value::Null);
    let (status, said) = post(&proxy, "/reload");
    assert_eq!((status, &said["changed"]), (200, &json!([])));
    let other = config::sinohope(&origin.url(), None);
    proxy.home().write(
        "proxy.toml",
        &configuration(&origin, &format!("{other}[timeouts]\ndrain = \"3s\"\n")),
    );
    let (status, said) = post(&proxy, "/reload");
    let changed: Vec<_> = said["changed"].as_array().expect("a list").iter().collect();
    assert_eq!((status, said["reloaded"].as_bool()), (200, Some(true)));
    for name in ["routes.sinohope (new)", "timeouts"] {
        assert!(changed.contains(&&json!(name)), "{said}");
    }
    assert!(!changed.contains(&&json!("routes.metasv")), "{said}");
    // A wrong one changes nothing, and says so where it can be seen.
    proxy.home().write("proxy.toml", &configuration(&origin, "[routs.x]\n"));
    let (status, said) = post(&proxy, "/reload");
    assert_eq!((status, said["reloaded"].as_bool()), (422, Some(false)));
    assert!(said["errors"].to_string().contains("there is no table"), "{said}");
    assert_eq!(ready()["last_reload"]["reloaded"], json!(false));
    assert_eq!(ready()["routes"], json!(["metasv", "sinohope"]));
    proxy.await_metric("countersign_reloads_total{result=\"failed\"}", 1);
    proxy.await_metric("countersign_reloads_total{result=\"ok\"}", 2);
    // It is asked for by POST, by whom requests are signed for.
    assert_eq!(proxy.probe("/reload").status, 405);
    let url = format!("{}/reload", proxy.admin_url());
    let mut command = nobody();
    command.args(["curl", "--disable", "-s", "-o", "/dev/null", "-w", "%{http_code}"]);
    let output = run(command.args(["-X", "POST", &url]));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "403");
    let foreign =
        curl(["-s", "-X", "POST", "-H", "Origin: https://evil.test", "-w", "%{http_code}", &url]);
    assert!(String::from_utf8_lossy(&foreign.stdout).contains("cross_site"));
}

#[test]
fn a_file_that_is_watched_is_read_when_it_has_changed() {
    let origin = Origin::start(echo());
    let home = Home::new(&configuration(&origin, ""));
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" --watch"]).arg(under_test());
    let proxy = Proxy::start_by(command, home, &[]);
    let other = config::sinohope(&origin.url(), None);
    proxy.home().write("proxy.toml", &configuration(&origin, &other));
    proxy.await_output("routes.sinohope (new)");
    proxy.home().write("proxy.toml", "nonsense");
    proxy.await_output("not reloaded");
    proxy.home().write("proxy.toml", &configuration(&origin, ""));
    proxy.await_output("routes.sinohope (gone)");
}

#[test]
fn a_supervisor_is_told_what_the_process_does() {
    let origin = Origin::start(echo());
    let home = Home::new(&configuration(&origin, ""));
    let at = home.path("notify");
    let socket = UnixDatagram::bind(&at).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let at = at.display().to_string();
    let told = |wanted: &str| {
        let mut heard = [0; 256];
        for _ in 0..2_000 {
            let length = socket.recv(&mut heard).expect("it says something");
            let said = String::from_utf8_lossy(&heard[..length]).into_owned();
            if said.starts_with(wanted) {
                return;
            }
            assert_eq!(said, "WATCHDOG=1", "while {wanted} was to come");
        }
        panic!("{wanted} never came");
    };
    let variables = [("NOTIFY_SOCKET", at.as_str()), ("WATCHDOG_USEC", "40000")];
    let mut proxy = Proxy::start_in(home, &variables);
    told("READY=1");
    told("WATCHDOG=1");
    proxy.signal(Signal::Hangup);
    told("RELOADING=1\nMONOTONIC_USEC=");
    told("READY=1");
    proxy.signal(Signal::Terminate);
    told("STOPPING=1");
    assert!(proxy.wait_exit(Duration::from_secs(30)).success());
}
