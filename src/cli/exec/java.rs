//! Java, which reads none of the variables that others read: options in `JAVA_TOOL_OPTIONS`, and
//! a trust store made from the one that comes with it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::no_proxy::NoProxy;
use super::values::{self, Variables};
use crate::cli::CliError;
use crate::cli::directory::Directory;

/// The variable every Java since 5 takes options from.
pub(in crate::cli) const VARIABLE: &str = "JAVA_TOOL_OPTIONS";

/// Options that Java or a tool built on it reads after those, so that these count: where the
/// caller has a proxy or a trust store in one, it would lead past ours.
const LATER: &[&str] =
    &["JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JAVA_OPTS", "MAVEN_OPTS", "GRADLE_OPTS"];

/// The variables that take our options, for a caller with this environment.
pub(super) fn variables(caller: &Variables) -> impl Iterator<Item = &'static str> {
    let ours = ["proxyHost", "nonProxyHosts", "trustStore"];
    let later = LATER.iter().copied().filter(move |name| {
        values::text(caller, name).is_some_and(|set| ours.iter().any(|o| set.contains(o)))
    });
    [VARIABLE].into_iter().chain(later)
}

/// A Java installation.
#[derive(Debug)]
pub(in crate::cli) struct Java {
    home: PathBuf,
}

impl Java {
    /// The one that `JAVA_HOME` names, or else the one in `PATH`.
    pub(in crate::cli) fn find(caller: &Variables) -> Option<Self> {
        let named = caller.get(OsStr::new("JAVA_HOME")).map(PathBuf::from);
        let named = named.filter(|home| home.join("bin/java").is_file());
        let home = named.or_else(|| {
            let path = caller.get(OsStr::new("PATH"))?;
            let mut programs = std::env::split_paths(path).map(|part| part.join("java"));
            let program = programs.find(|program| program.is_file())?;
            // Alternatives are symbolic links into the installation.
            Some(fs::canonicalize(program).ok()?.parent()?.parent()?.to_owned())
        })?;
        Some(Self { home })
    }

    /// The path of one of its programs, if it has it.
    pub(in crate::cli) fn program(&self, name: &str) -> Option<PathBuf> {
        Some(self.home.join("bin").join(name)).filter(|path| path.is_file())
    }

    /// Copies a trust store and adds a certificate: the one that the caller's options name, or
    /// that of this Java.
    pub(super) fn trust_store(
        &self,
        ca: &[u8],
        caller: &Variables,
        directory: &Directory,
    ) -> Result<TrustStore, CliError> {
        let given = values::text(caller, VARIABLE);
        let given = given.as_deref();
        let places = ["lib/security/cacerts", "jre/lib/security/cacerts"];
        let mut own = places.iter().map(|place| self.home.join(place));
        let named = given.and_then(|given| value(given, STORE)).map(PathBuf::from);
        let password = given.filter(|_| named.is_some()).and_then(|given| value(given, UNLOCK));
        let password = password.unwrap_or(PASSWORD).to_owned();
        let store = directory.join("java.keystore");
        if let Some(own) = named.or_else(|| own.find(|path| path.is_file())) {
            // The contents alone: a copy of a file that may not be written could not be either.
            let read = fs::read(&own).map_err(|error| CliError::at(&own, &error))?;
            fs::write(&store, read).map_err(|error| CliError::at(&store, &error))?;
        }
        let certificate = directory.join("countersign.pem");
        fs::write(&certificate, ca).map_err(|error| CliError::at(&certificate, &error))?;
        let store = TrustStore { path: store, password };
        self.import(&certificate, &store, caller)?;
        Ok(store)
    }

