//! The hosts a route matches.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::document::{ValueFault, quoted};

/// A host name, or `*.` and a name for every host one label below it; with or without a port.
///
/// Without a port it stands for the ports nobody writes, 80 and 443: a client that asks for
/// another port of the same host asks another service.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct HostPattern {
    wildcard: bool,
    /// Lower-case; IPv6 in brackets; of a wildcard what follows `*.`.
    name: String,
    port: Option<u16>,
}

impl HostPattern {
    /// Reads `api.example.com`, `*.example.com`, `192.0.2.1` or `[2001:db8::1]`, each with or
    /// without `:port`.
    pub(crate) fn parse(text: &str) -> Result<Self, ValueFault> {
        let text = text.to_ascii_lowercase();
        let (name, port) = split(&text)?;
        if name.rfind('*').is_some_and(|star| star > 0 || !name.starts_with("*.")) {
            let what = format!("has a * in {}", quoted(name));
            let note = "where * stands for the whole first label";
            return Err(ValueFault::meant(what, "*.example.com", note));
        }
        let Some(below) = name.strip_prefix("*.") else {
            return Ok(Self { wildcard: false, name: host_name(name)?, port });
        };
        let name = host_name(below)?;
        if name.starts_with('[') || is_ipv4(&name) {
            return Err(ValueFault::new(
                "puts * before an address",
                "where * stands for one label of a name",
            ));
        }
        Ok(Self { wildcard: true, name, port })
    }

    /// Whether a request for `host`, at `port` where it names one, is meant. Capitals and one
    /// dot at the end make no difference, nor do the brackets of an IPv6 address.
    pub fn matches(&self, host: &str, port: Option<u16>) -> bool {
        self.takes(port) && self.names(host)
    }

    /// Whether a request for this port, or for none that it names, is meant.
    pub(crate) fn takes(&self, port: Option<u16>) -> bool {
        match (self.port, port) {
            (None, port) => is_default(port),
            (own, None) => is_default(own),
            (own, port) => own == port,
        }
    }

    /// Whether `host` is a name it stands for, whatever the port.
    pub fn names(&self, host: &str) -> bool {
        let (host, own) = (Self::canonical(host), Self::canonical(&self.name));
        if !self.wildcard {
            return host == own;
        }
        host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == own)
    }

    /// A host as it is compared: lower-case, without the dot at its end; an address without brackets,
    /// and the same in the form that IPv4 has in IPv6.
    pub(crate) fn canonical(host: &str) -> Cow<'_, str> {
        let host = host.strip_suffix('.').unwrap_or(host);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        // An IPv4 address has one form; only IPv6 addresses, and IPv4 in their form, have several.
        if bare.contains(':')
            && let Ok(address) = bare.parse::<IpAddr>()
        {
            return address.to_canonical().to_string().into();
        }
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return host.to_ascii_lowercase().into();
        }
        host.into()
    }

    /// The name; of a wildcard what follows `*.`.
    pub(crate) fn base(&self) -> &str {
        &self.name
    }

    /// The name alone, as certificates have it: lower-case, `*.` before a wildcard's, no brackets,
    /// no port.
    pub fn name(&self) -> String {
        let star = if self.wildcard { "*." } else { "" };
        format!("{star}{}", self.name.trim_start_matches('[').trim_end_matches(']'))
    }

    /// Whether it stands for every host one label below a name.
    pub fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The port, where one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether neither of the two is more specific although one request can match both. So are
    /// equal patterns, and `:80` beside `:443`: a request without a port matches either.
    pub(crate) fn ties_with(&self, other: &Self) -> bool {
        let ports = self.port == other.port
            || self.port.is_some()
                && other.port.is_some()
                && is_default(self.port)
                && is_default(other.port);
        ports && self.wildcard == other.wildcard && self.name == other.name
    }
}

