//! Hosts as clients write them: a name or an address, with or without a port (RFC 3986, section
//! 3.2). Whoever compares two of them reads both here first.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A lower-case name or an address in its usual form, without brackets, and the port.
type HostAndPort = (String, Option<u16>);

thread_local! {
    /// The last one that was read, and as what: a request names its host two or three times.
    static LAST: RefCell<Option<(String, HostAndPort)>> = const { RefCell::new(None) };
}

/// `host[:port]` → a lower-case name or an address in its usual form, without brackets, and the
/// port.
///
/// # Errors
///
/// What is wrong, to be said of what has the host.
pub fn host_and_port(authority: &str) -> Result<HostAndPort, &'static str> {
    LAST.with_borrow_mut(|last| {
        if let Some((text, found)) = last
            && text == authority
        {
            return Ok(found.clone());
        }
        let found = read(authority)?;
        *last = Some((authority.to_owned(), found.clone()));
        Ok(found)
    })
}

fn read(authority: &str) -> Result<HostAndPort, &'static str> {
    if authority.contains('@') {
        return Err("has user info before its host");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("has a [ without a ]")?;
            let port = rest.strip_prefix(':');
            if port.is_none() && !rest.is_empty() {
                return Err("has something between its host and its port");
            }
            let address = host.parse::<Ipv6Addr>();
            let address = address.map_err(|_| "has brackets around what is no IPv6 address")?;
            (address.to_string(), port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (name(host)?, Some(port)),
            None => (name(authority)?, None),
        },
    };
    // An empty port is the scheme's own (RFC 3986, section 3.2.3).
    let port = match port.filter(|port| !port.is_empty()) {
        None => None,
        Some(port) if !port.bytes().all(|b| b.is_ascii_digit()) => {
            return Err("has a port that is no number");
        }
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err("has a port that is not between 1 and 65535"),
            Ok(port) => Some(port),
        },
    };
    Ok((host, port))
}

/// A DNS name, or an IPv4 address as it is usually written. Resolvers know others, `0x7f.1` say,
/// by which a host with a route would not be recognised.
fn name(host: &str) -> Result<String, &'static str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() {
        return Err("has no host");
    }
    // Read once, byte by byte: this is asked several times of every request.
    let mut before = b'.';
    for byte in host.bytes() {
        let label = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !label && (byte != b'.' || before == b'.') {
            return Err("has a host that is no name DNS knows");
        }
        before = byte;
    }
    if before == b'.' {
        return Err("has a host that is no name DNS knows");
    }
    let host = host.to_ascii_lowercase();
    let last = host.rfind('.').map_or(host.as_str(), |dot| &host[dot + 1..]);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_number = digits(last) || last.strip_prefix("0x").is_some_and(hexadecimal);
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err("has an address in another form than 192.0.2.1");
    }
    Ok(host)
}

/// Whether two names are one host: letters of any case, addresses in any spelling.
pub fn same_host(one: &str, other: &str) -> bool {
    let address = |name: &str| name.parse::<IpAddr>().ok();
    one.eq_ignore_ascii_case(other) || address(one).is_some() && address(one) == address(other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hosts_are_read_and_bad_ones_refused() {
        for (authority, host, port) in [
            ("API.Example.com", "api.example.com", None),
            ("api.example.com.", "api.example.com", None),
            ("api.example.com:8080", "api.example.com", Some(8080)),
            ("api.example.com:", "api.example.com", None),
            ("[::1]:80", "::1", Some(80)),
            ("[::1]", "::1", None),
            ("[2001:DB8:0::1]:", "2001:db8::1", None),
            ("192.0.2.1.:80", "192.0.2.1", Some(80)),
            ("under_score.1a:80", "under_score.1a", Some(80)),
        ] {
            assert_eq!(host_and_port(authority), Ok((host.to_owned(), port)), "{authority}");
        }
        for bad in [
            ["u:p@host", "u@host", ":80", "", ".", "h:0", "h:65536", "h:+1", "h:1:1", "[::1"],
            [
                "[]",
                "[::1]80",
                "[::1]x:80",
                "[::1%25lo]",
                "[127.0.0.1]",
                "[h]",
                "::1",
                "h/",
                "h ",
                "*",
            ],
            [
                "h..",
                ".h",
                "a..b",
                "*.h",
                "h%2e",
                "127.1",
                "0x7f.1",
                "2130706433",
                "1.2.3.256",
                "0x",
            ],
        ]
        .as_flattened()
        {
            assert!(host_and_port(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_read_the_same_again(text in "[a-cX0-9x:.\\[\\]@%*_-]{0,24}") {
            if let Ok((host, port)) = host_and_port(&text) {
                prop_assert!(!host.contains(['@', '[', '*', '%', ' ']), "{}", host);
                let host = if host.contains(':') { format!("[{host}]") } else { host };
                let port_too = port.map(|port| format!(":{port}")).unwrap_or_default();
                let again = format!("{host}{port_too}");
                let bare = host.trim_matches(['[', ']']).to_owned();
                prop_assert_eq!(host_and_port(&again), Ok((bare, port)));
                // What has passed here can be sent.
                prop_assert!(again.parse::<http::uri::Authority>().is_ok());
            }
        }
    }
}
