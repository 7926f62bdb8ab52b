//! The stores: started where the machine has what they need, and named where it has not.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use countersign::keys::PrivateKey;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::service::Service;
use super::{KEYS, Row};

/// What runs; it ends when dropped.
pub(crate) struct Places {
    /// The keys in them, for the process that asks; those in memory come first.
    pub(crate) rows: Vec<String>,
    /// What that process finds in its environment.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// What there is not, and why.
    pub(crate) missing: Vec<String>,
    home: PathBuf,
    running: Vec<Running>,
    service: Service,
}

/// A process, ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

impl Places {
    pub(crate) fn start(home: &Path) -> Self {
        for (name, algorithm) in KEYS {
            private(&home.join(name), PrivateKey::generate(algorithm).to_text().as_bytes());
        }
        let mut all = Self {
            rows: Vec::new(),
            variables: Vec::new(),
            missing: Vec::new(),
            home: home.to_owned(),
            running: Vec::new(),
            service: Service::start(),
        };
        all.holds("memory", &["p256", "mac", "ed"], |key| format!("file:{key}"));
        all.signer_at_a_socket();
        all.signer_in_mutual_tls();
        let agent = all.agent();
        all.note("ssh_agent", agent);
        let token = all.token();
        all.note("pkcs11", token);
        all.services();
        all
    }

    fn holds(&mut self, store: &str, keys: &[&str], uri: impl Fn(&str) -> String) {
        self.rows.extend(keys.iter().map(|key| Row::write(store, key, &uri(key))));
    }

    fn note(&mut self, store: &str, done: Result<(), String>) {
        self.missing.extend(done.err().map(|why| format!("{store}: {why}")));
    }

    fn signer_at_a_socket(&mut self) {
        let uid = fs::metadata("/proc/self").expect("the system lists processes").uid();
        let url = format!("unix:{}/socket", self.home.display());
        self.signer("socket.toml", &format!("listen = \"{url}\"\n"), &format!("uid = {uid}"));
        self.holds("remote, unix", &["p256", "mac"], |key| format!("remote:{key}?url={url}"));
    }

