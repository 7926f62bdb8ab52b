//! Other users of the machine, where no tokens are asked for: the kernel says whose a connection is.

use std::process::Command;
use std::thread;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use serde_json::Value;

use crate::support::client::{Client, run};
use crate::support::config;
use crate::support::home::Home;
use crate::support::origin::{Origin, providers};
use crate::support::process::refused_start;
use crate::support::proxy::Proxy;
use crate::support::stage::{METASV, Stage, get};
use crate::support::under_test;

/// A command that runs another as the user `nobody`, with nothing of its environment.
pub(crate) fn nobody() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.args(["env", "-i", "PATH=/usr/bin:/bin"]);
    command
}

/// What `nobody` is answered on the forward listener and at the gateway: statuses, and the last body.
fn asked(stage: &Stage) -> (Vec<String>, Value) {
    let forward = vec!["-x", stage.proxy.forward_url()];
    let (by_gateway, url) =
        (format!("{}/metasv/x", stage.proxy.gateway_url()), format!("{METASV}/x"));
    let mut body = Vec::new();
    let mut ask = |arguments: Vec<&str>| {
        let mut command = nobody();
        command.args(["curl", "--disable", "-s", "-w", "%{stderr}%{http_code}"]).args(arguments);
        let output = run(&mut command);
        body = output.stdout;
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let statuses = vec![ask([forward, vec![&url]].concat()), ask(vec![&by_gateway])];
    (statuses, serde_json::from_slice(&body).unwrap_or_default())
}

#[test]
fn another_user_is_served_where_it_is_named_and_told_how_where_it_is_not() {
    let stage = Stage::new("");
    let mut arrived = 0;
    for (users, status) in [
        ("", "403"),
        ("users = [\"1\"]", "403"),
        ("users = [\"65534\"]", "200"),
        ("users = [\"1\", \"any\"]", "200"),
        ("users = []", "403"),
    ] {
        stage.proxy.reload(&stage.configuration(&format!("[access]\n{users}\n")), true);
        let (statuses, body) = asked(&stage);
        assert_eq!(statuses, [status; 2], "{users}");
        if status == "200" {
            arrived += 2;
        } else {
            let said = |member: &str| body[member].as_str().unwrap_or_default().to_owned();
            assert_eq!(said("code"), "client_not_allowed", "{users}");
            assert!(said("detail").contains("user 65534's"), "{}", said("detail"));
            assert!(said("remedy").contains("users = [\"65534\"] below [access]"), "{body}");
        }
        // Our own requests are served in any case.
        assert_eq!(stage.exchange(get(&format!("{METASV}/own"))).status, 200, "{users}");
        arrived += 1;
    }
    assert_eq!(stage.origin.arrived().len(), arrived);
}

#[test]
fn a_request_of_another_user_who_has_left_is_not_signed() {
    let stage = Stage::new("");
    let port = stage.proxy.forward_url().rsplit(':').next().unwrap_or_default().to_owned();
    let script = "exec 3<>/dev/tcp/127.0.0.1/$1
        printf 'GET %s/x HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n' $2 >&3
        exec 3>&-";
    for _ in 0..20 {
        let output = run(nobody().args(["bash", "-c", script, "bash", &port, METASV]));
        assert!(output.status.success(), "{output:?}");
    }
    // Connections are taken in their order, so those were there before this one.
    assert_eq!(stage.exchange(get(&format!("{METASV}/own"))).status, 200);
    stage.proxy.await_metric("countersign_requests_open", 0);
    let arrived = stage.origin.arrived();
    assert_eq!(arrived.iter().map(|one| one.target.as_str()).collect::<Vec<_>>(), ["/own"]);
}

#[test]
fn a_connection_that_came_when_users_did_not_matter_has_to_come_again() {
    let access = |users: &str| format!("[access]\nusers = [{users}]\n");
    let stage = Stage::new(&access("\"any\""));
    let mut kept = stage.client();
    let request = || get(&format!("{METASV}/x"));
    assert_eq!(kept.exchange(request()).status, 200);
    stage.proxy.reload(&stage.configuration(&access("")), true);
    let refused = kept.exchange(request());
    assert_eq!((refused.status, &refused.json()["remedy"]), (403, &"Connect again.".into()));
    assert_eq!(stage.exchange(request()).status, 200);
    assert_eq!(stage.origin.arrived().len(), 2);
}

#[test]
fn where_the_kernel_may_not_be_asked_the_refusal_says_so() {
    // What a thread starts has its filter.
    let restricted = thread::spawn(|| {
        without_netlink();
        Stage::new("")
    });
    let stage = restricted.join().expect("it starts all the same");
    let request = || get(&format!("{METASV}/x"));
    let refused = stage.exchange(request());
    let said = refused.json();
    let (detail, remedy) = (said["detail"].to_string(), said["remedy"].to_string());
    assert!(refused.status == 403 && detail.contains("Address family not supported"), "{said}");
    assert!(remedy.contains("AF_NETLINK in RestrictAddressFamilies="), "{said}");
    let any = stage.configuration("[access]\nusers = [\"any\"]\n");
    stage.proxy.reload(&any, true);
    assert_eq!(stage.exchange(request()).status, 200);
}

/// As systemd's `RestrictAddressFamilies=` has it, for this thread.
fn without_netlink() {
    let netlink = u64::from(libc::AF_NETLINK.cast_unsigned());
    let is_it = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, netlink);
    let rule = SeccompRule::new(vec![is_it.expect("there is such an argument")]);
    let rules = [(libc::SYS_socket, vec![rule.expect("it has a condition")])];
    let refused = SeccompAction::Errno(libc::EAFNOSUPPORT.cast_unsigned());
    let arch = std::env::consts::ARCH.try_into().expect("the architecture is known");
    let filter = SeccompFilter::new(rules.into(), SeccompAction::Allow, refused, arch);
    let program: BpfProgram = filter.expect("it is one").try_into().expect("it is short");
    seccompiler::apply_filter(&program).expect("the kernel takes it");
}

