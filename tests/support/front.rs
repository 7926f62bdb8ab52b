//! What stands before a provider in earnest: Debian's nginx and nghttpx as reverse proxies.
//!
//! The port is the test's from the start: it binds the socket and the server inherits it, as it
//! would from a process of its own that it replaces. So no port is guessed, none is lost to
//! somebody else, and a connection that comes early waits in the socket's backlog.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

use super::authority::Authority;

/// A running server; stopped when dropped, and what it wrote is shown when the test fails.
pub(crate) struct Front {
    address: SocketAddr,
    scheme: &'static str,
    child: Child,
    home: TempDir,
}

/// The servers behind, as `http://address:port`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behind<'a> {
    /// Gets what is below [`SOCKETS`], with its Upgrade.
    pub(crate) sockets: &'a str,
    /// Gets everything else.
    pub(crate) others: &'a str,
}

/// Starts one that shows a certificate for this name, before these.
pub(crate) type Start = fn(&str, Behind<'_>) -> Front;

impl Front {
    /// nginx, plain.
    pub(crate) fn nginx(name: &str, behind: Behind<'_>) -> Self {
        Self::start("http", name, |address, home| nginx(address, "", home, behind))
    }

    /// nginx with TLS, which offers HTTP/1.1 alone.
    pub(crate) fn nginx_tls(name: &str, behind: Behind<'_>) -> Self {
        Self::start("https", name, |address, home| nginx(address, "ssl", home, behind))
    }

    /// nginx with TLS, which offers HTTP/2.
    pub(crate) fn nginx_h2(name: &str, behind: Behind<'_>) -> Self {
        Self::start("https", name, |address, home| nginx(address, "ssl http2", home, behind))
    }

    /// nghttpx with TLS, which offers HTTP/2.
    pub(crate) fn nghttpx_h2(name: &str, behind: Behind<'_>) -> Self {
        Self::start("https", name, |address, home| nghttpx(address, home, behind))
    }

    fn start(
        scheme: &'static str,
        name: &str,
        command: impl FnOnce(SocketAddr, &Path) -> Command,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        // As a server that handed it on would have left it.
        listener.set_nonblocking(true).expect("a socket can be told");
        let address = listener.local_addr().expect("it is bound");
        let home = TempDir::new().expect("a directory can be made");
        let (authority, put) = (Authority::new(), |file: &str, text: String| {
            fs::write(home.path().join(file), text).expect("a file can be written");
        });
        let issued = authority.issue(&[name], |_| ());
        put(CA, authority.pem());
        put(CERTIFICATE, issued.pem());
        put(KEY, issued.key_pem());
        let log = fs::File::create(home.path().join(LOG)).expect("a file can be made");
        let child = command(address, home.path())
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|why| panic!("no server can be run ({why}): run scripts/setup-tests"));
        Self { address, scheme, child, home }
    }

    /// Scheme, address and port.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The file with the authority to trust; `None` without TLS.
    pub(crate) fn ca(&self) -> Option<PathBuf> {
        (self.scheme == "https").then(|| self.home.path().join(CA))
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // Not killed: nginx would leave the process that does its work behind.
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        let ended = self.child.wait();
        if thread::panicking() {
            let log = fs::read_to_string(self.home.path().join(LOG)).unwrap_or_default();
            show(&log);
            return;
        }
        assert!(told.is_ok_and(|told| told.success()) && ended.is_ok(), "it had ended before");
    }
}

/// The standard input is the listening socket: `NGINX` is how nginx hands sockets on to the process
/// that replaces it, by descriptor.
fn nginx(address: SocketAddr, protocol: &str, home: &Path, behind: Behind<'_>) -> Command {
    let (at, Behind { sockets, others }) = (home.display(), behind);
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|user| format!("{user}_temp_path {at}/{user};\n"))
        .concat();
    // Via says what it was spoken to in, as nghttpx says it by itself.
    let config = format!(
        r#"
daemon off;
user root;
worker_processes 1;
pid {at}/pid;
error_log stderr info;
events {{}}
http {{
    access_log off;
    keepalive_requests {REQUESTS};
    {temporary}
    server {{
        listen {address} {protocol};
        ssl_certificate {at}/{CERTIFICATE};
        ssl_certificate_key {at}/{KEY};
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Via "$server_protocol nginx";
        location / {{
            proxy_pass {others};
        }}
        location {SOCKETS} {{
            proxy_pass {sockets};
            proxy_set_header Host $http_host;
            proxy_set_header Via "$server_protocol nginx";
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }}
    }}
}}
"#
    );
    fs::write(home.join("nginx.conf"), config).expect("a file can be written");
    let mut command = Command::new("/usr/sbin/nginx");
    command.args(["-e", "stderr", "-c"]).arg(home.join("nginx.conf")).env("NGINX", "0;");
    command
}

/// The same by nghttpx's own name for it.
fn nghttpx(address: SocketAddr, home: &Path, behind: Behind<'_>) -> Command {
    let backend = |url: &str, paths: &str| {
        let place = url.trim_start_matches("http://").replace(':', ",");
        format!("--backend={place};{paths}")
    };
    let mut command = Command::new("/usr/sbin/nghttpx");
    command
        .args(["--single-process", "--conf=/dev/null", "--accesslog-file=/dev/null"])
        .args(["--errorlog-file=/dev/stderr", "--no-ocsp"])
        .arg(format!("--frontend={},{}", address.ip(), address.port()))
        .args([backend(behind.sockets, SOCKETS), backend(behind.others, "/")])
        .args([home.join(KEY), home.join(CERTIFICATE)])
        .env("NGHTTPX_ACCEPT_1", "tcp,0");
    command
}

#[expect(clippy::print_stderr, reason = "the test runner shows it with the test that failed")]
fn show(log: &str) {
    eprintln!("--- a server in front wrote:\n{log}---");
}

/// So many requests nginx takes on a connection, and then sends GOAWAY.
pub(crate) const REQUESTS: usize = 100;
/// Paths below this one are WebSockets'.
pub(crate) const SOCKETS: &str = "/sockets/";
const CA: &str = "ca.pem";
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
const LOG: &str = "log";
