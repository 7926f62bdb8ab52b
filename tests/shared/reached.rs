//! How the store is reached: over TLS, as a user, by Sentinel, in a cluster; and what `check` says of it.

use std::fs;
use std::process::Output;

use tempfile::TempDir;

use crate::shared::home;
use crate::shared::load::{Load, arrived};
use crate::support::authority::Authority;
use crate::support::home::Home;
use crate::support::origin::{Origin, echo};
use crate::support::proxy::{Proxy, countersign};
use crate::support::redis::{KEY, Redis};

fn check(home: &Home) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        countersign(&["check", &home.path("proxy.toml").display().to_string()]);
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// Requests are signed by leases of this store.
fn signs(origin: &Origin, home: Home) {
    let before = origin.arrived().len();
    let proxy = Proxy::start_in(home, &[]);
    let load = Load::on(proxy.forward_url());
    load.await_more(20);
    load.end();
    assert!(arrived(origin) >= before + 20);
}

const USER: &str = "user = \"countersign\"\npassword = \"redis\"\n\
                    ca = \"redis-ca.pem\"\n[secrets.redis]\nstore = \"files\"\nentry = \"redis\"\n";

/// The bug: a certificate that is not looked at, a user that is not shown.
#[test]
fn over_tls_as_a_user_with_the_least_rights() {
    let origin = Origin::start(echo());
    let (authority, other) = (Authority::new(), Authority::new());
    let issued = authority.issue(&["127.0.0.1"], |_| ());
    let directory = TempDir::new().expect("a directory can be made");
    for (name, text) in
        [("cert.pem", issued.pem()), ("key.pem", issued.key_pem()), ("ca.pem", authority.pem())]
    {
        fs::write(directory.path().join(name), text).expect("it can be written");
    }
    let redis = Redis::tls(directory, "");
    redis.cli(&["HSET", KEY, "epoch", "test"]);
    let written = |password: &str, ca: &Authority| {
        let home = home(&origin, &redis.url(), USER);
        home.write("keys/redis", password);
        home.write("redis-ca.pem", &ca.pem());
        home
    };
    redis.cli(&["ACL", "SETUSER", "countersign", "on", ">hunter2", &format!("~{KEY}")]);
    let (code, said) = check(&written("hunter2", &authority));
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains("shared.redis cannot be used") && said.contains("fix: ACL SETUSER"),
        "{said}"
    );
    // The rights are those that the message names.
    let rights = said.split("ACL SETUSER countersign ").nth(1).and_then(|line| line.lines().next());
    let rights: Vec<&str> = rights.expect("it names them").split(' ').collect();
    redis.cli(&[&["ACL", "SETUSER", "countersign"][..], &rights].concat());
    let (code, said) = check(&written("hunter2", &authority));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("shared: redis 7.") && said.contains("may do what is needed"), "{said}");
    signs(&origin, written("hunter2", &authority));
    for (password, ca, words) in [
        ("hunter3", &authority, "shared.user and shared.password"),
        ("hunter2", &other, "certificate"),
    ] {
        let (code, said) = check(&written(password, ca));
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains(words) && !said.contains("hunter"), "{said}");
    }
}

/// The bug: a server that was the master is asked on.
#[test]
fn by_sentinel_and_in_a_cluster() {
    let origin = Origin::start(echo());
    let redis = Redis::start();
    let sentinel = Redis::sentinel(&redis);
    signs(&origin, home(&origin, &sentinel.url(), "sentinel = \"mymaster\"\n"));
    assert_eq!(redis.lanes().len(), 1);
    let (code, said) = check(&home(&origin, &sentinel.url(), "sentinel = \"another\"\n"));
    assert_eq!(code, Some(78), "{said}");
    let cluster = Redis::young("cluster-enabled yes\n");
    cluster.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    crate::support::wait::eventually("the cluster has all slots", || {
        cluster.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
    });
    cluster.cli(&["HSET", KEY, "epoch", "test"]);
    signs(&origin, home(&origin, &cluster.url(), "cluster = true\n"));
    assert_eq!(cluster.lanes().len(), 1);
    let (code, said) = check(&home(&origin, &cluster.url(), "cluster = true\n"));
    assert_eq!(code, Some(0), "{said}");
}

/// The bug: Sentinels that want a password cannot be asked, or are shown the server's.
#[test]
fn sentinels_are_shown_a_password_of_their_own() {
    let origin = Origin::start(echo());
    let redis = Redis::start();
    let sentinel = Redis::sentinel_with(&redis, "requirepass hunter4\n");
    let written = |lines: &str, password: &str| {
        let secret = "[secrets.sentinel]\nstore = \"files\"\nentry = \"sentinel\"\n";
        let lines = format!("sentinel = \"mymaster\"\n{lines}{secret}");
        let home = home(&origin, &sentinel.url(), &lines);
        home.write("keys/sentinel", password);
        home
    };
    let shown = "sentinel_password = \"sentinel\"\n";
    let user = format!("sentinel_user = \"default\"\n{shown}");
    for lines in [shown, &user] {
        signs(&origin, written(lines, "hunter4"));
    }
    let stranger = format!("sentinel_user = \"nobody\"\n{shown}");
    for (lines, password) in [("", "hunter4"), (shown, "hunter5"), (&stranger, "hunter4")] {
        let (code, said) = check(&written(lines, password));
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains("shared.sentinel_password") && !said.contains("hunter"), "{said}");
    }
}

/// The bug: what is doubtful about a store is found out when it has lost the leases.
#[test]
fn check_says_what_is_doubtful_and_run_begins_without_a_store() {
    let origin = Origin::start(echo());
    let redis = Redis::young("maxmemory 100mb\nmaxmemory-policy allkeys-lru\n");
    let written = home(&origin, &redis.url(), "replicas = 1\n");
    let (code, said) = check(&written);
    assert_eq!(code, Some(0), "{said}");
    for words in ["maxmemory-policy allkeys-lru", "has 0 replicas, and shared.replicas is 1"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(redis.cli(&["EXISTS", KEY]).trim(), "0", "check has left something behind");
    drop(redis);
    let (code, said) = check(&written);
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains("shared.redis cannot be used") && said.contains("can be reached"),
        "{said}"
    );
    let proxy = Proxy::start_in(written, &[]);
    proxy.await_output("shared.redis cannot be used");
    assert_eq!(proxy.metric("countersign_leases_missing"), 1);
}
