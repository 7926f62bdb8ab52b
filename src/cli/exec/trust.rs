//! Whom the program believes: what it believed before, and the root of the proxy's authority.
//!
//! Most programs take one file in place of the system's authorities, so a file is made that holds
//! both. A program that had a file of its own keeps what is in it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::java::{Java, TrustStore};
use super::settings;
use super::values::Variables;
use crate::cli::CliError;
use crate::cli::directory::Directory;

/// Files that say whom to trust.
#[derive(Debug)]
pub(in crate::cli) struct Trust {
    pub(super) files: BTreeMap<&'static str, OsString>,
    /// Whether there is a Java, and its trust store where it needs one.
    pub(super) java: Option<Option<TrustStore>>,
    /// Where they are; removed when dropped.
    pub(in crate::cli) directory: Directory,
}

impl Trust {
    /// Makes them, for a root given as PEM, if for any.
    pub(in crate::cli) fn make(
        ca: Option<String>,
        caller: &Variables,
        directory: Directory,
    ) -> Result<Self, CliError> {
        let java = Java::find(caller);
        let Some(ca) = ca else {
            return Ok(Self { files: BTreeMap::new(), java: java.map(|_| None), directory });
        };
        let ca = ca.as_bytes();
        let mut files = files(ca, caller, &directory)?;
        files.extend(settings::make(&files["SSL_CERT_FILE"], caller, &directory)?);
        let store = java.map(|java| java.trust_store(ca, caller, &directory));
        let java = match store.transpose() {
            Ok(store) => store.map(Some),
            // The program may well be none of Java's.
            Err(error) => {
                tracing::warn!("nothing is set for Java: {}", error.what);
                None
            }
        };
        Ok(Self { files, java, directory })
    }
}

/// Makes the files and names them as programs want them named.
fn files(
    ca: &[u8],
    caller: &Variables,
    directory: &Directory,
) -> Result<BTreeMap<&'static str, OsString>, CliError> {
    let mut made: BTreeMap<Option<OsString>, PathBuf> = BTreeMap::new();
    let mut variables = BTreeMap::new();
    let fallback = given(caller, "SSL_CERT_FILE");
    let wanted = IN_PLACE.iter().copied();
    let wanted = wanted.chain(IF_SET.iter().copied().filter(|name| given(caller, name).is_some()));
    for name in wanted {
        let base = given(caller, name).or_else(|| fallback.clone());
        let path = match made.get(&base) {
            Some(path) => path.clone(),
            None => {
                let path = directory.join(format!("authorities-{}.pem", made.len() + 1));
                write(&path, &[&before(base.as_deref())?, ca])?;
                made.insert(base, path.clone());
                path
            }
        };
        variables.insert(name, path.into_os_string());
    }
    for name in BESIDE {
        let own = given(caller, name).map(|path| certificates(&path)).transpose()?;
        let path = directory.join(format!("{}.pem", name.to_ascii_lowercase()));
        write(&path, &[&own.unwrap_or_default(), ca])?;
        variables.insert(name, path.into_os_string());
    }
    Ok(variables)
}

/// Variables that name a file in place of the system's authorities.
const IN_PLACE: &[&str] = &[
    "SSL_CERT_FILE", // OpenSSL and what is built on it, Go, rustls' native roots
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
    // These have a list of their own and look for no other file.
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", // gRPC's C core
    "HTTPLIB2_CA_CERTS",
    "PERL_LWP_SSL_CA_FILE",
];

/// Those that only matter to somebody who has set them: they come before `SSL_CERT_FILE`.
const IF_SET: &[&str] = &[
    "NIX_SSL_CERT_FILE",
    "npm_config_cafile",
    "NPM_CONFIG_CAFILE",
    "YARN_HTTPS_CA_FILE_PATH",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
];

/// Variables that name a file beside the authorities built in.
const BESIDE: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];

fn given(caller: &Variables, name: &str) -> Option<OsString> {
    caller.get(OsStr::new(name)).filter(|value| !value.is_empty()).cloned()
}