    fn signer_in_mutual_tls(&mut self) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "bench authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().expect("a key can be made");
        let authority = CertifiedIssuer::self_signed(params, key).expect("it can be signed");
        private(&self.home.join("ca.pem"), authority.pem().as_bytes());
        for (name, host) in [("signer", "127.0.0.1"), ("proxy", "proxy.test")] {
            let key = KeyPair::generate().expect("a key can be made");
            let params = CertificateParams::new([host.to_owned()]).expect("it is a name");
            let leaf = params.signed_by(&key, &authority).expect("it can be signed");
            private(&self.home.join(format!("{name}.pem")), leaf.pem().as_bytes());
            private(&self.home.join(format!("{name}-key.pem")), key.serialize_pem().as_bytes());
        }
        let listen = "listen = \"127.0.0.1:0\"\ncert = \"signer.pem\"\nkey = \"signer-key.pem\"\n\
                      client_ca = \"ca.pem\"\n";
        let url = self.signer("tls.toml", listen, "certificate = \"proxy.test\"");
        self.holds("remote, mutual TLS", &["p256", "mac"], |key| {
            format!("remote:{key}?url={url}&ca=ca.pem&cert=proxy.pem&key=proxy-key.pem")
        });
    }

    /// Starts `countersign signer`; where it listens.
    fn signer(&mut self, file: &str, listen: &str, whom: &str) -> String {
        let config = format!(
            "[signer]\n{listen}audit = \"{file}.jsonl\"\n[grants.own]\n{whom}\n\
             keys = [\"mac\", \"p256\"]\n[keys]\nmac = {{ {MAC} }}\np256 = \"file:p256\"\n\
             [stores.files]\nkind = \"file\"\ndir = \".\"\n"
        );
        fs::write(self.home.join(file), config).expect("it can be written");
        let mut command = self.command(env!("CARGO_BIN_EXE_countersign"));
        command.args(["signer", "--config", file]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program can be run");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        self.running.push(Running(child));
        let mut url = String::new();
        for line in lines.by_ref().map_while(Result::ok) {
            match line.split_once(char::is_whitespace) {
                Some(("signer", at)) => at.trim().clone_into(&mut url),
                _ if line == "ready" => return url,
                _ => {}
            }
        }
        panic!("the signer did not start")
    }

    /// OpenSSH's agent, which is asked for its own kind of Ed25519 file.
    fn agent(&mut self) -> Result<(), String> {
        let socket = self.home.join("agent");
        let mut command = self.command("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null());
        self.listening(&mut command, &socket)?;
        let made = ["-q", "-N", "", "-t", "ed25519", "-C", "ed", "-f", "ssh-ed"];
        done(self.command("ssh-keygen").args(made))?;
        for file in ["p256", "ssh-ed"] {
            done(self.command("ssh-add").args(["-q", file]).env("SSH_AUTH_SOCK", &socket))?;
        }
        self.variables.push(("SSH_AUTH_SOCK", socket.display().to_string()));
        self.holds("ssh_agent, OpenSSH", &["p256", "ed"], |key| format!("ssh-agent:{key}"));
        Ok(())
    }

    /// SoftHSM, in the process that asks and behind `p11-kit server`.
    fn token(&mut self) -> Result<(), String> {
        if !cfg!(feature = "pkcs11") {
            return Err("this build is without the feature pkcs11".into());
        }
        present(SOFTHSM)?;
        let tokens = self.home.join("tokens");
        fs::create_dir(&tokens).expect("a directory can be made");
        let config = self.home.join("softhsm.conf");
        let text = format!("directories.tokendir = {}\n", tokens.display());
        fs::write(&config, text).expect("it can be written");
        self.variables.push(("SOFTHSM2_CONF", config.display().to_string()));
        let made = ["--init-token", "--free", "--label", "bench", "--so-pin", "so-pin"];
        done(self.command("softhsm2-util").args(made).args(["--pin", PIN]).stdout(Stdio::null()))?;
        private(&self.home.join("pin"), PIN.as_bytes());
        let store = format!(
            "[stores.hsm]\nkind = \"pkcs11\"\nmodule = \"{SOFTHSM}\"\ntoken = \"bench\"\n\
             pin = \"file:pin\"\n"
        );
        fs::write(self.home.join("proxy.toml"), store).expect("it can be written");
        for (key, algorithm) in &KEYS[..2] {
            let mut command = self.command(env!("CARGO_BIN_EXE_countersign"));
            command.args(["keys", "import", "--in", key, "--store", "hsm", "--entry", key]);
            done(command.args(["--algorithm", algorithm.name()]).stdout(Stdio::null()))?;
        }
        self.holds("pkcs11, SoftHSM", &["p256", "mac"], |key| token_uri(key, SOFTHSM));
        let served = self.served_token();
        self.note("pkcs11, p11-kit server", served);
        Ok(())
    }

    fn served_token(&mut self) -> Result<(), String> {
        let arch = std::env::consts::ARCH;
        let module = format!("/usr/lib/{arch}-linux-gnu/pkcs11/p11-kit-client.so");
        present(&module)?;
        let socket = self.home.join("p11");
        let mut command = self.command("p11-kit");
        command.args(["server", "--foreground", "--provider", SOFTHSM, "--name"]);
        command.arg(&socket).arg("pkcs11:token=bench").stdout(Stdio::null());
        self.listening(&mut command, &socket)?;
        let address = format!("unix:path={}", socket.display());
        self.variables.push(("P11_KIT_SERVER_ADDRESS", address));
        self.holds("pkcs11, p11-kit server", &["p256", "mac"], |key| token_uri(key, &module));
        Ok(())
    }

    /// Stand-ins on loopback that do the signature and no more, so that what is measured is the client.
    fn services(&mut self) {
        let url = self.service.url();
        self.variables.extend([
            ("VAULT_ADDR", url.clone()),
            ("VAULT_TOKEN", "token".into()),
            ("AWS_ENDPOINT_URL_KMS", url),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".into()),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()),
        ]);
        self.holds("vault, stand-in", &["p256", "mac"], |key| format!("vault:{key}"));
        self.holds("aws_kms, stand-in", &["p256", "mac"], |key| {
            format!("awskms:key-id={key};region=eu-west-1")
        });
    }

    /// A program in the home, which finds its token.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.home).envs(self.variables.iter().cloned());
        command
    }

    /// Starts a program that listens at a socket.
    fn listening(&mut self, command: &mut Command, socket: &Path) -> Result<(), String> {
        let name = command.get_program().display().to_string();
        let child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
        self.running.push(Running(child));
        let started = Instant::now();
        while UnixStream::connect(socket).is_err() {
            if started.elapsed() > Duration::from_secs(10) {
                return Err(format!("{name}: it does not listen"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

fn token_uri(key: &str, module: &str) -> String {
    format!("pkcs11:token=bench;object={key}?module-path={module}&pin-value={PIN}")
}

/// Runs a program to its end.
fn done(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    let status = command.status().map_err(|error| format!("{name}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name}: {status}")) }
}

fn present(file: &str) -> Result<(), String> {
    if Path::new(file).exists() { Ok(()) } else { Err(format!("there is no {file}")) }
}

/// Writes a file that nobody else may read.
fn private(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).expect("it can be written");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("it is there");
}

const PIN: &str = "bench-pin-7391";
const MAC: &str = "store = \"files\", entry = \"mac\", algorithm = \"hmac_sha256\"";
