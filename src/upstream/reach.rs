//! Which addresses are dialled for a client that names them itself (SSRF protection): none of this
//! machine's, of a private network, or of a cloud's metadata service, however they are spelt.
//!
//! What is judged is what a name resolved to, and that very address is dialled: a name that is
//! resolved once more could lead elsewhere (DNS rebinding).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// How far connections may go.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Reach {
    /// Anywhere: who wrote the configuration names the place.
    #[default]
    Anywhere,
    /// To public addresses, and to those of these networks.
    Public(Vec<IpNet>),
}

/// A network that is not part of the public internet.
#[derive(Debug)]
pub(crate) struct Special {
    pub(crate) net: IpNet,
    /// What it is.
    pub(crate) what: &'static str,
    /// Where that is written.
    pub(crate) source: &'static str,
}

impl Reach {
    /// Why an address may not be dialled, for people; none when it may.
    pub(super) fn denial(&self, address: IpAddr) -> Option<String> {
        let Self::Public(named) = self else { return None };
        let address = address.to_canonical();
        let inside = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => embedded(address),
        };
        let both = [Some(address), inside.map(IpAddr::V4)];
        let mut each = both.into_iter().flatten();
        if each.clone().any(|address| named.iter().any(|net| net.contains(&address))) {
            return None;
        }
        let special = each.find_map(special)?;
        let Special { net, what, source } = special;
        Some(match inside {
            Some(inside) if !net.contains(&address) => {
                format!("{address} leads to {inside}: {what} ({net}, {source})")
            }
            _ => format!("{address} is {what} ({net}, {source})"),
        })
    }

    /// The same for a connection that has come about between two addresses: one whose ends are the
    /// same is with this machine, public or not.
    pub(super) fn denial_of_own(&self, local: IpAddr, peer: IpAddr) -> Option<String> {
        let Self::Public(named) = self else { return None };
        let (local, peer) = (local.to_canonical(), peer.to_canonical());
        let denied = local == peer && !named.iter().any(|net| net.contains(&peer));
        denied.then(|| format!("{peer} is this machine's own"))
    }
}

fn special(address: IpAddr) -> Option<&'static Special> {
    SPECIAL.iter().find(|special| special.net.contains(&address))
}

/// The IPv4 address that a translator or a tunnel takes an IPv6 address for.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match segments {
        // NAT64's well-known prefix (RFC 6052, section 2.1), and SIIT's (RFC 2765, section 2.1).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => {
            Some(of(high, low))
        }
        // 6to4 (RFC 3056, section 2).
        [0x2002, high, low, ..] => Some(of(high, low)),
        // Teredo, where the client's is inverted (RFC 4380, section 4).
        [0x2001, 0, _, _, _, _, high, low] => Some(of(!high, !low)),
        // ISATAP (RFC 5214, section 6.1).
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some(of(high, low)),
        _ => None,
    }
}

const fn v4(address: [u8; 4], prefix: u8, what: &'static str, source: &'static str) -> Special {
    let [a, b, c, d] = address;
    let net = IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix);
    Special { net, what, source }
}

const fn v6(begin: [u16; 3], prefix: u8, what: &'static str, source: &'static str) -> Special {
    let [a, b, c] = begin;
    let net = IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), prefix);
    Special { net, what, source }
}

