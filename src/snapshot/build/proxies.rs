//! Parent proxies: one that the configuration names, and those that this process's environment
//! names, for upstreams that say `via = "environment"`.

use std::ffi::OsString;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;

use crate::config::{Problem, ProxyScheme, ProxyUrl};
use crate::upstream::{Credentials, Environment, HostPort, Protocol, Proxy};

/// What the variables say, capitals before small letters; an empty one says nothing.
pub(super) fn environment(
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Result<Environment, Problem> {
    let value = |name: &'static str| -> Result<Option<(&'static str, String)>, Problem> {
        let found = [lookup(name), lookup(&name.to_ascii_lowercase())];
        let found = found.into_iter().flatten().find(|value| !value.is_empty());
        let text = found.map(OsString::into_string).transpose();
        Ok(text.map_err(|_| unusable(name, "is not Unicode text"))?.map(|text| (name, text)))
    };
    let all = value("ALL_PROXY")?;
    let of = |own: Option<(&'static str, String)>| {
        own.or_else(|| all.clone()).map(|(name, text)| named(name, &text)).transpose()
    };
    let (http, https) = (of(value("HTTP_PROXY")?)?, of(value("HTTPS_PROXY")?)?);
    let no_proxy = value("NO_PROXY")?.map(|(_, text)| text).unwrap_or_default();
    Ok(Environment::new(http, https, no_proxy))
}

/// How a proxy is spoken to, and where it is.
pub(super) fn proxy(url: &ProxyUrl) -> (Protocol, HostPort) {
    let protocol = match url.scheme {
        ProxyScheme::Http => Protocol::Http,
        ProxyScheme::Https => Protocol::Https,
        ProxyScheme::Socks5 => Protocol::Socks5,
    };
    (protocol, HostPort { host: url.host.clone(), port: url.port })
}

/// The proxy that a variable names, with the credentials in it.
fn named(name: &'static str, text: &str) -> Result<Arc<Proxy>, Problem> {
    let anywhere = http::Uri::from_static("http://upstream.invalid");
    let found = Matcher::builder().all(text).build().intercept(&anywhere);
    let found = found.ok_or_else(|| unusable(name, "is no URL of a proxy"))?;
    // Without user and password, which were taken out of it.
    let url = ProxyUrl::parse(&found.uri().to_string());
    let url = url.map_err(|fault| unusable(name, &fault.what))?;
    let (protocol, place) = proxy(&url);
    let credentials = match (protocol, found.basic_auth(), found.raw_auth()) {
        (Protocol::Http | Protocol::Https, Some(value), _) => {
            Some(Credentials::Basic(value.clone()))
        }
        (Protocol::Socks5, _, Some((user, password))) => {
            let known = Credentials::password(user.as_bytes(), password.as_bytes());
            Some(known.map_err(|what| unusable(name, what))?)
        }
        _ => None,
    };
    Ok(Arc::new(Proxy::new(protocol, place, credentials)))
}

/// What is wrong with a variable; nothing of its value.
fn unusable(name: &str, what: &str) -> Problem {
    let fix = "export it as http://HOST:PORT, https://… or socks5://…, or name the proxy with via";
    Problem::new(what, fix).of(format_args!("the variable {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_names_no_proxy_is_named_and_its_value_is_not() {
        let table = [
            ("HTTPS_PROXY", "http://[", "the variable HTTPS_PROXY is no URL of a proxy"),
            ("https_proxy", "ftp://me:pa55@x", "the variable HTTPS_PROXY is no URL of a proxy"),
            (
                "HTTP_PROXY",
                "socks4://me:pa55@x",
                "the variable HTTP_PROXY has the scheme \"socks4\"",
            ),
            ("ALL_PROXY", "socks5://:pa55@x", "the variable ALL_PROXY needs a user of 1"),
            ("HTTPS_PROXY", "http://me:pa55@a_b..c", "the variable HTTPS_PROXY has "),
        ];
        for (set, value, what) in table {
            let read = environment(|name| (name == set).then(|| value.into()));
            let said = read.map(|_| ()).map_err(|trouble| trouble.what).expect_err(value);
            assert!(said.starts_with(what), "{value}: {said}");
            assert!(!said.contains("pa55"), "{said}");
        }
        for (set, value) in [("HTTPS_PROXY", ""), ("NO_PROXY", "*"), ("http_proxy", "proxy:3128")] {
            assert!(environment(|name| (name == set).then(|| value.into())).is_ok(), "{set}");
        }
    }
}
