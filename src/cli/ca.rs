//! `countersign ca`: the certificate authority that ends HTTPS for clients who trust it.

mod ephemeral;
mod new;
mod reach;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

pub(super) use ephemeral::Ephemeral;
pub(super) use new::NewCa;

use self::reach::{hosts_of, write_reach};
use super::{CliError, ConfigFile, Exit};
use crate::config::Config;
use crate::moment::unix_ms;
use crate::tls::CaCertificate;

/// Make, show and export the certificate authority for HTTPS.
#[derive(Debug, clap::Args)]
pub(super) struct CaArgs {
    #[command(subcommand)]
    command: CaCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CaCommand {
    /// Make a CA that may vouch for the hosts of the routes, and for nothing else
    New(new::NewArgs),
    /// Show a CA's certificate: whose it is, how long, and which hosts it may vouch for
    Show {
        #[command(flatten)]
        config: ConfigFile,
        /// A certificate in PEM, whatever a configuration says
        #[arg(long, value_name = "FILE", conflicts_with_all = ["positional", "option"])]
        cert: Option<PathBuf>,
    },
    /// Write the certificate that clients have to trust to standard output
    #[command(after_help = TRUST)]
    Export {
        #[command(flatten)]
        config: ConfigFile,
        /// The form
        #[arg(long, default_value = "pem")]
        format: Format,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Pem,
    Der,
}

const TRUST: &str = "\
Who trusts ca.pem, and how:
  curl              curl --cacert ca.pem, or CURL_CA_BUNDLE=ca.pem
  OpenSSL, Go, Ruby, Python's ssl and httpx
                    SSL_CERT_FILE=ca.pem
  Python's requests REQUESTS_CA_BUNDLE=ca.pem
  Node              NODE_EXTRA_CA_CERTS=ca.pem
  Java              keytool -importcert -noprompt -alias countersign -file ca.pem \\
                      -keystore trust.p12 -storepass changeit
                    java -Djavax.net.ssl.trustStore=trust.p12 \\
                      -Djavax.net.ssl.trustStorePassword=changeit …
  Debian, Ubuntu    cp ca.pem /usr/local/share/ca-certificates/countersign.crt
                    update-ca-certificates
All but Node's and the last take the place of the system's roots: for a program that also speaks
to other hosts over TLS, give it a file with both, cat /etc/ssl/certs/ca-certificates.crt ca.pem";

pub(super) fn run(args: &CaArgs, out: &mut dyn Write) -> Result<(), CliError> {
    match &args.command {
        CaCommand::New(args) => new::run(args, out),
        CaCommand::Show { cert: Some(file), .. } => show(file, &[], out),
        CaCommand::Show { config, cert: None } => {
            let config = Config::load(config.path())?;
            show(certificate_of(&config)?, &hosts_of(&config), out)
        }
        CaCommand::Export { config, format } => {
            export(certificate_of(&Config::load(config.path())?)?, *format, out)
        }
    }
}

fn certificate_of(config: &Config) -> Result<&Path, CliError> {
    let intercept = config.intercept.as_ref().ok_or_else(|| {
        let what = format!("{} has no [intercept], which names a CA", config.path.display());
        CliError::new(Exit::Config, what).fix("make one: countersign ca new")
    })?;
    Ok(&intercept.ca_cert)
}

fn read(file: &Path) -> Result<CaCertificate, CliError> {
    let pem = fs::read(file).map_err(|error| CliError::at(file, &error))?;
    CaCertificate::read(&pem)
        .map_err(|error| CliError::failed(format!("{} {error}", file.display()), error.fix))
}

fn show(file: &Path, hosts: &[String], out: &mut dyn Write) -> Result<(), CliError> {
    let ca = read(file)?;
    let (from, to) = ca.validity();
    writeln!(out, "certificate  {}", file.display())?;
    writeln!(out, "subject      {}", ca.subject())?;
    writeln!(out, "fingerprint  SHA-256 {}", ca.fingerprint())?;
    writeln!(out, "valid        {from} to {to}")?;
    if let Err(error) = ca.check_time(unix_ms()) {
        writeln!(out, "             it {error}")?;
    }
    write_reach(&ca, out)?;
    for host in hosts {
        let place = if ca.permits(host) { "inside" } else { "outside: clients would refuse it" };
        writeln!(out, "route        {host}, {place}")?;
    }
    Ok(())
}

/// Encodes anew what was read, so that nothing else of the file gets out.
fn export(file: &Path, format: Format, out: &mut dyn Write) -> Result<(), CliError> {
    let ca = read(file)?;
    let written = match format {
        Format::Der => out.write_all(ca.trust_anchor()),
        Format::Pem => out.write_all(ca.trust_anchor_pem().as_bytes()),
    };
    Ok(written?)
}