    fn import(
        &self,
        certificate: &Path,
        store: &TrustStore,
        caller: &Variables,
    ) -> Result<(), CliError> {
        let own = self.program("keytool").unwrap_or_else(|| "keytool".into());
        let mut keytool = Command::new(own);
        // A start of Java is most of what this takes, and these make it a short one.
        keytool.args(["-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-importcert"]);
        keytool.args([
            "-noprompt",
            "-alias",
            "countersign",
            "-storepass",
            &store.password,
            "-file",
        ]);
        keytool.arg(certificate).arg("-keystore").arg(&store.path);
        // With the caller's options it would print them; what is ours is not its business.
        let passed = |(name, _): &(&OsString, &OsString)| {
            !name.as_encoded_bytes().starts_with(b"COUNTERSIGN_") && *name != VARIABLE
        };
        keytool.env_clear().envs(caller.iter().filter(passed));
        let output = keytool.stdin(Stdio::null()).output();
        let said = match output {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        let what = format!("keytool of {} makes no trust store: {said}", self.home.display());
        Err(CliError::failed(what, "mend that Java, or unset JAVA_HOME and take it out of PATH"))
    }
}

/// A file with certificates that Java trusts, and what it is locked with: it holds nothing secret.
#[derive(Debug)]
pub(super) struct TrustStore {
    path: PathBuf,
    password: String,
}

/// What every trust store that comes with Java is locked with.
const PASSWORD: &str = "changeit";
const STORE: &str = "-Djavax.net.ssl.trustStore=";
const UNLOCK: &str = "-Djavax.net.ssl.trustStorePassword=";

/// What options have behind `name`; the last counts, as for Java.
fn value<'a>(options: &'a str, name: &str) -> Option<&'a str> {
    let options = options.split_whitespace().map(|option| option.trim_matches(['"', '\'']));
    options.filter_map(|option| option.strip_prefix(name)).next_back()
}

/// The caller's options, then the proxy and whom to trust.
pub(super) fn options(
    given: Option<&str>,
    proxy: SocketAddr,
    past: &NoProxy,
    trust_store: Option<&TrustStore>,
) -> String {
    let mut options: Vec<String> = given.into_iter().map(str::to_owned).collect();
    for scheme in ["http", "https"] {
        options.push(format!("-D{scheme}.proxyHost={}", proxy.ip()));
        options.push(format!("-D{scheme}.proxyPort={}", proxy.port()));
    }
    options.push(format!("-Dhttp.nonProxyHosts={}", past.for_java()));
    if let Some(store) = trust_store {
        options.push(quoted(&format!("{STORE}{}", store.path.display())));
        options.push(quoted(&format!("{UNLOCK}{}", store.password)));
    }
    options.join(" ")
}

/// In quotation marks where a space would end the option.
fn quoted(option: &str) -> String {
    if option.contains(char::is_whitespace) { format!("\"{option}\"") } else { option.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_added_to_those_there_are() {
        let proxy = "127.0.0.1:4000".parse().expect("an address");
        let past = NoProxy::merge([], &[]);
        let fixed = "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=4000 -Dhttps.proxyHost=127.0.0.1 \
            -Dhttps.proxyPort=4000 -Dhttp.nonProxyHosts=localhost|127.0.0.1|[::1]";
        assert_eq!(options(None, proxy, &past, None), fixed);
        let store = TrustStore { path: "/a b/s".into(), password: PASSWORD.into() };
        let all = options(Some("-Xmx1g"), proxy, &past, Some(&store));
        let trust = "\"-Djavax.net.ssl.trustStore=/a b/s\" \
            -Djavax.net.ssl.trustStorePassword=changeit";
        assert_eq!(all, format!("-Xmx1g {fixed} {trust}"));
    }

    #[test]
    fn a_trust_store_of_the_callers_is_found_in_the_options() {
        for (options, expected) in [
            ("", None),
            ("-Xmx1g -Djavax.net.ssl.trustStorePassword=x", None),
            ("-Djavax.net.ssl.trustStore=/a -Xmx1g", Some("/a")),
            ("-Djavax.net.ssl.trustStore=/a '-Djavax.net.ssl.trustStore=/b'", Some("/b")),
        ] {
            assert_eq!(value(options, STORE), expected, "{options}");
        }
    }
}
