//! The files of deploy/, run as far as it goes without an engine, a cluster and systemd as the first
//! process: by the tools and schemas of those who will read them, and as the image's user, on a root that
//! cannot be written, with keys as the kubelet, an engine and systemd lay them out.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign::config::Config;
use tempfile::TempDir;

use crate::clients::installed;
use crate::documents::{read, root};
use crate::image::{Image, Root, Running, mode};
use crate::support::home::Home;
use crate::support::under_test;

fn deploy(file: &str) -> PathBuf {
    root().join("deploy").join(file)
}

/// The configuration in the ConfigMap of the sidecar, without the indentation of its block.
fn of_the_sidecar() -> String {
    let text = read(&deploy("kubernetes/sidecar.yaml"));
    let (_, block) = text.split_once("  proxy.toml: |\n").expect("the ConfigMap has it");
    let lines = block.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect()
}

/// The units with the program under test, in a directory of their own, with this in place of that.
fn units(from: &str, to: &str) -> (TempDir, [PathBuf; 2]) {
    let directory = TempDir::new().expect("it can be made");
    let paths = ["countersign.service", "countersign.socket"].map(|name| {
        let text = read(&deploy(&format!("systemd/{name}"))).replace(from, to);
        let program = under_test().display().to_string();
        let path = directory.path().join(name);
        fs::write(&path, text.replace("/usr/local/bin/countersign", &program)).expect("it is ours");
        path
    });
    (directory, paths)
}

