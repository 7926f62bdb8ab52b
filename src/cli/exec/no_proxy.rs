//! `NO_PROXY`: what a program reaches past the proxy.
//!
//! Programs disagree on what an entry covers: some end it at a dot, some do not, some read ports,
//! some networks. An entry that any of them takes for a routed host is left out, because a request
//! past the proxy would leave unsigned.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::config::HostPattern;

/// The entries for the program, and those of the caller that had to go.
#[derive(Debug, Default, Eq, PartialEq)]
pub(in crate::cli) struct NoProxy {
    /// In order, each once.
    pub(super) entries: Vec<String>,
    /// Entries that cover a routed host.
    pub(super) left_out: Vec<String>,
}

impl NoProxy {
    /// Merges lists as programs write them with what is local, for a proxy with routes for
    /// these hosts.
    pub(super) fn merge<'a>(
        lists: impl IntoIterator<Item = &'a str>,
        routed: &[&HostPattern],
    ) -> Self {
        let mut merged = Self::default();
        let separate = |list: &'a str| list.split([',', ' ', '\t', '\n']);
        for entry in lists.into_iter().flat_map(separate).filter(|entry| !entry.is_empty()) {
            let list = if routed.iter().any(|host| covers(entry, host)) {
                &mut merged.left_out
            } else {
                &mut merged.entries
            };
            add(list, entry);
        }
        for entry in LOCAL.into_iter().filter(|entry| !routed.iter().any(|h| covers(entry, h))) {
            add(&mut merged.entries, entry);
        }
        merged
    }

    /// As `NO_PROXY` has it.
    pub(super) fn list(&self) -> String {
        self.entries.join(",")
    }

    /// As Java's `http.nonProxyHosts` has it: `*` at either end, no networks, no ports.
    pub(super) fn for_java(&self) -> String {
        let mut patterns = Vec::new();
        for entry in self.entries.iter().filter(|entry| !entry.contains(['/', '"', '\''])) {
            let (name, port) = split_port(entry);
            if port.is_some() {
                continue;
            }
            let name = name.trim_start_matches("*.").trim_start_matches('.');
            if name.contains(':') {
                patterns.push(format!("[{}]", name.trim_matches(['[', ']'])));
            } else if name.parse::<Ipv4Addr>().is_ok() || name == "localhost" {
                patterns.push(name.to_owned());
            } else {
                patterns.extend([name.to_owned(), format!("*.{name}")]);
            }
        }
        patterns.join("|")
    }
}

/// Services of this machine are nobody's provider.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

fn add(list: &mut Vec<String>, entry: &str) {
    if !list.iter().any(|known| known == entry) {
        list.push(entry.to_owned());
    }
}

/// Whether any program would take a request to this host past the proxy because of `entry`.
fn covers(entry: &str, routed: &HostPattern) -> bool {
    let shown = routed.to_string().to_ascii_lowercase();
    let host = match routed.port() {
        Some(port) => shown.trim_end_matches(&format!(":{port}")),
        None => &shown,
    };
    let (entry, port) = split_port(entry);
    let port_fits = match (port, routed.port()) {
        (None, _) => true,
        (Some(port), Some(own)) => port == own,
        (Some(port), None) => [80, 443].contains(&port),
    };
    if !port_fits {
        return false;
    }
    let entry = entry.to_ascii_lowercase();
    let entry = entry.trim_end_matches('.');
    if let (Ok(net), Ok(address)) = (entry.parse::<IpNet>(), bare(host).parse::<IpAddr>()) {
        return net.contains(&address);
    }
    if let Some(below) = host.strip_prefix("*.") {
        // Some host below the name is in it, or all of them are.
        let below = format!(".{below}");
        return glob(entry, &format!("x{below}")) || bare(entry).ends_with(&below);
    }
    glob(entry, host)
}

/// Whether an entry covers a host in the most generous reading: with or without a dot, `*` for
/// anything, and the end of a name for the whole of it.
fn glob(entry: &str, host: &str) -> bool {
    let mut parts = bare(entry).trim_start_matches(['*', '.']).split('*').rev();
    let Some(mut rest) = parts.next().and_then(|last| bare(host).strip_suffix(last)) else {
        return false;
    };
    for part in parts.filter(|part| !part.is_empty()) {
        let Some(at) = rest.rfind(part.trim_start_matches('.')) else { return false };
        rest = &rest[..at];
    }
    true
}

