//! What the system says of a proxy's process and sockets.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use super::client::{Client, Reply};
use super::home::Home;
use super::proxy::{Proxy, Signal};
use super::under_test;
use super::wait::eventually;

impl Proxy {
    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let listed = fs::read_dir(format!("/proc/{}/fd", self.pid()));
        listed.expect("the process is there").count()
    }

    /// How many descriptors it may have: the soft limit, and the hard one.
    pub(crate) fn descriptor_limits(&self) -> [String; 2] {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.pid())).expect("it runs");
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        let mut numbers = line.expect("it is among them").split_whitespace().map(str::to_owned);
        [numbers.next(), numbers.next()].map(|number| number.expect("there are two"))
    }

    /// The most memory it has had resident so far, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).expect("the system tells the peak")
    }

    /// Waits until it has taken every byte that `client` has sent from the system.
    pub(crate) fn await_read(&self, client: &Client) {
        let (own, peer) = client.ports();
        eventually("the proxy reads what was sent", || unread(peer, own) == Some(0));
    }

    /// Asks the admin listener.
    pub(crate) fn probe(&self, path: &str) -> Reply {
        let url = self.admin_url();
        let host = url.strip_prefix("http://").unwrap_or("socket");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        Client::connect(url).exchange(request)
    }

    /// The value of a metric, given with its labels; 0 when it is not there.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = String::from_utf8(self.probe("/metrics").body).expect("metrics are text");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap_or_else(|why| panic!("{name}: {why}")))
    }

    /// Waits until a metric has this value.
    pub(crate) fn await_metric(&self, name: &str, value: u64) {
        eventually(&format!("{name} is {value}"), || self.metric(name) == value);
    }

    /// Waits until it has written this.
    pub(crate) fn await_output(&self, text: &str) {
        eventually(&format!("it writes {text:?}"), || self.output().contains(text));
    }

    /// Waits for the line that has this, or for the one after so many that have.
    pub(crate) fn await_line(&self, text: &str, after: usize) -> String {
        let find = || {
            self.output().lines().filter(|line| line.contains(text)).nth(after).map(str::to_owned)
        };
        let mut found = None;
        eventually(&format!("it writes {text:?}"), || {
            found = find();
            found.is_some()
        });
        found.expect("it was waited for")
    }

    /// Puts another configuration in place and waits until it was taken up, or refused.
    pub(crate) fn reload(&self, config: &str, taken: bool) {
        let line = if taken { ": reloaded" } else { ": not reloaded" };
        let count = || self.output().matches(line).count();
        let before = count();
        self.home().write("proxy.toml", config);
        self.signal(Signal::Hangup);
        eventually("the configuration is read", || count() > before);
    }
}

/// Starts a proxy that is expected to refuse; its exit code and everything it wrote.
pub(crate) fn refused_start(home: &Home) -> (Option<i32>, String) {
    // One that starts all the same must not outlive the test: `timeout` ends it, with 124.
    let mut command = Command::new("timeout");
    command.arg("20").arg(under_test()).args(["run", "proxy.toml"]);
    let output = command.current_dir(home.path(".")).output();
    let Output { status, stdout, stderr } = output.expect("the binary can be run");
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// Bytes that the owner of the TCP socket on port `own` of this machine, connected to port
/// `peer`, has not read; none when there is no such socket.
fn unread(own: u16, peer: u16) -> Option<u64> {
    let socket = sockets().into_iter().find(|socket| socket.ports == (own, peer))?;
    u64::from_str_radix(socket.queues.split(':').nth(1)?, 16).ok()
}

/// When the system asks after the other end of the TCP sockets whose own port, or else their
/// peer's, is this one, if nothing is heard; nothing of those it would not ask after.
pub(crate) fn keep_alive(own: Option<u16>, peer: Option<u16>) -> Vec<Duration> {
    let meant = |socket: &Socket| {
        own.is_none_or(|port| port == socket.ports.0)
            && peer.is_none_or(|port| port == socket.ports.1)
    };
    let ticks = sockets().into_iter().filter(meant).filter_map(|socket| {
        // Timer 2 is that of keep-alive; it counts hundredths of a second.
        u64::from_str_radix(socket.timer.strip_prefix("02:")?, 16).ok()
    });
    ticks.map(|ticks| Duration::from_millis(10 * ticks)).collect()
}

/// A TCP socket of this machine as `/proc/net/tcp` has it.
struct Socket {
    /// The own one and the peer's.
    ports: (u16, u16),
    queues: String,
    timer: String,
}

fn sockets() -> Vec<Socket> {
    let table = fs::read_to_string("/proc/net/tcp").expect("the system lists its sockets");
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
    let read = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, local, remote, _, queues, timer, ..] = fields[..] else { return None };
        let ports = (port(local)?, port(remote)?);
        Some(Socket { ports, queues: queues.to_owned(), timer: timer.to_owned() })
    };
    table.lines().skip(1).filter_map(read).collect()
}
