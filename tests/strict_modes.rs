//! What others can change is not believed: no command that reads it starts, no reload takes it up, and
//! the command that is named mends it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::{Command, Output};

use crate::declared;
use crate::support::authority::Authority;
use crate::support::config::{self, CA_FILE, CA_KEY_FILE, INTERCEPT};
use crate::support::home::Home;
use crate::support::process::refused_start;
use crate::support::proxy::{Proxy, Signal};
use crate::support::signer::own_grant;
use crate::support::under_test;
use crate::support::wait::{DEADLINE, eventually};

/// A configuration that names a file of every kind that is believed.
fn home() -> Home {
    let authority = Authority::new();
    let sinohope = config::sinohope("https://127.0.0.1:1", Some(Path::new("provider.pem")));
    let tables = [
        sinohope + "client_cert = \"client.pem\"\nclient_key = \"client_key\"\n",
        "[secrets.client_key]\nstore = \"files\"\nentry = \"client.pem\"\n".to_owned(),
        "[schemes.json]\nfile = \"json.toml\"\n".to_owned(),
        config::cobo_rules("keygen = \"allow\""),
        INTERCEPT.to_owned(),
    ];
    let home = Home::new(&config::proxy(&tables));
    let client = authority.issue(&["proxy.test"], |_| ());
    home.write(CA_FILE, &authority.pem());
    home.write(CA_KEY_FILE, &authority.key_pem());
    home.write("provider.pem", &authority.pem());
    home.write("client.pem", &client.pem());
    home.write("keys/client.pem", &client.key_pem());
    home.write("json.toml", declared::JSON);
    home.write("audit.jsonl", "");
    home
}

/// What can be written by others, and what the message begins with.
const BELIEVED: &[(&str, &str)] = &[
    ("proxy.toml", ""),
    ("ca.pem", "intercept.ca_cert: "),
    ("json.toml", "schemes.json: "),
    ("provider.pem", "upstreams.sinohope_origin: ca: "),
    ("client.pem", "upstreams.sinohope_origin: client_cert: "),
    ("cobo-node-public.pem", "routes.cobo: params.verify_with: "),
    ("audit.jsonl", "routes.cobo.decide: audit: "),
    ("keys", "keys.sinohope: the directory "),
    (".", "intercept.ca_cert: the directory "),
];

fn run(home: &Home, arguments: &[&str]) -> Output {
    let mut command = Command::new(under_test());
    command.args(arguments).current_dir(home.path(".")).env("XDG_STATE_HOME", home.path("state"));
    command.output().expect("the binary can be run")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

fn place(home: &Home, name: &str) -> String {
    fs::canonicalize(home.path(name)).expect("it is there").display().to_string()
}

/// Runs what the message says.
fn mend(said: &str, path: &str) {
    let fix = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("fix: ch").filter(|fix| fix.ends_with(path)));
    let fix = fix.unwrap_or_else(|| panic!("{path} is not mended by: {said}"));
    let mended = Command::new("sh").args(["-c", &format!("ch{fix}")]).status();
    assert!(mended.expect("sh can be run").success(), "{fix}");
}

#[test]
fn every_file_that_is_believed_is_refused_while_others_can_write_it() {
    let home = home();
    let good = run(&home, &["check"]);
    assert!(good.status.success(), "{good:?}");
    for (name, subject) in BELIEVED {
        let (path, before) = (place(&home, name), home.path(name));
        let before = fs::metadata(before).expect("it is there").permissions();
        mode(&home.path(name), before.mode() | 0o022);
        let what = format!("{subject}{path} can be written by others (mode ");
        for command in [
            &["check"][..],
            &["exec", "--config", "proxy.toml", "--", "true"],
            &["explain", "--url", "http://api.sinohope.com/v1/test"],
        ] {
            let output = run(&home, command);
            let said = said(&output);
            assert_eq!(output.status.code(), Some(78), "{name} {command:?}: {said}");
            assert!(said.contains(&what), "{what} is not in: {said}");
        }
        let (code, said) = refused_start(&home);
        assert_eq!(code, Some(78), "{name}: {said}");
        mend(&said, &path);
        let output = run(&home, &["check"]);
        assert!(output.status.success(), "{name}: {output:?}");
    }
}