/// Writes what a request's `Host` has for an exact pattern.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.wildcard { "*." } else { "" };
        write!(f, "{star}{}", self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn is_default(port: Option<u16>) -> bool {
    matches!(port, None | Some(80 | 443))
}

/// Takes host and port apart, and refuses what a URL has beside them.
pub(super) fn split(text: &str) -> Result<(&str, Option<u16>), ValueFault> {
    if let Some((scheme, rest)) = text.split_once("://") {
        let bare = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if bare.contains('@') {
            return Err(user_info());
        }
        return Err(ValueFault::meant(
            "is a URL, and must be a host",
            bare,
            format!("without {scheme}://"),
        ));
    }
    if text.contains('@') {
        return Err(user_info());
    }
    if let Some(end) = text.find(['/', '?', '#']) {
        let what = "has a path, and must be a host alone";
        return Err(ValueFault::meant(what, &text[..end], "without the path"));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        let what = "is an IPv6 address without brackets";
        return Err(ValueFault::meant(what, format!("[{text}]"), ""));
    }
    let colon = text.rfind(':').filter(|colon| !text[*colon..].contains(']'));
    let Some(colon) = colon else {
        return Ok((text, None));
    };
    let (host, port) = (&text[..colon], &text[colon + 1..]);
    match port.parse() {
        Ok(0) | Err(_) => {
            let what = format!("has the port {}", quoted(port));
            Err(ValueFault::meant(what, host, "or a port from 1 to 65535 after it"))
        }
        Ok(port) => Ok((host, Some(port))),
    }
}

fn user_info() -> ValueFault {
    ValueFault::new("carries a user or a password", "without anything before an @")
}

/// Reads one host without a port: a DNS name, an IPv4 address or an IPv6 address in brackets.
/// Lower-case, addresses in their usual form.
pub(in crate::config) fn host_name(text: &str) -> Result<String, ValueFault> {
    if let Some(address) = text.strip_prefix('[') {
        let address = address.strip_suffix(']').and_then(|bare| bare.parse::<Ipv6Addr>().ok());
        let what =
            || ValueFault::new(format!("is {}, which is not an IPv6 address", quoted(text)), "");
        return address.map(|address| format!("[{address}]")).ok_or_else(what);
    }
    let name = text.to_ascii_lowercase();
    if name.is_empty() {
        return Err(ValueFault::new("is empty", ""));
    }
    if let Some(bare) = name.strip_suffix('.') {
        return Err(ValueFault::meant("ends with a dot", bare, "which means the same"));
    }
    if !name.is_ascii() {
        let what = "has letters that DNS does not know";
        return Err(ValueFault::new(what, "in the form that starts with xn--"));
    }
    check_labels(&name)?;
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) && !is_ipv4(&name) {
        return Err(ValueFault::new(
            format!("is {}, which is not an IPv4 address", quoted(&name)),
            "",
        ));
    }
    Ok(name)
}

fn check_labels(name: &str) -> Result<(), ValueFault> {
    if name.len() > LONGEST_NAME {
        return Err(ValueFault::new(format!("is longer than {LONGEST_NAME} characters"), ""));
    }
    for label in name.split('.') {
        // An underscore is no host name's, but resolvers and cluster names use it.
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let what = if label.is_empty() {
            "has a dot too many".into()
        } else if label.len() > LONGEST_LABEL {
            format!("has a label longer than {LONGEST_LABEL} characters")
        } else if !label.bytes().all(known) || label.starts_with('-') || label.ends_with('-') {
            format!("has the label {}, which no host can have", quoted(label))
        } else {
            continue;
        };
        return Err(ValueFault::new(what, "made of letters, digits and -, with dots between"));
    }
    Ok(())
}

fn is_ipv4(name: &str) -> bool {
    name.parse::<Ipv4Addr>().is_ok()
}

