//! The proxy that is measured: the built binary in a process of its own, as users run it, so
//! that its CPU time is its own too.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use countersign::keys::{Algorithm, PrivateKey};
use countersign::moment::unix_ms;
use countersign::tls::{NewAuthority, provider};
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;

/// `countersign run`, ready; killed when dropped.
pub(crate) struct Proxy {
    child: Child,
    pub(crate) forward: SocketAddr,
    pub(crate) gateway: SocketAddr,
    /// Of a client that trusts the proxy's authority, resumes nothing and speaks HTTP/1.1.
    pub(crate) tls: Arc<ClientConfig>,
    _home: TempDir,
}

impl Proxy {
    /// Starts with new keys and routes that lead to `origin`, and so many more that nobody asks
    /// for; waits until it is ready.
    pub(crate) fn start(origin: SocketAddr, log: &str, more: usize) -> io::Result<Self> {
        let home = tempfile::tempdir()?;
        let keys = [("p256.pem", Algorithm::ECDSA_P256), ("k256.pem", Algorithm::ECDSA_SECP256K1)];
        for (name, algorithm) in keys {
            let pem = PrivateKey::generate(algorithm).to_text();
            private(&home.path().join(name), pem.as_bytes())?;
        }
        private(&home.path().join("hmac"), b"SecretSecretSecretSecret")?;
        fs::write(home.path().join("metasv.toml"), include_str!("../declared/metasv.toml"))?;
        let authority = authority(home.path())?;
        let mut configuration = configuration(origin, log);
        for index in 0..more {
            configuration += &okx(&format!("r{index}"), &format!("h{index}.example.com"));
        }
        fs::write(home.path().join("proxy.toml"), configuration)?;
        let child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["run", "proxy.toml"])
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // The log is written, by default a line for each request, and read by nobody.
            .stderr(Stdio::null())
            .spawn()?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let tls = trusting(&authority)?;
        let mut proxy = Self { child, forward: nowhere, gateway: nowhere, tls, _home: home };
        proxy.await_ready()?;
        Ok(proxy)
    }

    fn await_ready(&mut self) -> io::Result<()> {
        let stdout = self.child.stdout.take().expect("stdout is piped");
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if line == "ready" {
                return Ok(());
            }
            let Some((name, place)) = line.split_once("http://") else { continue };
            let address = place.parse().map_err(io::Error::other)?;
            match name.trim() {
                "forward" => self.forward = address,
                "gateway" => self.gateway = address,
                _ => {}
            }
        }
        Err(io::Error::other("the proxy ended before it was ready"))
    }

    /// The CPU time its threads have had; none where the system does not say.
    ///
    /// The scheduler's own count in nanoseconds: `/proc/PID/stat` counts in hundredths of a
    /// second, which is coarse beside a few thousand requests.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()? {
            let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            sum += text.split_ascii_whitespace().next()?.parse::<u64>().ok()?;
        }
        Some(Duration::from_nanos(sum))
    }
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    /// KiB of memory.
    pub(crate) resident: u64,
    /// The most it ever was.
    pub(crate) peak: u64,
    /// Open descriptors.
    pub(crate) descriptors: usize,
}

impl Proxy {
    /// What the proxy holds now.
    pub(crate) fn footprint(&self) -> io::Result<Footprint> {
        let process = format!("/proc/{}", self.child.id());
        let status = fs::read_to_string(format!("{process}/status"))?;
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_end_matches("kB").trim().parse().ok()
        };
        let missing = || io::Error::other("the system does not say what a process holds");
        Ok(Footprint {
            resident: line("VmRSS:").ok_or_else(missing)?,
            peak: line("VmHWM:").ok_or_else(missing)?,
            descriptors: fs::read_dir(format!("{process}/fd"))?.count(),
        })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A key file that the proxy accepts: readable by its owner alone.
fn private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

/// A local authority for the routes' hosts, in files; its certificate in PEM.
fn authority(home: &Path) -> io::Result<String> {
    let hosts = ["api.sinohope.com", "metasv.com", "www.okx.com", "example.com"];
    let hosts = hosts.map(str::to_owned);
    let new = NewAuthority { hosts: &hosts, unix_ms: unix_ms(), days: 1 };
    let made = new.make().map_err(io::Error::other)?;
    private(&home.join("ca-key.pem"), made.issuing.expose())?;
    fs::write(home.join("ca.pem"), &made.root)?;
    Ok(made.root)
}

fn trusting(authority: &str) -> io::Result<Arc<ClientConfig>> {
    let certificate = CertificateDer::from_pem_slice(authority.as_bytes());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    let config =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let mut config =
        config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn configuration(origin: SocketAddr, log: &str) -> String {
    format!(
        r#"[listen]
forward = "127.0.0.1:0"
gateway = "127.0.0.1:0"

[access]
unrouted = "pass"
pass_private = ["127.0.0.0/8"]

[intercept]
ca_cert = "ca.pem"
ca_key = "ca"

[stores.files]
kind = "file"
dir = "."

[keys.p256]
store = "files"
entry = "p256.pem"

[keys.k256]
store = "files"
entry = "k256.pem"

[keys.hmac]
store = "files"
entry = "hmac"
algorithm = "hmac_sha256"

[secrets.ca]
store = "files"
entry = "ca-key.pem"

[secrets.plain]
store = "files"
entry = "hmac"

[schemes.metasv_declared]
file = "metasv.toml"

[routes.sinohope]
host = "api.sinohope.com"
scheme = "sinohope"
keys = {{ signer = "p256" }}
upstream = "origin"

[routes.metasv]
host = "apiv2.metasv.com"
scheme = "metasv"
keys = {{ signer = "k256" }}
upstream = "origin"

[routes.declared]
host = "declared.metasv.com"
scheme = "metasv_declared"
keys = {{ signer = "k256" }}
upstream = "origin"

{okx}
[upstreams.origin]
url = "http://{origin}"

[log]
level = "{log}"
"#,
        okx = okx("okx", "www.okx.com")
    )
}

/// A route that the catalogue's OKX signs.
fn okx(name: &str, host: &str) -> String {
    format!(
        r#"
[routes.{name}]
host = "{host}"
scheme = "okx"
keys = {{ signer = "hmac" }}
secrets = {{ api_key = "plain", passphrase = "plain" }}
upstream = "origin"
"#
    )
}
