//! What the caller's own environment has already.

use std::net::SocketAddr;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::trial::value;
use crate::cli::exec::conversation::local;
use crate::cli::exec::environment::{Variables, text};
use crate::cli::exec::java;
use crate::config::Config;
use crate::tls::CaCertificate;

/// The caller's environment, and the configuration that it is held against, if there is one.
pub(super) struct Shell<'a> {
    variables: &'a Variables,
    forward: Option<SocketAddr>,
    ca: Option<CertificateDer<'static>>,
}

impl<'a> Shell<'a> {
    /// Without a configuration, a variable is right when it is set.
    pub(super) fn new(variables: &'a Variables, config: Option<&Config>) -> Self {
        let intercept = config.and_then(|config| config.intercept.as_ref());
        let pem = intercept.and_then(|intercept| std::fs::read(&intercept.ca_cert).ok());
        let ca = pem.and_then(|pem| CaCertificate::read(&pem).ok());
        let ca = ca.map(|ca| ca.trust_anchor().clone());
        let forward = config.and_then(|config| config.listen.forward).map(local);
        Self { variables, forward, ca }
    }

    /// Which of these variables, all for the same, is missing or wrong: one that is set and wrong,
    /// or else the first.
    pub(super) fn lacks<'b>(&self, names: &[&'b str]) -> Option<&'b str> {
        let set = || names.iter().copied().filter(|name| value(self.variables, name).is_some());
        match set().find(|name| !self.is_right(name)) {
            Some(wrong) => Some(wrong),
            None if set().next().is_some() => None,
            None => names.first().copied(),
        }
    }

    fn is_right(&self, name: &str) -> bool {
        let Some(set) = text(self.variables, name) else { return false };
        match name {
            "NODE_USE_ENV_PROXY" | "PERL_LWP_ENV_PROXY" => return set == "1",
            // Settings, in which a file may be named in many ways.
            "WGETRC" | "PHP_INI_SCAN_DIR" => return true,
            _ => {}
        }
        if name == java::VARIABLE {
            let port = self.forward.map(|at| at.port().to_string()).unwrap_or_default();
            return set.contains(&format!("-Dhttps.proxyPort={port}"))
                && set.contains("-Djavax.net.ssl.trustStore=");
        }
        if name.to_ascii_uppercase().ends_with("_PROXY") {
            return self.forward.is_none_or(|forward| leads_to(&set, forward));
        }
        self.ca.as_ref().is_none_or(|ca| holds(&set, ca))
    }
}

/// Whether a proxy's URL is this address.
fn leads_to(url: &str, forward: SocketAddr) -> bool {
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    let place = place.rsplit('@').next().unwrap_or_default().trim_end_matches('/');
    let place = place.replace("localhost:", "127.0.0.1:");
    place.parse() == Ok(forward)
}

/// Whether a file has this certificate among others.
fn holds(path: &str, ca: &CertificateDer<'_>) -> bool {
    let pem = std::fs::read(path).unwrap_or_default();
    CertificateDer::pem_slice_iter(&pem).any(|one| one.is_ok_and(|one| one == *ca))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_missing_unless_it_leads_where_it_should() {
        let forward = "127.0.0.1:8080".parse().ok();
        for (set, forward, names, missing) in [
            (vec![], None, vec!["HTTPS_PROXY", "https_proxy"], Some("HTTPS_PROXY")),
            (vec![("https_proxy", "x")], None, vec!["HTTPS_PROXY", "https_proxy"], None),
            (vec![("HTTPS_PROXY", "")], None, vec!["HTTPS_PROXY"], Some("HTTPS_PROXY")),
            (
                vec![("HTTPS_PROXY", "http://a:b@localhost:8080/")],
                forward,
                vec!["HTTPS_PROXY"],
                None,
            ),
            (
                vec![("HTTPS_PROXY", "http://127.0.0.1:8080"), ("https_proxy", "http://x:1")],
                forward,
                vec!["HTTPS_PROXY", "https_proxy"],
                Some("https_proxy"),
            ),
            (
                vec![("NODE_USE_ENV_PROXY", "0")],
                None,
                vec!["NODE_USE_ENV_PROXY"],
                Some("NODE_USE_ENV_PROXY"),
            ),
            (vec![("PERL_LWP_ENV_PROXY", "1")], forward, vec!["PERL_LWP_ENV_PROXY"], None),
            (vec![("SSL_CERT_FILE", "/nowhere")], None, vec!["SSL_CERT_FILE"], None),
            (
                vec![("JAVA_TOOL_OPTIONS", "-Xmx1g")],
                None,
                vec!["JAVA_TOOL_OPTIONS"],
                Some("JAVA_TOOL_OPTIONS"),
            ),
        ] {
            let pair = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
            let variables: Variables = set.iter().map(pair).collect();
            let shell = Shell { variables: &variables, forward, ca: None };
            assert_eq!(shell.lacks(&names), missing, "{set:?}");
        }
    }
}
