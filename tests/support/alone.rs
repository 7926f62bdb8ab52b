//! A test in a network namespace of its own, where every address is this test's: what concerns
//! foreign ones is tried here, and nothing leaves the machine, whatever the program does.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

/// Runs a test by its full name (`module::test`) in a namespace that has loopback and what these
/// commands of `ip` make: this program is run again there, with this test alone.
pub(crate) fn alone(name: &str, made_by: &[&str], test: impl FnOnce()) {
    if is_inside() {
        return test();
    }
    let mut script = "ip link set lo up && ".to_owned();
    for command in made_by {
        script.push_str(&format!("ip {command} && "));
    }
    script.push_str("exec \"$0\" \"$@\"");
    let mut command = Command::new("unshare");
    if fs::metadata("/proc/self").expect("Linux has /proc").uid() != 0 {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "sh", "-c", &script]);
    command.arg(std::env::current_exe().expect("it runs")).args([name, "--exact", "--nocapture"]);
    let output = command.env(INSIDE, "1").output().expect("unshare comes with every Debian");
    let said = String::from_utf8_lossy(&output.stdout);
    // A name that is no test's would pass without having run.
    let passed = output.status.success() && said.contains("test result: ok. 1 passed");
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(passed, "{name}, alone (as root, or where user namespaces are allowed):\n{said}{why}");
}

#[expect(clippy::disallowed_methods, reason = "says where this test runs, and goes no further")]
fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

const INSIDE: &str = "COUNTERSIGN_TEST_ALONE";

/// An address of others, as far as can be told: this machine answers at it, and has it not.
pub(crate) const PUBLIC: &[&str] =
    &["addr add 10.9.9.9/32 dev lo", "route add local 9.9.9.9/32 dev lo src 10.9.9.9"];
