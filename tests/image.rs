//! The container image, without a container engine: the root that `scripts/image-root` makes, and
//! that the Dockerfile's last stage copies, is entered with chroot, as the user and with the
//! command line the Dockerfile names.
//!
//! The binary is the tests' own, not the `dist` build of the image: that would be a second build
//! of everything. It is linked with the same libraries.

use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::client::curl;
use crate::support::home::Home;
use crate::support::origin::{Origin, metasv, sinohope};
use crate::support::under_test;

#[test]
fn the_last_stage_is_what_image_root_makes() {
    let image = Image::read();
    assert_eq!(image.base, "scratch");
    assert_eq!(image.copies, ["--from=build /image/ /"]);
    assert_eq!(image.entrypoint, ["/countersign"]);
    assert_eq!(image.command, ["run", "/etc/countersign/proxy.toml"]);
    let user = image.user.split_once(':').map(|(user, group)| (user.parse(), group.parse()));
    assert_eq!(
        user,
        Some((Ok(65532_u32), Ok(65532_u32))),
        "numbers, for there is no user database"
    );
    let build = &image.build;
    assert!(build.contains("\nRUN scripts/image-root target/dist/countersign /image\n"), "{build}");

    let toolchain = fs::read_to_string(source("rust-toolchain.toml")).expect("it is a file");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = "));
    let channel = channel.expect("the file names a channel").trim_matches('"');
    // By its tag, and by its digest too where that was looked up.
    let base = format!("FROM rust:{channel}-slim-bookworm");
    let base = build.lines().find_map(|line| line.strip_prefix(&base)?.strip_suffix(" AS build"));
    let digest = base.unwrap_or_else(|| panic!("{build}")).strip_prefix("@sha256:");
    let hex = |digest: &str| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(base == Some("") || digest.is_some_and(hex), "{base:?}");
}