#[test]
fn all_that_others_can_change_is_told_at_once_with_its_places() {
    let home = home();
    let names = BELIEVED.iter().filter(|(name, _)| !matches!(*name, "." | "proxy.toml" | "keys"));
    let mut expected = Vec::new();
    for (name, subject) in names {
        mode(&home.path(name), 0o660);
        expected.push(format!(
            "{subject}{} can be written by its group (mode 0660)",
            place(&home, name)
        ));
    }
    home.write("keys/sinohope.pem", "no key");
    let text = fs::read_to_string(home.path("proxy.toml")).expect("it is there");
    let output = run(&home, &["check", "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let errors = found["errors"].as_array().expect("a list").clone();
    assert_eq!(errors.len(), expected.len() + 1, "the key that is none is told of too: {found:#}");
    for what in expected {
        let error = errors.iter().find(|error| error["what"] == what.as_str());
        let error = error.unwrap_or_else(|| panic!("{what} is not in {found:#}"));
        assert_eq!(error["code"], "file_distrusted");
        let line = error["line"].as_u64().and_then(|line| usize::try_from(line).ok());
        let line = line.and_then(|line| text.lines().nth(line - 1)).expect("a line");
        assert!(!line.trim().is_empty(), "{error}");
    }
    // Of a file that anybody may have written, no key is opened: a store may be a command.
    mode(&home.path("proxy.toml"), 0o666);
    let said = said(&run(&home, &["check"]));
    assert!(!said.contains("keys.sinohope"), "{said}");
    // Where no keys are, files are not where they will be believed: a checkout in CI.
    let output = run(&home, &["check", "--without-keys"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("warning: "), "{output:?}");
}

#[test]
fn a_key_of_another_user_is_refused_and_one_of_roots_is_not() {
    let home = home();
    let (pem, path) = (home.path("keys/sinohope.pem"), place(&home, "keys/sinohope.pem"));
    chown(&pem, Some(65534), None).expect("tests of other users run as root");
    let output = run(&home, &["check"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(78), "{said}");
    let what =
        format!("keys.sinohope: {path} belongs to user 65534, who can change it\n  fix: chown 0 ");
    assert!(said.contains(&what), "{said}");
    mend(&said, &path);
    assert!(run(&home, &["check"]).status.success());
    // The other way round: the proxy is another user, and root's files are root's.
    for name in [".", "keys", "proxy.toml"] {
        mode(&home.path(name), 0o755);
    }
    let small = Home::new(&config::proxy(&[config::sinohope("http://127.0.0.1:1", None)]));
    for (name, bits) in [(".", 0o755), ("keys", 0o755), ("proxy.toml", 0o644)] {
        mode(&small.path(name), bits);
    }
    chown(small.path("keys/sinohope.pem"), Some(65534), None).expect("we are root");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(under_test());
    let output = command.arg("check").current_dir(small.path(".")).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_reload_takes_up_nothing_that_others_can_change() {
    let home = home();
    let mut proxy = Proxy::start_in(home.clone(), &[]);
    let text = fs::read_to_string(home.path("proxy.toml")).expect("it is there");
    proxy.reload(&text, true);
    for name in ["proxy.toml", "ca.pem", "keys"] {
        let before = fs::metadata(home.path(name)).expect("it is there").permissions().mode();
        mode(&home.path(name), before | 0o022);
        proxy.reload(&text, false);
        proxy.await_output(&format!("{} can be written by others", place(&home, name)));
        mode(&home.path(name), before);
    }
    proxy.reload(&text, true);
    proxy.finish(DEADLINE);
}

#[test]
fn a_signer_believes_nothing_that_others_can_change() {
    let home = Home::new("");
    let listen = format!("listen = \"unix:{}\"\n", home.path("signer.sock").display());
    let keys = "[keys.sinohope]\nstore = \"files\"\nentry = \"sinohope.pem\"\n";
    let store = "[stores.files]\nkind = \"file\"\ndir = \"keys\"\n";
    let grant = own_grant("sinohope");
    let text = format!("[signer]\n{listen}audit = \"audit.jsonl\"\n{grant}{store}{keys}");
    home.write("signer.toml", &text);
    home.write("audit.jsonl", "");
    let signer = ["signer", "--config", "signer.toml"];
    for (name, subject) in [
        ("signer.toml", "signer.toml: "),
        ("audit.jsonl", "signer.audit: "),
        ("keys", "keys.sinohope: the directory "),
        (".", "signer.audit: the directory "),
    ] {
        let before = fs::metadata(home.path(name)).expect("it is there").permissions().mode();
        let path = place(&home, name);
        mode(&home.path(name), before | 0o022);
        for arguments in [&signer[..], &["signer", "--config", "signer.toml", "--check"]] {
            // One that starts all the same must not outlive the test.
            let mut command = Command::new("timeout");
            command.arg("20").arg(under_test()).args(arguments).current_dir(home.path("."));
            let output = command.output().expect("it runs");
            let said = said(&output);
            assert_eq!(output.status.code(), Some(78), "{name}: {said}");
            assert!(said.contains(&format!("{subject}{path} can be written by others")), "{said}");
        }
        mode(&home.path(name), before);
    }
    let proxy = Proxy::signer_in(home.clone());
    mode(&home.path("signer.toml"), 0o666);
    proxy.signal(Signal::Hangup);
    eventually("the reload is refused", || proxy.output().contains(": not reloaded"));
    proxy.await_output("can be written by others");
}

#[test]
fn a_program_that_others_can_change_is_not_run() {
    let text = |program: &str| {
        format!(
            "[listen]\nforward = \"127.0.0.1:0\"\n[stores.own]\nkind = \"exec\"\n\
             command = [\"{program}\"]\n[keys.metasv]\nstore = \"own\"\nentry = \"metasv\"\n\
             algorithm = \"ecdsa_secp256k1\"\n[routes.metasv]\nhost = \"apiv2.metasv.com\"\n\
             scheme = \"metasv\"\nkeys = {{ signer = \"metasv\" }}\n"
        )
    };
    let home = Home::new("");
    let program = home.path("program");
    home.write("proxy.toml", &text(&program.display().to_string()));
    home.write("program", "#!/bin/sh\necho >>ran\ncat keys/metasv.hex\n");
    mode(&program, 0o700);
    assert!(run(&home, &["check"]).status.success());
    fs::remove_file(home.path("ran")).expect("it has run");
    mode(&program, 0o777);
    let output = run(&home, &["check"]);
    let said = said(&output);
    assert!(said.contains("/program can be written by others (mode 0777)"), "{said}");
    assert!(!home.path("ran").exists(), "it has run");
}

/// Who may write where `PATH` leads can run what he likes as this user in any case.
#[test]
fn a_program_that_path_finds_is_run_as_it_is() {
    let home = Home::new(
        "[listen]\nforward = \"127.0.0.1:0\"\n[stores.own]\nkind = \"exec\"\n\
         command = [\"print-a-key\"]\n[keys.metasv]\nstore = \"own\"\nentry = \"keys/metasv.hex\"\n\
         algorithm = \"ecdsa_secp256k1\"\n[routes.metasv]\nhost = \"apiv2.metasv.com\"\n\
         scheme = \"metasv\"\nkeys = { signer = \"metasv\" }\n",
    );
    fs::create_dir(home.path("bin")).expect("it is ours");
    home.write("bin/print-a-key", "#!/bin/sh\nexec cat \"$1\"\n");
    mode(&home.path("bin/print-a-key"), 0o777);
    mode(&home.path("bin"), 0o777);
    let mut command = Command::new(under_test());
    command.arg("check").current_dir(home.path("."));
    let path = format!("{}:/usr/bin:/bin", home.path("bin").display());
    let output = command.env("PATH", path).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
}

/// As Kubernetes lays out a volume: links of mode 0777, in a directory of mode 0777, on a mount that
/// cannot be written.
#[test]
fn what_lies_on_a_read_only_mount_is_believed_and_links_lead_there() {
    let home = home();
    let volume = home.path("volume");
    fs::create_dir_all(volume.join("..1")).expect("it is ours");
    for name in
        ["proxy.toml", "ca.pem", "json.toml", "provider.pem", "client.pem", "cobo-node-public.pem"]
    {
        fs::rename(home.path(name), volume.join("..1").join(name)).expect("it is ours");
        symlink(Path::new("..data").join(name), volume.join(name)).expect("it is ours");
    }
    symlink("..1", volume.join("..data")).expect("it is ours");
    let text = fs::read_to_string(volume.join("proxy.toml")).expect("it is there");
    let [keys, audit] = ["keys", "audit.jsonl"].map(|name| home.path(name).display().to_string());
    let text = text.replace("dir = \"keys\"", &format!("dir = \"{keys}\""));
    fs::write(volume.join("proxy.toml"), text.replace("audit.jsonl", &audit)).expect("it is ours");
    mode(&volume, 0o777);
    mode(&volume.join("..1/ca.pem"), 0o666);
    let check = |how: &str| {
        let mut command = Command::new("unshare");
        let script =
            format!("mount --bind volume volume && {how} exec \"$0\" check volume/proxy.toml");
        command.args(["--mount", "sh", "-c", &script]).arg(under_test());
        command.current_dir(home.path(".")).output().expect("unshare comes with every Debian")
    };
    let writable = check("");
    let told = said(&writable);
    assert_eq!(writable.status.code(), Some(78), "{told}");
    assert!(told.contains("/volume can be written by others"), "{told}");
    let read_only = check("mount -o remount,bind,ro volume &&");
    assert!(read_only.status.success(), "run the tests as root: {read_only:?}");
    // Without a mount it is the sticky bit that makes what is ours ours, and not what is open itself.
    mode(&volume, 0o1777);
    let sticky = check("");
    let told = said(&sticky);
    assert!(
        told.contains("/..1/ca.pem can be written by others") && !told.contains("/volume can"),
        "{told}"
    );
    mode(&volume.join("..1/ca.pem"), 0o644);
    assert!(check("").status.success());
    // A link that somebody else has put there.
    std::os::unix::fs::lchown(volume.join("..data"), Some(65534), None).expect("we are root");
    let told = said(&check(""));
    assert!(told.contains("/volume/..data is a symbolic link of user 65534"), "{told}");
}

#[test]
fn what_init_writes_is_believed_whatever_the_umask() {
    let home = Home::new("");
    let script = "umask 0 && mkdir -m 755 new && \"$0\" init --provider sinohope --dir new && \
                  \"$0\" check new/proxy.toml";
    let mut command = Command::new("sh");
    let output =
        command.args(["-c", script]).arg(under_test()).current_dir(home.path(".")).output();
    let output = output.expect("sh can be run");
    assert!(output.status.success(), "{output:?}");
}
