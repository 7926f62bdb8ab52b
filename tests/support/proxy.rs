//! The built binary: as a running proxy, and for one command.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use super::home::Home;
use super::under_test;
use super::wait::{limited, stopped};

/// `countersign run`, ready; killed when dropped, and what it wrote is shown when the test fails.
#[derive(Debug)]
pub(crate) struct Proxy {
    child: Child,
    home: Home,
    lines: Receiver<String>,
    written: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    listeners: Vec<(String, String)>,
}

/// What a running proxy can be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signal {
    /// Read the configuration again.
    Hangup,
    /// Stop, as a terminal says it.
    Interrupt,
    /// Stop, as a service manager says it.
    Terminate,
    /// What nobody can hear.
    Kill,
    /// Stand still, which nobody can hear either.
    Stop,
    /// Go on.
    Continue,
}

impl Proxy {
    /// Starts with this configuration and waits until the proxy says that it is ready.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_in(Home::new(config), &[])
    }

    /// Starts in a directory, with these environment variables beside the test's own.
    pub(crate) fn start_in(home: Home, variables: &[(&str, &str)]) -> Self {
        Self::start_by(Command::new(under_test()), home, variables)
    }

    /// Starts by a command that becomes the program.
    pub(crate) fn start_by(mut command: Command, home: Home, variables: &[(&str, &str)]) -> Self {
        command.args(["run", "proxy.toml"]);
        Self::launch(command, home, variables)
    }

    /// Starts `countersign signer` by the `signer.toml` in a directory.
    pub(crate) fn signer_in(home: Home) -> Self {
        Self::signer_by(Command::new(under_test()), home)
    }

    /// The same by a command that becomes the program.
    pub(crate) fn signer_by(mut command: Command, home: Home) -> Self {
        command.args(["signer", "--config", "signer.toml"]);
        Self::launch(command, home, &[])
    }

    fn launch(mut command: Command, home: Home, variables: &[(&str, &str)]) -> Self {
        let mut child = command
            .current_dir(home.path("."))
            // What one test has signed with a vector's key is nothing to the next.
            .env("XDG_STATE_HOME", home.path("state"))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        let written = Arc::default();
        let (sender, lines) = mpsc::channel();
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let readers = vec![drain(stdout, &written, Some(sender)), drain(stderr, &written, None)];
        let mut proxy = Self { child, home, lines, written, readers, listeners: Vec::new() };
        proxy.await_ready();
        proxy
    }

    fn await_ready(&mut self) {
        loop {
            let line = self.lines.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|why| panic!("the proxy did not become ready: {why}"));
            if line == "ready" {
                return;
            }
            // With `format = "json"`.
            let object: Value = serde_json::from_str(&line).unwrap_or_default();
            if object["message"] == "ready" {
                return;
            }
            if let (Some(name), Some(at)) = (object["listener"].as_str(), object["at"].as_str()) {
                self.listeners.push((name.to_owned(), at.to_owned()));
            } else if let Some((name, value)) = line.split_once(char::is_whitespace) {
                self.listeners.push((name.to_owned(), value.trim().to_owned()));
            }
        }
    }

    /// For `HTTP_PROXY`.
    pub(crate) fn forward_url(&self) -> &str {
        self.url("forward")
    }

    /// `/<route>/rest` goes to that route.
    pub(crate) fn gateway_url(&self) -> &str {
        self.url("gateway")
    }

    /// Probes and metrics.
    pub(crate) fn admin_url(&self) -> &str {
        self.url("admin")
    }

    /// Where a signer is.
    pub(crate) fn signer_url(&self) -> &str {
        self.url("signer")
    }

    fn url(&self, listener: &str) -> &str {
        let found = self.listeners.iter().find(|(name, _)| name == listener);
        found.map_or_else(|| panic!("there is no {listener} listener"), |(_, url)| url)
    }

    /// The directory it runs in.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// Everything it has written so far, on both outputs.
    pub(crate) fn output(&self) -> String {
        self.written.lock().expect("no reader panicked").clone()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Hangup => "-HUP",
            Signal::Interrupt => "-INT",
            Signal::Terminate => "-TERM",
            Signal::Kill => "-KILL",
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
        };
        let sent = Command::new("kill").args([name, &self.pid().to_string()]).status();
        assert!(sent.expect("kill can be run").success(), "{signal:?} was not delivered");
        if signal == Signal::Stop {
            stopped(self.pid());
        }
    }

    /// Waits until it has ended.
    pub(crate) fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        // Its end closes its standard output, and that ends the channel.
        loop {
            match self.lines.recv_timeout(deadline) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the proxy has not ended in {deadline:?}"),
            }
        }
        self.child.wait().expect("the child can be waited for")
    }
}

impl Proxy {
    /// Stops it as a service manager does, and waits for the last of what it writes.
    pub(crate) fn finish(&mut self, deadline: Duration) -> String {
        self.signal(Signal::Terminate);
        let status = self.wait_exit(deadline);
        assert!(status.success(), "the proxy ended with {status}");
        for reader in self.readers.drain(..) {
            reader.join().expect("no reader panicked");
        }
        self.output()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ended = reader.join();
        }
        if thread::panicking() {
            show(format_args!("--- the proxy wrote:\n{}---", self.output()));
        }
    }
}

/// Runs the binary with these arguments to its end.
pub(crate) fn countersign(arguments: &[&str]) -> Output {
    let command = limited(under_test()).args(arguments).output();
    command.expect("the binary can be run")
}

/// Keeps reading, so that the proxy never waits for us.
fn drain<R: Read + Send + 'static>(
    from: R,
    written: &Arc<Mutex<String>>,
    lines: Option<Sender<String>>,
) -> JoinHandle<()> {
    let written = Arc::clone(written);
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut written = written.lock().expect("no reader panicked");
            written.push_str(&line);
            written.push('\n');
            drop(written);
            if let Some(lines) = &lines {
                // Nobody listens any more once the proxy is being dropped.
                let _heard = lines.send(line);
            }
        }
    })
}

#[expect(clippy::print_stderr, reason = "the test runner shows it with the test that failed")]
fn show(text: fmt::Arguments<'_>) {
    eprintln!("{text}");
}

const DEADLINE: Duration = Duration::from_secs(60);