/// What the program is made of beside its sources, and what `scripts/dist` runs.
#[test]
fn the_build_stage_has_every_file_that_the_program_takes_in() {
    let image = Image::read();
    let copied: Vec<_> = image
        .build
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .flat_map(|line| line.split_whitespace())
        .collect();
    let ignored = fs::read_to_string(source(".dockerignore")).expect("it is a file");
    let kept: Vec<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let has = |all: &[&str], path: &str| {
        all.iter().any(|one| path.strip_prefix(one).is_some_and(|rest| !rest.starts_with('.')))
    };
    let mut wanted: Vec<_> =
        ["bench/train.py", "bench/counted.py", "scripts/dist"].map(str::to_owned).into();
    for file in files(source("src")) {
        let text = fs::read_to_string(file).expect("a source is text");
        let taken = text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
        let outside = taken.filter(|path| path.starts_with("../"));
        wanted.extend(outside.map(|path| path.trim_start_matches("../").to_owned()));
    }
    // What tests alone take in.
    wanted.retain(|path| source(path).is_file() && !path.starts_with("tests/"));
    assert!(wanted.len() > 50, "{wanted:?}");
    let missing = wanted.iter().filter(|path| !has(&copied, path) || !has(&kept, path));
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn the_image_holds_the_program_and_its_libraries_and_nothing_else() {
    let root = Root::new();
    let mut libraries = 0;
    let mut others = Vec::new();
    for path in files(root.path("")) {
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        match name.contains(".so.") {
            true => libraries += 1,
            false => others.push(path),
        }
    }
    assert!((2..8).contains(&libraries), "{libraries} libraries; the loader and libc at least");
    assert_eq!(others, [root.path("countersign")]);
}

#[test]
fn commands_run_in_the_image() {
    let root = Root::new();
    let version = root.output(&["/countersign", "--version"]);
    let expected = concat!("countersign ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&version.stdout), expected);

    let demo = root.output(&["/countersign", "demo", "--once"]);
    let said = String::from_utf8_lossy(&demo.stdout);
    assert!(demo.status.success() && said.contains("verdicts as they should be"), "{demo:?}");
    let left = fs::read_dir(root.path("tmp")).expect("the image has a /tmp").count();
    assert_eq!(left, 0, "the demo removes what it made");
}

#[test]
fn requests_are_signed_in_the_image() {
    let behind_tls = Origin::start_tls(&["api.sinohope.com"], sinohope("test-p256"));
    let by_name = Origin::start(metasv("test-a"));
    let root = Root::new();
    root.configure(&configuration(&behind_tls, &by_name));
    let ca = behind_tls.ca().expect("the origin speaks TLS");
    root.give(ca, "etc/countersign/ca.pem");
    // As an engine writes it for extra_hosts.
    fs::write(root.path("etc/hosts"), "127.0.0.1 provider.internal\n").expect("it can be written");

    let image = Image::read();
    let file = image.command.last().expect("the command names a configuration");
    let check = root.output(&["/countersign", "check", file]);
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success() && said.contains("3 routes and 2 keys, all good"), "{check:?}");

    let running = Running::start(&root, root.command(&image.line()));
    for url in ["http://api.sinohope.com/v1/test?b=2&a=1", "http://apiv2.metasv.com/xpubs"] {
        let output = curl(["--fail-with-body", "--proxy", &running.forward, url]);
        assert!(output.status.success(), "{url}: {output:?}");
    }
    assert_eq!((behind_tls.arrived().len(), by_name.arrived().len()), (1, 1));
}

/// One provider behind TLS with an authority of its own, one by a name that only a hosts file
/// knows, and one with the public authorities, of which the image has none but those built in.
fn configuration(behind_tls: &Origin, by_name: &Origin) -> String {
    let tls = behind_tls.url();
    let plain = by_name.url().replace("127.0.0.1", "provider.internal");
    format!(
        r#"
[listen]
forward = "127.0.0.1:0"

[stores.files]
kind = "file"
dir = "keys"

[keys.sinohope]
store = "files"
entry = "sinohope.pem"

[keys.metasv]
store = "files"
entry = "metasv.hex"
algorithm = "ecdsa_secp256k1"

[routes.sinohope]
host = "api.sinohope.com"
scheme = "sinohope"
keys = {{ signer = "sinohope" }}
upstream = "behind_tls"

[routes.metasv]
host = "apiv2.metasv.com"
scheme = "metasv"
keys = {{ signer = "metasv" }}
upstream = "by_name"

[routes.public]
host = "public.example.com"
scheme = "sinohope"
keys = {{ signer = "sinohope" }}

[upstreams.behind_tls]
url = "{tls}"
server_name = "api.sinohope.com"
ca = "ca.pem"

[upstreams.by_name]
url = "{plain}"
allow_plaintext = true
"#
    )
}

/// What the Dockerfile says.
pub(crate) struct Image {
    /// Every stage but the last.
    build: String,
    base: String,
    copies: Vec<String>,
    user: String,
    entrypoint: Vec<String>,
    command: Vec<String>,
}

impl Image {
    /// The command line.
    pub(crate) fn line(&self) -> Vec<&str> {
        self.entrypoint.iter().chain(&self.command).map(String::as_str).collect()
    }

    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(source("Dockerfile")).expect("the Dockerfile is there");
        let start = text.rfind("\nFROM ").expect("there is a build stage and a last one") + 1;
        let (build, last) = text.split_at(start);
        let all = |instruction: &str| -> Vec<String> {
            let arguments = last.lines().filter_map(|line| line.strip_prefix(instruction));
            arguments.map(|rest| rest.trim().to_owned()).collect()
        };
        let one = |instruction: &str| match all(instruction).as_slice() {
            [only] => only.clone(),
            found => panic!("{instruction} is there {} times, not once", found.len()),
        };
        let list = |instruction: &str| {
            let list = one(instruction);
            serde_json::from_str(&list).unwrap_or_else(|why| panic!("{instruction}{list}: {why}"))
        };
        Self {
            build: build.to_owned(),
            base: one("FROM "),
            copies: all("COPY ").into_iter().chain(all("ADD ")).collect(),
            user: one("USER "),
            entrypoint: list("ENTRYPOINT "),
            command: list("CMD "),
        }
    }
}

/// The image's root; removed when dropped.
pub(crate) struct Root {
    directory: TempDir,
    user: String,
}