/// Limits of RFC 1035, section 2.3.4, as they are in text.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_print_what_host_has() {
        let cases = [
            ("API.Example.com", "api.example.com"),
            ("api.example.com:8443", "api.example.com:8443"),
            ("*.example.com", "*.example.com"),
            ("localhost", "localhost"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("[2001:DB8:0::1]", "[2001:db8::1]"),
            ("[::1]:8443", "[::1]:8443"),
            ("under_score.internal", "under_score.internal"),
        ];
        for (text, expected) in cases {
            let pattern = HostPattern::parse(text).expect(text);
            assert_eq!(pattern.to_string(), expected);
            assert_eq!(pattern.is_wildcard(), text.starts_with('*'), "{text}");
        }
    }

    #[test]
    fn hosts_match_by_name_and_port() {
        let cases = [
            ("api.example.com", "api.example.com", None, true),
            ("api.example.com", "API.example.COM.", None, true),
            ("api.example.com", "api.example.com..", None, false),
            ("api.example.com", "api.example.com", Some(80), true),
            ("api.example.com", "api.example.com", Some(443), true),
            ("api.example.com", "api.example.com", Some(8443), false),
            ("api.example.com", "xapi.example.com", None, false),
            ("api.example.com", "api.example.com.evil.org", None, false),
            ("api.example.com:443", "api.example.com", None, true),
            ("api.example.com:443", "api.example.com", Some(443), true),
            ("api.example.com:443", "api.example.com", Some(80), false),
            ("api.example.com:8443", "api.example.com", Some(8443), true),
            ("api.example.com:8443", "api.example.com", None, false),
            ("*.example.com", "a.example.com", None, true),
            ("*.example.com", "A.Example.Com.", Some(443), true),
            ("*.example.com", "a.b.example.com", None, false),
            ("*.example.com", "example.com", None, false),
            ("*.example.com", ".example.com", None, false),
            ("*.example.com", "aexample.com", None, false),
            ("[::1]", "[::1]", None, true),
            ("[::1]", "0:0:0:0:0:0:0:1", None, true),
            ("[::1]", "[::2]", None, false),
            ("192.0.2.1", "192.0.2.1", Some(80), true),
            ("192.0.2.1", "::ffff:192.0.2.1", Some(443), true),
            ("192.0.2.1", "[::ffff:c000:201]", None, true),
            ("192.0.2.1", "::192.0.2.1", None, false),
        ];
        for (pattern, host, port, expected) in cases {
            let read = HostPattern::parse(pattern).expect(pattern);
            assert_eq!(read.matches(host, port), expected, "{pattern} with {host} {port:?}");
        }
    }

    #[test]
    fn ties_are_patterns_that_nothing_ranks() {
        let cases = [
            ("a.example.com", "A.example.com", true),
            ("a.example.com:80", "a.example.com:443", true),
            ("a.example.com", "a.example.com:443", false),
            ("a.example.com:8443", "a.example.com:443", false),
            ("*.example.com", "a.example.com", false),
            ("*.example.com", "*.example.com", true),
        ];
        for (one, other, expected) in cases {
            let read = |text| HostPattern::parse(text).expect(text);
            assert_eq!(read(one).ties_with(&read(other)), expected, "{one} and {other}");
        }
    }

    /// Checks that each text is refused, with what it was meant to be and the same note.
    fn check_refused(note: &str, cases: &[(&str, &str)]) {
        for (text, value) in cases {
            let fault = HostPattern::parse(text).expect_err(text);
            assert!(!format!("{fault:?}").contains("secret"), "{text}");
            assert_eq!(fault.note, note, "{text}");
            assert_eq!(fault.value.unwrap_or_default(), *value, "{text}");
        }
    }

    #[test]
    fn what_is_more_than_a_host_has_its_own_fix() {
        let urls = [("https://api.x.com", "api.x.com"), ("https://api.x.com/v1", "api.x.com")];
        check_refused("without https://", &urls);
        let paths = [("api.x.com/v1", "api.x.com"), ("api.x.com?a=1", "api.x.com")];
        check_refused("without the path", &paths);
        let users = [("me:secret@api.x.com", ""), ("https://me:secret@api.x.com", "")];
        check_refused("without anything before an @", &users);
        let ports = [("api.x.com:0", "api.x.com"), ("api.x.com:http", "api.x.com")];
        check_refused("or a port from 1 to 65535 after it", &ports);
    }

    #[test]
    fn what_no_host_can_be_called_has_its_own_fix() {
        let stars = ["*", "a*.x.com", "*.*.x.com"].map(|text| (text, "*.example.com"));
        check_refused("where * stands for the whole first label", &stars);
        check_refused("where * stands for one label of a name", &[("*.192.0.2.1", "")]);
        check_refused("in the form that starts with xn--", &[("müller.de", "")]);
        check_refused("which means the same", &[("api.x.com.", "api.x.com")]);
        let long = format!("{}.com", "a".repeat(64));
        let labels = ["a..b", "a b.com", "-a.com", "a-.com", &long].map(|text| (text, ""));
        check_refused("made of letters, digits and -, with dots between", &labels);
        let longer = ["abcdefg"; 32].join(".");
        let others = ["", "[::1", "[127.0.0.1]", "1.2.3.400", &longer].map(|text| (text, ""));
        check_refused("", &others);
        check_refused("", &[("::1", "[::1]")]);
    }
}