/// Without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn split_port(entry: &str) -> (&str, Option<u16>) {
    let whole_address = entry.matches(':').count() > 1 && !entry.contains("]:");
    match entry.rsplit_once(':') {
        Some((name, port)) if !whole_address => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(text: &str) -> HostPattern {
        HostPattern::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
    }

    #[test]
    fn an_entry_that_some_program_takes_for_a_routed_host_is_left_out() {
        for (entry, routed, left_out) in [
            ("api.x.com", "api.x.com", true),
            ("API.X.com", "api.x.com", true),
            ("api.x.com.", "api.x.com", true),
            (".x.com", "api.x.com", true),
            ("x.com", "api.x.com", true),
            ("*.x.com", "api.x.com", true),
            ("*x.com", "api.x.com", true),
            ("*", "api.x.com", true),
            ("api.*", "api.x.com", true),
            ("a*i.*.com", "api.x.com", true),
            // Python requests compares ends without looking for a dot.
            ("i.x.com", "api.x.com", true),
            ("com", "api.x.com", true),
            ("b.x.com", "api.x.com", false),
            ("api.x.co", "api.x.com", false),
            ("api.x.com.org", "api.x.com", false),
            ("b*.x.com", "api.x.com", false),
            ("api.x.com:443", "api.x.com", true),
            ("api.x.com:8443", "api.x.com", false),
            ("api.x.com:8443", "api.x.com:8443", true),
            ("api.x.com", "api.x.com:8443", true),
            ("api.x.com", "*.x.com", true),
            ("x.com", "*.x.com", true),
            (".x.com", "*.x.com", true),
            ("com", "*.x.com", true),
            ("y.com", "*.x.com", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("::1", "[::1]", true),
            ("[::1]", "[::1]:8080", true),
            ("fd00::/8", "[fd00::7]", true),
        ] {
            let merged = NoProxy::merge([entry], &[&host(routed)]);
            let expected: &[&str] = if left_out { &[entry] } else { &[] };
            assert_eq!(merged.left_out, expected, "{entry} with a route for {routed}");
            assert_eq!(merged.entries.iter().any(|kept| kept == entry), !left_out, "{entry}");
        }
    }

    #[test]
    fn lists_are_merged_with_what_is_local() {
        for (lists, routed, expected) in [
            (vec![], "api.x.com", "localhost,127.0.0.1,::1"),
            (vec!["a.b, c.d", "c.d e.f"], "api.x.com", "a.b,c.d,e.f,localhost,127.0.0.1,::1"),
            (vec!["127.0.0.1"], "api.x.com", "127.0.0.1,localhost,::1"),
            (vec!["*"], "api.x.com", "localhost,127.0.0.1,::1"),
            (vec![",, ,"], "localhost", "127.0.0.1,::1"),
            (vec!["127.0.0.0/8"], "127.0.0.1:9000", "localhost,::1"),
            (vec![], "[::1]", "localhost,127.0.0.1"),
        ] {
            assert_eq!(
                NoProxy::merge(lists.clone(), &[&host(routed)]).list(),
                expected,
                "{lists:?}"
            );
        }
    }

    #[test]
    fn java_gets_patterns_of_its_own() {
        let merged = NoProxy::merge(["*.a.b,.c.d,10.0.0.0/8,e.f:8080,10.0.0.1"], &[]);
        let expected = "a.b|*.a.b|c.d|*.c.d|10.0.0.1|localhost|127.0.0.1|[::1]";
        assert_eq!(merged.for_java(), expected);
    }

    proptest! {
        /// The rule of every program there is begins with these two.
        #[test]
        fn no_entry_is_a_routed_host_or_its_end(
            list in "[a-c.*, ]{0,40}",
            name in "[a-c]\\.[a-c]\\.[a-c]{1,2}",
        ) {
            for entry in NoProxy::merge([list.as_str()], &[&host(&name)]).entries {
                prop_assert!(!name.ends_with(entry.trim_start_matches(['*', '.'])), "{}", entry);
            }
        }
    }
}