impl Root {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("it can be made");
        let mut make = Command::new(source("scripts/image-root"));
        make.arg(under_test()).arg(directory.path());
        let made = make.output().expect("scripts/image-root can be run");
        assert!(made.status.success(), "{made:?}");
        // The directory was made for its owner alone, and is / to another user.
        mode(directory.path(), 0o755);
        let root = Self { directory, user: Image::read().user };
        let tried = root.command(&["/countersign", "--version"]).output();
        let tried = tried.expect("chroot and unshare come with every Debian");
        let said = String::from_utf8_lossy(&tried.stderr);
        assert!(
            tried.status.success(),
            "the image's root cannot be entered; run the tests as root, or where user namespaces \
             are allowed (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces): {said}"
        );
        root
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.directory.path().join(inside)
    }

    /// A command whose `/` is the image, run as the image's user.
    fn command(&self, arguments: &[&str]) -> Command {
        let (user, group) = self.user.split_once(':').expect("the user has a group");
        let mut command;
        if is_root() {
            command = Command::new("chroot");
            command.args([&format!("--userspec={}", self.user), "--groups="]);
            command.arg(self.directory.path());
        } else {
            command = Command::new("unshare");
            command.args(["--user", &format!("--map-user={user}")]);
            command.arg(format!("--map-group={group}"));
            command.arg(format!("--root={}", self.directory.path().display()));
        }
        command.args(arguments).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(Stdio::null());
        command
    }

    /// The same on a root that nobody can write, and without a way to more rights. By root alone.
    pub(crate) fn unwritable(&self, arguments: &[&str]) -> Command {
        let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && \
                      exec setpriv --no-new-privs chroot --userspec=\"$2\" --groups= \"$1\" \"${@:3}\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "bash", "-c", script, "bash"]);
        command.arg(self.directory.path()).arg(&self.user).args(arguments);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it could be entered before")
    }

    /// Puts a configuration and the keys it names where a person would mount them.
    fn configure(&self, text: &str) {
        let home = Home::new(text);
        fs::create_dir(self.path("etc/countersign/keys")).expect("the image has the directory");
        self.give(&home.path("proxy.toml"), "etc/countersign/proxy.toml");
        for key in ["keys/sinohope.pem", "keys/metasv.hex"] {
            self.give(&home.path(key), &format!("etc/countersign/{key}"));
        }
    }

    /// Copies a file into the image that only the image's user can read.
    fn give(&self, from: &Path, to: &str) {
        let to = self.path(to);
        fs::copy(from, &to).unwrap_or_else(|why| panic!("{}: {why}", to.display()));
        mode(&to, 0o400);
        // Without root's rights, the image's user is this one under another number.
        if is_root() {
            let number = |text: &str| text.parse::<u32>().ok();
            let (user, group) = self.user.split_once(':').expect("the user has a group");
            chown(&to, number(user), number(group)).expect("root gives files away");
        }
    }
}

/// A command that runs the proxy, ready; killed when dropped.
pub(crate) struct Running {
    child: Child,
    forward: String,
}

impl Running {
    pub(crate) fn start(root: &Root, mut command: Command) -> Self {
        let log = root.path("stderr.log");
        let child = command
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("it can be made"))
            .spawn();
        let mut running =
            Self { child: child.expect("it could be entered before"), forward: String::new() };
        let stdout = running.child.stdout.take().expect("stdout is piped");
        for line in BufReader::new(stdout).lines() {
            let line = line.expect("the announcement is text");
            // The second with `format = "json"`.
            if line == "ready" || line.contains("\"message\":\"ready\"") {
                return running;
            }
            if let Some(url) = line.strip_prefix("forward") {
                url.trim().clone_into(&mut running.forward);
            }
        }
        let said = fs::read_to_string(&log).unwrap_or_default();
        panic!("the proxy ended before it was ready: {said}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Every file below a directory, links included.
fn files(directory: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("the directory can be read") {
            let entry = entry.expect("the directory can be read");
            let kind = entry.file_type().expect("an entry has a type");
            if kind.is_dir() { open.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    found
}

pub(crate) fn mode(path: &Path, mode: u32) {
    let set = fs::set_permissions(path, Permissions::from_mode(mode));
    set.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
}

/// Whether this process may change its root and its user without a namespace of its own.
fn is_root() -> bool {
    fs::metadata("/proc/self").expect("Linux has /proc").uid() == 0
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
