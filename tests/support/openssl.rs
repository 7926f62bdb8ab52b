//! OpenSSL's own server, for what a provider with rustls cannot be: old, picky, or demanding.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

/// `openssl s_server`, which answers every request with 200 and a page about the connection; ended
/// when dropped.
///
/// Its certificate is for `apiv2.metasv.com`, and made by `openssl req -x509`.
pub(crate) struct SServer {
    child: Child,
    address: String,
    directory: TempDir,
}

impl SServer {
    /// Starts with these options beside port and certificate.
    pub(crate) fn start(options: &[&str]) -> Self {
        let directory = TempDir::new().expect("a directory can be made");
        let mut request = command("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes");
        request.args(["-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=x"]);
        request.args(["-addext", "subjectAltName=DNS:apiv2.metasv.com"]);
        let made = request.current_dir(directory.path()).output().expect("openssl can be run");
        assert!(made.status.success(), "{made:?}");
        let mut child = command("s_server -accept 127.0.0.1:0 -cert cert.pem -key key.pem -www")
            .args(options)
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl can be run: scripts/setup-tests installs it");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut address = String::new();
        while address.is_empty() {
            let mut line = String::new();
            let read = lines.read_line(&mut line).expect("it writes text");
            assert!(read > 0, "s_server {options:?} ended");
            line.trim().strip_prefix("ACCEPT ").unwrap_or_default().clone_into(&mut address);
        }
        // What else it says nobody needs, but it must be able to say it.
        thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        Self { child, address, directory }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Its certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }
}

impl Drop for SServer {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn command(line: &str) -> Command {
    let mut command = Command::new("openssl");
    command.args(line.split(' '));
    command
}
