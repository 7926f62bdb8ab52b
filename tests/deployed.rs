//! The examples of docs/deployment.md, run as far as it goes without an engine, a cluster and systemd
//! as the first process: as the image's user, on a root that cannot be written, with keys as the
//! kubelet, an engine and systemd lay them out.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;

use tempfile::TempDir;

use crate::clients::installed;
use crate::documents::{blocks, read, root};
use crate::image::{Image, Root, Running, mode};
use crate::support::home::Home;
use crate::support::under_test;

fn example(kind: &str, with: &str) -> String {
    let text = read(&root().join("docs/deployment.md"));
    let mut found = blocks(&text, kind).into_iter().filter(|block| block.contains(with));
    let block = found.next().unwrap_or_else(|| panic!("no {kind} has {with}"));
    assert!(found.next().is_none(), "several have {with}");
    block
}

#[test]
fn the_unit_is_what_systemd_takes() {
    let directory = TempDir::new().expect("it can be made");
    let unit = directory.path().join("countersign.service");
    let text = example("ini", "[Service]");
    let program = under_test().display().to_string();
    fs::write(&unit, text.replace("/usr/local/bin/countersign", &program)).expect("it is ours");
    let verify = || Command::new("systemd-analyze").arg("verify").arg(&unit).output();
    let output = verify().expect("systemd-analyze is installed");
    // It ends with success in spite of what it warns of.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    let wrong = text.replace("NoNewPrivileges=yes", "NoNewPrivilege=yes");
    fs::write(&unit, wrong.replace("/usr/local/bin/countersign", &program)).expect("it is ours");
    let output = verify().expect("systemd-analyze is installed");
    assert!(String::from_utf8_lossy(&output.stderr).contains("NoNewPrivilege"), "it looks");
}

#[test]
fn the_pod_is_what_kubernetes_takes() {
    let directory = TempDir::new().expect("it can be made");
    let file = directory.path().join("pod.yaml");
    fs::write(&file, example("yaml", "kind: Pod")).expect("it is ours");
    // As a module: the programs of an environment do not outlive a build directory that moves.
    let mut validate = Command::new(installed("venv/bin/python"));
    let validate = validate.args(["-m", "kubernetes_validate", "--strict"]).arg(&file);
    let output = validate.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("passed for resource pod/app"), "{said}");
}

/// The image at work with the TOML of docs/deployment.md that has `with`, on ports of its own, and keys
/// at a place, of an owner and mode.
fn ready_in_the_image(with: &str, keys: &str, (user, group, bits): (u32, u32, u32)) {
    let text = example("toml", with);
    let ports = ["8080", "8081", "8089"].into_iter();
    let text = ports.fold(text, |text, port| text.replace(&format!(":{port}\""), ":0\""));
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
    for (from, name) in
        [(home.path("keys/sinohope.pem"), "sinohope.pem"), (pem, "metasv.pem"), (tokens, "tokens")]
    {
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
    ready_in_the_image("dir = \"/keys\"", "keys", (0, 65532, 0o440));
}

#[test]
fn the_container_of_the_compose_example_opens_its_keys_as_a_bind_mount_has_them() {
    let with = "gateway = \"127.0.0.1:8081\"\nadmin = \"127.0.0.1:8089\"\n\n[stores.files]";
    ready_in_the_image(with, "etc/countersign/keys", (65532, 65532, 0o400));
}