/// Those that IANA's registries of special-purpose addresses (RFC 6890) have as not globally reachable,
/// multicast, and what one cloud keeps in public space. The first that fits says what an address is.
pub(crate) static SPECIAL: &[Special] = &[
    v4([0, 0, 0, 0], 8, "this host, as which systems take it for loopback", "RFC 1122, 3.2.1.3"),
    v4([10, 0, 0, 0], 8, "a private network", "RFC 1918"),
    v4(
        [100, 64, 0, 0],
        10,
        "a provider's network behind NAT, one cloud's metadata in it",
        "RFC 6598",
    ),
    v4([127, 0, 0, 0], 8, "loopback", "RFC 1122, 3.2.1.3"),
    v4([168, 63, 129, 16], 32, "Azure's service for its machines", "its documentation"),
    v4([169, 254, 0, 0], 16, "link-local, most clouds' metadata in it", "RFC 3927"),
    v4([172, 16, 0, 0], 12, "a private network", "RFC 1918"),
    v4([192, 0, 0, 0], 24, "for protocols, one cloud's metadata in it", "RFC 6890"),
    v4([192, 0, 2, 0], 24, "for documentation", "RFC 5737"),
    v4([192, 168, 0, 0], 16, "a private network", "RFC 1918"),
    v4([198, 18, 0, 0], 15, "for benchmarks", "RFC 2544"),
    v4([198, 51, 100, 0], 24, "for documentation", "RFC 5737"),
    v4([203, 0, 113, 0], 24, "for documentation", "RFC 5737"),
    v4([224, 0, 0, 0], 4, "multicast", "RFC 5771"),
    v4([255, 255, 255, 255], 32, "broadcast", "RFC 919"),
    v4([240, 0, 0, 0], 4, "reserved", "RFC 1112"),
    v6([0, 0, 0], 96, "unspecified, loopback or IPv4-compatible", "RFC 4291, 2.5"),
    v6([0x64, 0xff9b, 1], 48, "a private NAT64", "RFC 8215"),
    v6([0x100, 0, 0], 64, "for discarding", "RFC 6666"),
    v6([0x2001, 2, 0], 48, "for benchmarks", "RFC 5180"),
    v6([0x2001, 0x10, 0], 28, "for hashes", "RFC 4843"),
    v6([0x2001, 0xdb8, 0], 32, "for documentation", "RFC 3849"),
    v6([0x3fff, 0, 0], 20, "for documentation", "RFC 9637"),
    v6([0x5f00, 0, 0], 16, "for segment routing", "RFC 9602"),
    v6([0xfc00, 0, 0], 7, "a private network, clouds' metadata in it", "RFC 4193"),
    v6([0xfe80, 0, 0], 10, "link-local", "RFC 4291, 2.5.6"),
    v6([0xfec0, 0, 0], 10, "site-local", "RFC 3879"),
    v6([0xff00, 0, 0], 8, "multicast", "RFC 4291, 2.7"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(named: &[&str], address: &str) -> Option<String> {
        let named = named.iter().map(|net| net.parse().expect("a network")).collect();
        Reach::Public(named).denial(address.parse().expect("an address"))
    }

    #[test]
    fn what_is_not_public_is_denied_by_both_ends_of_its_network() {
        for special in SPECIAL {
            for address in [special.net.network(), special.net.broadcast()] {
                assert!(denial(&[], &address.to_string()).is_some(), "{address}");
                assert!(denial(&[&special.net.to_string()], &address.to_string()).is_none());
                assert_eq!(Reach::Anywhere.denial(address), None);
            }
        }
    }

    #[test]
    fn addresses_around_private_networks_are_public() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "fbff::1",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2001:0:a00:1::f7f7:f7f7",
            "::ffff:8.8.8.8",
            "2606::200:5efe:808:808",
        ] {
            assert_eq!(denial(&[], address), None, "{address}");
        }
    }

    #[test]
    fn an_address_inside_another_is_judged_and_may_be_named() {
        for address in [
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:a00:1::1",
            "2001:0:808:808::f5ff:fffe",
            "::ffff:0:10.0.0.1",
            "2606::5efe:10.0.0.1",
            "2606::200:5efe:10.0.0.1",
        ] {
            let said = denial(&[], address).expect(address);
            assert!(said.contains("10.0.0.1") && said.contains("RFC 1918"), "{said}");
            assert_eq!(denial(&["10.0.0.0/8"], address), None, "{address}");
            assert!(denial(&["10.0.0.0/32"], address).is_some(), "{address}");
        }
    }

    #[test]
    fn services_of_clouds_are_denied() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.42.42",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::a9fe:a9fe",
            "64:ff9b::169.254.169.254",
        ] {
            assert!(denial(&["10.0.0.0/8"], address).is_some(), "{address}");
        }
    }

    #[test]
    fn a_connection_with_itself_is_with_this_machine() {
        let own = |named: &[&str], local: &str, peer: &str| {
            let named = named.iter().map(|net| net.parse().expect("a network")).collect();
            let address = |text: &str| text.parse().expect("an address");
            Reach::Public(named).denial_of_own(address(local), address(peer)).is_some()
        };
        assert!(own(&[], "8.8.8.8", "8.8.8.8"));
        assert!(own(&[], "::ffff:8.8.8.8", "8.8.8.8"));
        assert!(!own(&[], "8.8.8.7", "8.8.8.8"));
        assert!(!own(&["8.8.8.8/32"], "8.8.8.8", "8.8.8.8"));
    }
}