/// What was believed before: the certificates at a place, or the system's.
fn before(place: Option<&OsStr>) -> Result<Vec<u8>, CliError> {
    match place {
        Some(place) => certificates(place),
        None => Ok(pem(&rustls_native_certs::load_native_certs())),
    }
}

/// A file as it is, or the certificates of a directory.
fn certificates(place: &OsStr) -> Result<Vec<u8>, CliError> {
    let path = Path::new(place);
    if path.is_dir() {
        return Ok(pem(&rustls_native_certs::load_certs_from_paths(None, Some(path))));
    }
    fs::read(path).map_err(|error| CliError::at(path, &error))
}

fn pem(found: &rustls_native_certs::CertificateResult) -> Vec<u8> {
    let mut text = String::new();
    for certificate in &found.certs {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let base64 = STANDARD.encode(certificate);
        let mut rest = base64.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(LINE));
            text.push_str(line);
            text.push('\n');
            rest = after;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text.into_bytes()
}

/// The length of a line in PEM (RFC 7468, section 2).
const LINE: usize = 64;

/// Writes texts one after another, each on lines of its own.
fn write(path: &Path, texts: &[&[u8]]) -> Result<(), CliError> {
    let mut whole = Vec::new();
    for text in texts {
        if !whole.is_empty() && !whole.ends_with(b"\n") {
            whole.push(b'\n');
        }
        whole.extend_from_slice(text);
    }
    let written: io::Result<()> = fs::write(path, whole);
    written.map_err(|error| CliError::at(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(place: &OsString) -> String {
        fs::read_to_string(place).expect("the file is there")
    }

    #[test]
    fn programs_keep_what_they_believed_and_believe_the_authority_too() {
        let directory = Directory::make("test").expect("a directory");
        let own = |name: &str, text: &str| {
            let path = directory.join(name);
            fs::write(&path, text).expect("a file");
            path.into_os_string()
        };
        let caller = Variables::from([
            ("SSL_CERT_FILE".into(), own("a", "AAA")),
            ("REQUESTS_CA_BUNDLE".into(), own("b", "BBB\n")),
            ("NODE_EXTRA_CA_CERTS".into(), own("c", "CCC")),
            ("NIX_SSL_CERT_FILE".into(), own("d", "DDD")),
            ("CURL_CA_BUNDLE".into(), "".into()),
        ]);
        let made = files(b"OURS\n", &caller, &directory).expect("files");
        for (name, expected) in [
            ("SSL_CERT_FILE", "AAA\nOURS\n"),
            ("GIT_SSL_CAINFO", "AAA\nOURS\n"),
            ("CURL_CA_BUNDLE", "AAA\nOURS\n"),
            ("REQUESTS_CA_BUNDLE", "BBB\nOURS\n"),
            ("NIX_SSL_CERT_FILE", "DDD\nOURS\n"),
            ("NODE_EXTRA_CA_CERTS", "CCC\nOURS\n"),
            ("DENO_CERT", "OURS\n"),
        ] {
            assert_eq!(read(&made[name]), expected, "{name}");
        }
        assert_eq!(made.len(), IN_PLACE.len() + BESIDE.len() + 1);
        assert_eq!(made["SSL_CERT_FILE"], made["GIT_SSL_CAINFO"], "one file for one base");
    }

    #[test]
    fn without_files_of_the_callers_the_systems_authorities_come_first() {
        let directory = Directory::make("test").expect("a directory");
        let made = files(b"OURS\n", &Variables::new(), &directory).expect("files");
        let system = rustls_native_certs::load_native_certs().certs.len();
        let text = read(&made["SSL_CERT_FILE"]);
        assert_eq!(text.matches("-----BEGIN CERTIFICATE-----\n").count(), system);
        assert!(text.ends_with("OURS\n"));
        assert!(text.lines().all(|line| line.len() <= LINE));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let directory = Directory::make("test").expect("a directory");
        let caller = Variables::from([("PIP_CERT".into(), "/nowhere/ca.pem".into())]);
        let error = files(b"OURS", &caller, &directory).expect_err("no such file");
        assert!(error.what.starts_with("/nowhere/ca.pem: "), "{}", error.what);
    }
}
