//! Debian's Redis, on a free port, with nothing on its disk but what a test asks for.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::wait::{eventually, limited, stopped};

/// A running server; killed when dropped.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    directory: TempDir,
    program: &'static str,
    settings: String,
    /// What `redis-cli` is told beside the port.
    shown: Vec<String>,
}

impl Redis {
    /// One that knows of no lease, and has known of none for long.
    pub(crate) fn start() -> Self {
        let redis = Self::young("");
        redis.cli(&["HSET", KEY, "epoch", "test"]);
        redis
    }

    /// One without a memory, with these lines as its settings.
    pub(crate) fn young(settings: &str) -> Self {
        let settings = format!("save \"\"\n{settings}");
        Self::begin("redis-server", &settings, &[], |port| format!("port {port}\n"))
    }

    /// One that speaks TLS, by `cert.pem`, `key.pem` and `ca.pem` of a directory.
    pub(crate) fn tls(directory: TempDir, settings: &str) -> Self {
        let path = |name: &str| directory.path().join(name).display().to_string();
        let files = ["cert", "key", "ca-cert"].map(|kind| {
            let file = if kind == "ca-cert" { "ca".to_owned() } else { kind.to_owned() };
            format!("tls-{kind}-file {}\n", path(&format!("{file}.pem")))
        });
        let settings =
            format!("save \"\"\nport 0\ntls-auth-clients no\n{}{settings}", files.concat());
        let shown = ["--tls".to_owned(), "--cacert".to_owned(), path("ca.pem")];
        let mut redis =
            Self::begin("redis-server", &settings, &shown, |port| format!("tls-port {port}\n"));
        redis.directory = directory;
        redis
    }

    /// A Sentinel that watches a server as `mymaster`.
    pub(crate) fn sentinel(master: &Self) -> Self {
        Self::sentinel_with(master, "")
    }

    /// The same with these lines as its settings.
    pub(crate) fn sentinel_with(master: &Self, lines: &str) -> Self {
        let port = master.port;
        let settings = format!(
            "sentinel monitor mymaster 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds mymaster 1000\n\
             sentinel failover-timeout mymaster 3000\n{lines}"
        );
        Self::begin("redis-sentinel", &settings, &[], |port| format!("port {port}\n"))
    }

    fn begin(
        program: &'static str,
        settings: &str,
        shown: &[String],
        listens: impl Fn(u16) -> String,
    ) -> Self {
        let directory = TempDir::new().expect("a directory can be made");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = port.expect("a port is free").port();
        let settings = format!("bind 127.0.0.1\n{settings}{}", listens(port));
        std::fs::write(directory.path().join("redis.conf"), &settings).expect("it can be written");
        let child = launch(program, &directory);
        let shown = shown.to_vec();
        let redis = Self { child, port, directory, program, settings, shown };
        redis.await_ready();
        redis
    }

    fn await_ready(&self) {
        eventually("redis answers", || {
            let said = self.try_cli(&["PING"]);
            said.starts_with("PONG") || said.contains("NOAUTH") || said.contains("NOPERM")
        });
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:PORT`, or of TLS.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.shown.is_empty() { "redis" } else { "rediss" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// What `redis-cli` prints.
    pub(crate) fn cli(&self, command: &[&str]) -> String {
        let said = self.try_cli(command);
        assert!(!said.contains("ERR") && !said.contains("NOAUTH"), "{command:?}: {said}");
        said
    }

    fn try_cli(&self, command: &[&str]) -> String {
        let mut cli = limited("redis-cli");
        let port = self.port.to_string();
        let output = cli.args(["-h", "127.0.0.1", "-p", &port]).args(&self.shown).args(command);
        let output = output.output().expect("redis-cli is installed: scripts/setup-tests");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// The records of lanes, each with its key and number: owner, fence, end and last millisecond.
    pub(crate) fn lanes(&self) -> Vec<(String, [String; 4])> {
        let all = self.cli(&["HGETALL", KEY]);
        let lines: Vec<&str> = all.lines().collect();
        let pairs = lines.chunks_exact(2).filter(|pair| pair[0].contains('/'));
        let pairs = pairs.filter(|pair| pair[1].split(' ').count() == 4);
        let words = |record: &str| {
            let mut words = record.split(' ').map(str::to_owned);
            [(); 4].map(|()| words.next().expect("four words"))
        };
        pairs.map(|pair| (pair[0].to_owned(), words(pair[1]))).collect()
    }

    /// Sends it a signal: `-STOP`, `-CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill can be run").success(), "{name} was not delivered");
        if name == "-STOP" {
            stopped(self.child.id());
        }
    }

    /// Ends it.
    pub(crate) fn kill(&mut self) {
        // It fails only where it has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }

    /// Ends it, and begins another that knows nothing, in its place.
    pub(crate) fn restart_empty(&mut self) {
        self.kill();
        std::fs::write(self.directory.path().join("redis.conf"), &self.settings).expect("written");
        self.child = launch(self.program, &self.directory);
        self.await_ready();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(program: &str, directory: &TempDir) -> Child {
    let mut command = Command::new(program);
    command.arg("redis.conf").current_dir(directory.path());
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|why| panic!("{program}: {why}: scripts/setup-tests"))
}

/// Where the leases are.
pub(crate) const KEY: &str = "countersign:nonces";
