//! X.509 name constraints (RFC 5280, 4.2.1.10): which hosts an authority may vouch for.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;

use x509_parser::extensions::{GeneralName, GeneralSubtree, NameConstraints};

/// The constraints of one certificate.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Constraints {
    permitted: Subtrees,
    excluded: Subtrees,
}

impl Constraints {
    pub(super) fn of(read: &NameConstraints<'_>) -> Self {
        let subtrees = |list: &Option<Vec<GeneralSubtree<'_>>>| {
            Subtrees::of(list.iter().flatten().map(|tree| Subtree::of(&tree.base)).collect())
        };
        Self {
            permitted: subtrees(&read.permitted_subtrees),
            excluded: subtrees(&read.excluded_subtrees),
        }
    }

    /// Whether a certificate may name this host. What is excluded stays so; what is permitted
    /// limits the names of its own form only.
    pub(super) fn permit(&self, host: &Host<'_>) -> bool {
        if self.excluded.cover(host) {
            return false;
        }
        !self.permitted.all.iter().any(|tree| tree.is_like(host)) || self.permitted.cover(host)
    }

    /// Whether some host names are out of bounds that nobody listed one by one.
    pub(super) fn limit_names(&self) -> bool {
        !self.permitted.names.is_empty() || self.excluded.names.contains("")
    }

    /// The same for addresses.
    pub(super) fn limit_addresses(&self) -> bool {
        let permitted = self.permitted.all.iter().any(|s| matches!(s, Subtree::Network(..)));
        let all = |bits: usize| {
            let every = |s: &Subtree| {
                matches!(s, Subtree::Network(_, mask)
                    if mask.len() * 8 == bits && mask.iter().all(|byte| *byte == 0))
            };
            self.excluded.all.iter().any(every)
        };
        permitted || all(32) && all(128)
    }

    /// Each subtree in words, with whether it is permitted.
    pub(super) fn lines(&self) -> impl Iterator<Item = (bool, String)> + '_ {
        let line = |permitted| move |subtree: &Subtree| (permitted, subtree.to_string());
        self.permitted.all.iter().map(line(true)).chain(self.excluded.all.iter().map(line(false)))
    }
}

/// Those of one list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Subtrees {
    all: Vec<Subtree>,
    /// The names among them: there may be one for each of many hosts.
    names: HashSet<String>,
}

impl Subtrees {
    fn of(all: Vec<Subtree>) -> Self {
        let name = |tree: &Subtree| match tree {
            Subtree::Names(base) => Some(base.clone()),
            Subtree::Network(..) | Subtree::Other(_) => None,
        };
        Self { names: all.iter().filter_map(name).collect(), all }
    }

    fn cover(&self, host: &Host<'_>) -> bool {
        match host {
            Host::Name(name) => {
                let name = name.to_ascii_lowercase();
                bases(&name).any(|base| self.names.contains(base))
            }
            Host::Address(address) => self.all.iter().any(|tree| tree.has(address)),
        }
    }
}

/// Every base that a name is within: no letter, the name, and with and without its dot what follows one.
fn bases(name: &str) -> impl Iterator<Item = &str> {
    let dots = name.match_indices('.').map(|(dot, _)| dot);
    let behind = dots.flat_map(move |dot| [&name[dot..], &name[dot + 1..]]);
    ["", name].into_iter().chain(behind)
}

/// A host as constraints see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Host<'a> {
    /// Without a dot at its end; `*.` may stand before it.
    Name(&'a str),
    Address(IpAddr),
}

impl<'a> Host<'a> {
    pub(super) fn of(host: &'a str) -> Self {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        match bare.parse() {
            Ok(address) => Self::Address(address),
            Err(_) => Self::Name(host.strip_suffix('.').unwrap_or(host)),
        }
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Subtree {
    /// A name and every name below it; with a dot before it, those below it alone; the empty name
    /// is every name.
    Names(String),
    /// Address and mask, both of four or of sixteen bytes.
    Network(Vec<u8>, Vec<u8>),
    /// Names of a form that servers do not have.
    Other(&'static str),
}

impl Subtree {
    fn of(base: &GeneralName<'_>) -> Self {
        match base {
            GeneralName::DNSName(name) => Self::Names(name.to_ascii_lowercase()),
            GeneralName::IPAddress(bytes) if matches!(bytes.len(), 8 | 32) => {
                let (address, mask) = bytes.split_at(bytes.len() / 2);
                Self::Network(address.to_vec(), mask.to_vec())
            }
            GeneralName::RFC822Name(_) => Self::Other("mail addresses"),
            GeneralName::URI(_) => Self::Other("URIs"),
            GeneralName::DirectoryName(_) => Self::Other("directory names"),
            GeneralName::IPAddress(_) => Self::Other("addresses of no length there is"),
            GeneralName::OtherName(..)
            | GeneralName::X400Address(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::RegisteredID(_)
            | GeneralName::Invalid(..) => Self::Other("names of another form"),
        }
    }

    fn is_like(&self, host: &Host<'_>) -> bool {
        matches!(
            (self, host),
            (Self::Names(_), Host::Name(_)) | (Self::Network(..), Host::Address(_))
        )
    }

    /// Whether an address is in this network.
    fn has(&self, address: &IpAddr) -> bool {
        let Self::Network(network, mask) = self else { return false };
        let same = |bytes: &[u8]| {
            let mut each = bytes.iter().zip(network).zip(mask);
            bytes.len() == network.len() && each.all(|((a, n), m)| a & m == n & m)
        };
        match address {
            IpAddr::V4(address) => same(&address.octets()),
            IpAddr::V6(address) => same(&address.octets()),
        }
    }
}

impl fmt::Display for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Names(name) if name.is_empty() => f.write_str("every name"),
            Self::Names(name) => match name.strip_prefix('.') {
                Some(name) => write!(f, "every name below {name}"),
                None => write!(f, "{name} and every name below it"),
            },
            Self::Network(address, mask) => write_network(f, address, mask),
            Self::Other(form) => f.write_str(form),
        }
    }
}