#[test]
fn a_user_that_the_proxys_namespace_does_not_know_counts_as_nobody() {
    let origin = Origin::start(providers());
    for (users, status) in [("[]", "403"), ("[\"1001\"]", "403"), ("[\"65534\"]", "200")] {
        // Its root is this user, and there is nobody else.
        let mut inside = Command::new("unshare");
        inside.args(["--user", "--map-root-user"]).arg(under_test());
        let access = format!("[access]\nusers = {users}\n");
        let config = config::proxy(&[config::metasv(&origin.url(), None), access]);
        let proxy = Proxy::start_by(inside, Home::new(&config), &[]);
        let mut command = Command::new("setpriv");
        command.args(["--reuid=1001", "--regid=1001", "--clear-groups", "curl", "--disable", "-s"]);
        command.args(["-w", "%{stderr}%{http_code}", "-x", proxy.forward_url()]);
        let output = run(command.arg(format!("{METASV}/x")));
        assert_eq!(String::from_utf8_lossy(&output.stderr), status, "{users}: {output:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.contains("user 65534's"), status == "403", "{users}: {said}");
        let own = Client::connect(proxy.forward_url()).exchange(get(&format!("{METASV}/own")));
        assert_eq!(own.status, 200, "{users}");
    }
}

#[test]
fn keys_are_named_to_those_who_could_use_them() {
    let stage = Stage::new("");
    let url = format!("{}/readyz", stage.proxy.admin_url());
    let output = run(nobody().args(["curl", "--disable", "-s", "--fail", &url]));
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON, with 200");
    assert_eq!((&said["state"], &said["self_tested_keys"]), (&"ready".into(), &Value::Null));
    let own = stage.proxy.probe("/readyz").json();
    assert_eq!(own["self_tested_keys"].as_array().map(Vec::len), Some(2), "{own}");
}

#[test]
fn users_without_a_token_are_not_named_where_all_need_one() {
    let access = config::TOKENS.replace("[access]", "[access]\nusers = [\"1001\"]");
    assert_ne!(access, config::TOKENS);
    let home = Home::new(&config::proxy(&[config::metasv("http://127.0.0.1:9", None), access]));
    home.write(config::TOKENS_FILE, &config::client_tokens(&[("app", "t0ken")]));
    let (code, text) = refused_start(&home);
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("access.users is for clients without a token"), "{text}");
}