/// What systemd-analyze says; it ends with success in spite of what it warns of.
fn analyze(arguments: &[&str], units: &[PathBuf]) -> (bool, String) {
    let mut command = Command::new("systemd-analyze");
    let output =
        command.args(arguments).args(units).output().expect("systemd-analyze is installed");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_units_are_what_systemd_takes() {
    let (_directory, paths) = units("", "");
    assert_eq!(analyze(&["verify"], &paths), (true, String::new()));
    let (_directory, wrong) = units("NoNewPrivileges=yes", "NoNewPrivilege=yes");
    assert!(analyze(&["verify"], &wrong).1.contains("NoNewPrivilege"), "it looks");
    // Tenths of ten: what is left is the network, and what a proxy reads.
    let exposure = ["security", "--offline=true", "--no-pager", "--threshold=16"];
    let (good, said) = analyze(&exposure, &paths[..1]);
    assert!(good, "{said}");
    let (_directory, open) = units("CapabilityBoundingSet=\n", "");
    assert!(!analyze(&exposure, &open[..1]).0, "it counts");
    // Debian 12's systemd does not know notify-reload, and a configuration that is wrong stays wrong.
    let text = read(&deploy("systemd/countersign.service"));
    for line in [
        "Type=notify\n",
        "ExecReload=/bin/kill -HUP $MAINPID\n",
        "RestartPreventExitStatus=64 78\n",
    ] {
        assert!(text.contains(line), "{line}");
    }
    // What fails before ExecStart= is started again whatever its status is.
    assert!(!text.contains("\nExecStartPre="), "{text}");
}

/// A socket that no listener wants stops the start.
#[test]
fn the_sockets_of_the_unit_are_listeners_of_its_configuration() {
    let text = read(&deploy("systemd/proxy.toml"));
    let config = Config::parse(&text, Path::new("proxy.toml")).expect("it is right");
    let forward = config.listen.forward.map(|address| address.to_string());
    let gateway = config.listen.gateway.map(|endpoint| endpoint.to_string());
    let socket = read(&deploy("systemd/countersign.socket"));
    let sockets = socket.lines().filter_map(|line| line.strip_prefix("ListenStream="));
    let sockets: Vec<_> = sockets.map(|address| Some(address.to_owned())).collect();
    assert_eq!(sockets, [forward, gateway]);
}

fn python(arguments: &[&str], file: &Path) -> (bool, String) {
    // As a module: the programs of an environment do not outlive a build directory that moves.
    let mut python = Command::new(installed("venv/bin/python"));
    let output = python.args(arguments).arg(file).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_manifests_are_what_kubernetes_takes() {
    let check = ["-m", "kubernetes_validate", "--strict"];
    let (good, said) = python(&check, &deploy("kubernetes/sidecar.yaml"));
    assert!(good, "{said}");
    for resource in ["configmap/countersign", "deployment/app"] {
        assert!(said.contains(&format!("passed for resource {resource}")), "{said}");
    }
    let text = read(&deploy("kubernetes/sidecar.yaml"));
    let directory = TempDir::new().expect("it can be made");
    let wrong = directory.path().join("wrong.yaml");
    fs::write(&wrong, text.replace("startupProbe", "startProbe")).expect("it is ours");
    assert!(!python(&check, &wrong).0, "it looks");
    // All three probes ask from inside.
    assert_eq!(text.matches("exec: {command: [/countersign, health]}").count(), 3);
}

#[test]
fn the_compose_file_is_what_compose_takes() {
    let check = [
        "-c",
        "import sys, compose_spec; \
                        compose = compose_spec.PyCompose.from_yaml(open(sys.argv[1]).read()); \
                        compose.validate(); print(sorted(compose.service_names()))",
    ];
    let (good, said) = python(&check, &deploy("compose/compose.yaml"));
    assert_eq!((good, said.trim()), (true, "['app', 'countersign']"));
    let directory = TempDir::new().expect("it can be made");
    let wrong = directory.path().join("wrong.yaml");
    let text = read(&deploy("compose/compose.yaml")).replace("read_only: true", "read_only: [yes]");
    fs::write(&wrong, text).expect("it is ours");
    assert!(!python(&check, &wrong).0, "it looks");
}

/// The image at work with a configuration, on ports of its own, and keys at a place, of an owner and mode.
fn ready_in_the_image(text: &str, keys: &str, (user, group, bits): (u32, u32, u32)) {
    let ports = ["8080", "8081", "8089"].into_iter();
    let text =
        ports.fold(text.to_owned(), |text, port| text.replace(&format!(":{port}\""), ":0\""));
    let image = Root::new();
    fs::write(image.path("etc/countersign/proxy.toml"), text).expect("it is ours");
    mode(&image.path("etc/countersign/proxy.toml"), 0o444);
    let directory = image.path(keys);
    fs::create_dir_all(&directory).expect("it is ours");
    let home = Home::new("");
    let tokens = home.path("tokens");
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    fs::write(&tokens, format!("app:{digest}\n")).expect("it is ours");
    let pem = home.path("keys/sinohope-k256.pem");
    for (from, name) in [
        (home.path("keys/sinohope.pem"), "sinohope.pem"),
        (pem, "metasv.pem"),
        (tokens.clone(), "tokens"),
        (tokens, "scrapers"),
    ] {
        let to = directory.join(name);
        fs::copy(&from, &to).unwrap_or_else(|why| panic!("{}: {why}", from.display()));
        mode(&to, bits);
        chown(&to, Some(user), Some(group)).expect("this test lays files out as root does");
    }
    // It says that it is ready, or this fails with what it said in place of that.
    Running::start(&image, image.unwritable(&Image::read().line()));
}

#[test]
fn the_pod_of_the_example_opens_its_keys_as_the_kubelet_lays_them_out() {
    // There is no volume for nonces here.
    let state = "[nonces]\nstate = \"/state/nonces\"\n";
    let text = of_the_sidecar();
    assert!(text.contains(state), "{text}");
    ready_in_the_image(&text.replace(state, ""), "keys", (0, 65532, 0o440));
}

#[test]
fn the_container_of_the_compose_example_opens_its_keys_as_a_bind_mount_has_them() {
    let text = read(&deploy("compose/etc/proxy.toml"));
    ready_in_the_image(&text, "etc/countersign/keys", (65532, 65532, 0o400));
}