fn write_network(f: &mut fmt::Formatter<'_>, address: &[u8], mask: &[u8]) -> fmt::Result {
    let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let (shown, bits, family) = match <[u8; 4]>::try_from(address) {
        Ok(bytes) => (IpAddr::from(bytes), 32, "IPv4"),
        Err(_) => {
            let bytes = <[u8; 16]>::try_from(address).unwrap_or_default();
            (IpAddr::from(bytes), 128, "IPv6")
        }
    };
    match ones {
        0 => write!(f, "every {family} address"),
        ones if ones == bits => write!(f, "{shown}"),
        ones => write!(f, "{shown}/{ones}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<Subtree> {
        list.iter().map(|name| Subtree::Names((*name).to_owned())).collect()
    }

    fn constraints(permitted: Vec<Subtree>, excluded: Vec<Subtree>) -> Constraints {
        Constraints { permitted: Subtrees::of(permitted), excluded: Subtrees::of(excluded) }
    }

    fn network(address: [u8; 4], mask: [u8; 4]) -> Subtree {
        Subtree::Network(address.to_vec(), mask.to_vec())
    }

    #[test]
    fn a_name_permits_itself_and_what_is_below_it() {
        let cases = [
            (&["api.x.com"][..], &[][..], "api.x.com", true),
            (&["api.x.com"], &[], "API.x.com.", true),
            (&["api.x.com"], &[], "a.api.x.com", true),
            (&["api.x.com"], &[], "*.api.x.com", true),
            (&["api.x.com"], &[], "notapi.x.com", false),
            (&["api.x.com"], &[], "x.com", false),
            (&["api.x.com"], &[], "api.x.com.evil.com", false),
            (&[".x.com"], &[], "a.x.com", true),
            (&[".x.com"], &[], "x.com", false),
            (&[".x.com"], &[], "ax.com", false),
            (&[""], &[], "x.com", true),
            (&[], &[], "x.com", true),
            (&[], &[""], "x.com", false),
            (&["x.com"], &["a.x.com"], "a.x.com", false),
            (&["x.com"], &["a.x.com"], "b.x.com", true),
            (&["x.com", "y.com"], &[], "y.com", true),
            // Names say nothing of addresses.
            (&["x.com"], &[""], "192.0.2.1", true),
        ];
        for (permitted, excluded, host, expected) in cases {
            let own = constraints(names(permitted), names(excluded));
            assert_eq!(own.permit(&Host::of(host)), expected, "{permitted:?} {excluded:?} {host}");
        }
    }

    #[test]
    fn a_network_permits_its_addresses_and_no_other_family() {
        let one = network([192, 0, 2, 1], [255; 4]);
        let net = network([10, 0, 0, 0], [255, 0, 0, 0]);
        let all = network([0; 4], [0; 4]);
        let all6 = Subtree::Network(vec![0; 16], vec![0; 16]);
        let cases = [
            (vec![one.clone()], vec![], "192.0.2.1", true),
            (vec![one.clone()], vec![], "192.0.2.2", false),
            (vec![one.clone()], vec![], "[::1]", false),
            (vec![net.clone()], vec![], "10.9.8.7", true),
            (vec![net.clone(), one.clone()], vec![], "11.0.0.1", false),
            (vec![], vec![all.clone()], "127.0.0.1", false),
            (vec![], vec![all.clone()], "::1", true),
            (vec![], vec![all.clone(), all6.clone()], "::1", false),
            (vec![one.clone()], vec![], "x.com", true),
        ];
        for (permitted, excluded, host, expected) in cases {
            let own = constraints(permitted, excluded);
            assert_eq!(own.permit(&Host::of(host)), expected, "{own:?} {host}");
        }
        let limited = |permitted, excluded| constraints(permitted, excluded).limit_addresses();
        assert!(limited(vec![], vec![all.clone(), all6]));
        assert!(limited(vec![one.clone()], vec![]));
        assert!(!limited(names(&["x.com"]), vec![all]));
        assert_eq!(net.to_string(), "10.0.0.0/8");
        assert_eq!(one.to_string(), "192.0.2.1");
    }
}
