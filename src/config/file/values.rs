//! Values with a form of their own that no other part of the program reads.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use ipnet::IpNet;
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::config::LocalUser;
use crate::config::units::{HostPattern, UpstreamUrl, duration, host_name};
use crate::document::{Field, Key, Table, ValueFault, nearest, quoted};
pub(super) use crate::document::{one_of, text};
use crate::keys::{Algorithm, command};
use crate::moment::Part;
use crate::scheme::{self, Entry, Registry};
use crate::stores::Located;

/// A number of things in memory.
pub(super) fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A user's number, as a text beside other words.
pub(super) fn user(text: &str) -> Result<u32, ValueFault> {
    text.parse().map_err(|_| {
        let what = format!("is {}, which is no user's number", quoted(text));
        ValueFault::meant(what, "1001", "as `id -u NAME` prints it")
    })
}

/// A user's number, or `any`.
pub(super) fn local_user(text: &str) -> Result<LocalUser, ValueFault> {
    if text == "any" { Ok(LocalUser::Any) } else { user(text).map(LocalUser::Number) }
}

/// How many connections may be open.
pub(super) fn connections(number: u64) -> Result<usize, ValueFault> {
    match number {
        0 => Err(ValueFault::new("is 0, and no request could arrive", "")),
        1..=MOST_CONNECTIONS => Ok(whole(number)),
        _ => Err(ValueFault::new(format!("is more than {MOST_CONNECTIONS}"), "")),
    }
}

/// How many connections of one address may be open before a request of theirs is admitted.
pub(super) fn unauthenticated(number: u64) -> Result<usize, ValueFault> {
    match number {
        0 => Err(ValueFault::new("is 0, and no request could arrive", "")),
        _ => Ok(whole(number)),
    }
}

/// How many tunnels may be open.
pub(super) fn tunnels(number: u64) -> Result<usize, ValueFault> {
    match number {
        0 => Err(ValueFault::new("is 0, and no WebSocket could be opened", "")),
        _ => Ok(whole(number)),
    }
}

/// How many leaf certificates are kept; one takes some KiB.
pub(super) fn leaf_cache(number: u64) -> Result<usize, ValueFault> {
    if !(1..=MOST_LEAVES).contains(&number) {
        return Err(ValueFault::new(format!("is {number}, and must be 1 to {MOST_LEAVES}"), ""));
    }
    Ok(whole(number))
}

/// How many requests are held in memory; one takes some KiB.
pub(super) fn keep(number: u64) -> Result<usize, ValueFault> {
    if number > MOST_KEPT {
        return Err(ValueFault::new(format!("is {number}, and must be 0 to {MOST_KEPT}"), ""));
    }
    Ok(whole(number))
}

/// How long a leaf certificate is valid. Certificates count in seconds, and a new one is made at
/// half of this.
pub(super) fn leaf_lifetime(text: &str) -> Result<Duration, ValueFault> {
    let lifetime = duration(text)?;
    if lifetime < Duration::from_secs(60) {
        return Err(ValueFault::new("is less than a minute", "or \"1m\" at least"));
    }
    Ok(lifetime)
}

/// A scheme that exists.
pub(super) fn scheme(schemes: &Registry) -> impl Fn(&str) -> Result<Arc<Entry>, ValueFault> {
    move |name| {
        schemes.find(name).map(Arc::clone).ok_or_else(|| {
            let what = format!("is {}, which is no scheme", quoted(name));
            let meant = nearest(name, schemes.names()).unwrap_or("metasv");
            ValueFault::meant(what, meant, "or another that `countersign schemes` lists")
        })
    }
}

/// An algorithm that keys can have.
pub(super) fn algorithm(name: &str) -> Result<Algorithm, ValueFault> {
    name.parse().map_err(|_| {
        let what = format!("is {}, which is no algorithm", quoted(name));
        let names = Algorithm::ALL.iter().map(|algorithm| algorithm.name());
        let meant = nearest(name, names).unwrap_or_else(|| Algorithm::ALL[0].name());
        ValueFault::meant(what, meant, "or another that `countersign keys algorithms` lists")
    })
}

/// How many replicas have to confirm.
pub(super) fn replicas(number: u64) -> Result<usize, ValueFault> {
    Ok(whole(number))
}

/// This process's share of the nonces.
pub(super) fn replica(text: &str) -> Result<Part, ValueFault> {
    let note = "for the second of four, of 100 at most; or \"ordinal/4\", or \"shared\"";
    text.parse()
        .map_err(|_| ValueFault::new(format!("is {}, which is no share", quoted(text)), note))
}

/// A network, or one address as the network of itself.
pub(super) fn network(text: &str) -> Result<IpNet, ValueFault> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    let what = || format!("is {}, which is neither an address nor a network", quoted(text));
    text.parse::<IpNet>().map(|network| network.trunc()).map_err(|_| ValueFault::new(what(), ""))
}

/// Where a signer is. What is wrong is not shown: it may be a URL with a password.
pub(super) fn signer(text: &str) -> Result<String, ValueFault> {
    let checked = crate::keys::remote::check(text).map(|()| text.to_owned());
    checked.map_err(|what| ValueFault::new(what, "or \"https://host:port\""))
}

/// A name this proxy answers to, with a port where it matters.
pub(super) fn own_host(text: &str) -> Result<String, ValueFault> {
    let pattern = HostPattern::parse(text)?;
    if pattern.is_wildcard() {
        return Err(ValueFault::new("is a wildcard", "with every name written out"));
    }
    Ok(pattern.to_string())
}

/// The name in a certificate.
pub(super) fn server_name(text: &str) -> Result<String, ValueFault> {
    let name = host_name(text)?;
    Ok(name.trim_start_matches('[').trim_end_matches(']').to_owned())
}

/// The name of an environment variable, or its beginning.
pub(super) fn variable(text: &str) -> Result<String, ValueFault> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if text.starts_with(|c: char| c.is_ascii_digit()) || !text.bytes().all(allowed) {
        let what = format!("is {}, which no variable is called", quoted(text));
        return Err(ValueFault::new(what, "made of letters, digits and _"));
    }
    Ok(text.to_owned())
}

/// A time in UTC, in milliseconds since 1970.
pub(super) fn instant(text: &str) -> Result<u64, ValueFault> {
    let what = || format!("is {}, which is no time in UTC", quoted(text));
    let read = scheme::instant(text).filter(|_| text.ends_with('Z'));
    read.ok_or_else(|| ValueFault::new(what(), ""))
}

/// A share of requests, in parts of 10,000: more than none and less than all.
pub(super) fn share(text: &str) -> Result<u32, ValueFault> {
    let what = || format!("is {}, which is no share", quoted(text));
    let fault = || ValueFault::new(what(), "of 0.01% to 99.99%");
    let (whole, part) = text
        .strip_suffix('%')
        .map_or((text, ""), |number| number.split_once('.').unwrap_or((number, "")));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = text.ends_with('%') && (1..=2).contains(&whole.len()) && part.len() <= 2;
    if !fits || !digits(whole) || !digits(part) {
        return Err(fault());
    }
    let share = format!("{whole}{part:0<2}").parse().map_err(|_| fault())?;
    if share == 0 { Err(fault()) } else { Ok(share) }
}

/// A duration, in milliseconds.
pub(in crate::config) fn milliseconds(text: &str) -> Result<String, ValueFault> {
    Ok(duration(text)?.as_millis().to_string())
}

/// The number of a user, as a number.
pub(super) fn uid(number: u64) -> Result<u32, ValueFault> {
    u32::try_from(number).map_err(|_| ValueFault::new("is no number of a user", ""))
}

/// The URL of a service.
pub(super) fn address(text: &str) -> Result<String, ValueFault> {
    UpstreamUrl::parse(text).map(|_| text.to_owned())
}

/// A key URI. It is not shown: it may be the secret that was to be named.
pub(super) fn key_uri(text: &str) -> Result<String, ValueFault> {
    let read = Located::read(&[text.to_owned()]);
    read.map(|_| text.to_owned()).map_err(|what| ValueFault::new(what, ""))
}

/// A program and its arguments: a list, or a text that is split at blanks.
pub(super) fn command(table: &mut Table<'_>, key: Key) -> Field<String> {
    if table.has_list(key.name) {
        let words = table.list(key, |word| Ok(word.to_owned()));
        return words.map(|words| {
            command::join(&words.into_iter().map(|word| word.value).collect::<Vec<_>>())
        });
    }
    table.parsed(key, |text| {
        // It is not shown: arguments may be secrets.
        command::split(text).map_err(|what| ValueFault::new(what, ""))?;
        Ok(text.to_owned())
    })
}

/// A path that requests start with, without a slash at its end.
pub(super) fn path(text: &str) -> Result<String, ValueFault> {
    if let Some(end) = text.find(['?', '#']) {
        // What follows is not shown: a query is where people put API keys.
        let what = "has a query or a fragment, and a route is found by its path alone";
        return Err(ValueFault::meant(what, &text[..end], ""));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let note = "with everything but visible ASCII written as %XX";
        return Err(ValueFault::new("is not visible ASCII", note));
    }
    if !text.starts_with('/') {
        let what = format!("is {}, and must start with /", quoted(text));
        return Err(ValueFault::meant(what, format!("/{text}"), ""));
    }
    let path = text.trim_end_matches('/');
    Ok(if path.is_empty() { "/" } else { path }.to_owned())
}

/// A method, other than CONNECT, which asks for a tunnel and has no path.
pub(super) fn method(text: &str) -> Result<Method, ValueFault> {
    let upper = text.to_ascii_uppercase();
    let Ok(method) = Method::from_bytes(upper.as_bytes()) else {
        return Err(ValueFault::new(format!("is {}, which is no method", quoted(text)), ""));
    };
    if method == Method::CONNECT {
        return Err(ValueFault::new("is CONNECT, and a tunnel is never signed", ""));
    }
    if upper != text {
        let what = format!("is {}, and methods are written in capitals", quoted(text));
        return Err(ValueFault::meant(what, upper, ""));
    }
    Ok(method)
}

/// Bytes in hex.
pub(super) fn hex(text: &str) -> Result<Vec<u8>, ValueFault> {
    // The value is not shown: a private key in this place is an easy mistake.
    if text.starts_with("0x") || text.starts_with("0X") {
        return Err(ValueFault::new("starts with 0x", "with the digits alone"));
    }
    base16ct::mixed::decode_vec(text).map_err(|_| {
        ValueFault::new("is not hex", "with two digits for each byte of the public key")
    })
}

/// A level for everything, and levels for parts.
pub(super) fn level(text: &str) -> Result<String, ValueFault> {
    let note = "or \"info,countersign::pipeline=debug\"";
    let parts: Vec<&str> = text.split(',').collect();
    for (index, part) in parts.iter().enumerate() {
        let start = part.rfind('=').map_or(0, |equals| equals + 1);
        let (target, level) = part.split_at(start);
        // `Targets` alone would take a mistyped level for the name of a part of the program.
        if !level.is_empty() && level.parse::<LevelFilter>().is_ok() {
            continue;
        }
        let what = format!("has {}, which is no level", quoted(level));
        let Some(meant) = nearest(level, LEVELS) else {
            return Err(ValueFault::new(what, note));
        };
        let mended = format!("{target}{meant}");
        let mut parts = parts.clone();
        parts[index] = &mended;
        return Err(ValueFault::meant(what, parts.join(","), ""));
    }
    let what = || format!("is {}, which is no list of levels", quoted(text));
    text.parse::<Targets>().map_err(|_| ValueFault::new(what(), note))?;
    Ok(text.to_owned())
}

/// More than any process has descriptors for, and less than a semaphore can count.
const MOST_CONNECTIONS: u64 = 1_000_000;
const MOST_KEPT: u64 = 10_000;
const MOST_LEAVES: u64 = 100_000;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what a reader makes of each text: a value, or a fault that begins like this.
    fn check<T: std::fmt::Debug>(
        read: impl Fn(&str) -> Result<T, ValueFault>,
        cases: &[(&str, Result<&str, &str>)],
    ) {
        for (text, expected) in cases {
            let found = read(text).map(|value| format!("{value:?}")).map_err(|fault| fault.what);
            match expected {
                Ok(value) => assert_eq!(found, Ok((*value).into()), "{text}"),
                Err(what) => assert!(found.is_err_and(|f| f.starts_with(what)), "{text}: {what}"),
            }
        }
    }

    #[test]
    fn paths_are_visible_and_have_no_query() {
        let cases = [
            ("/", Ok("\"/\"")),
            ("/api/v1", Ok("\"/api/v1\"")),
            ("/api/", Ok("\"/api\"")),
            ("//", Ok("\"/\"")),
            ("/a%20b", Ok("\"/a%20b\"")),
            ("api", Err("is \"api\", and must start with /")),
            ("", Err("is \"\", and must start with /")),
            ("/a b", Err("is not visible ASCII")),
            ("/ü", Err("is not visible ASCII")),
            ("/a?key=1", Err("has a query")),
            ("/a#b", Err("has a query")),
        ];
        check(path, &cases);
    }

    #[test]
    fn methods_are_capitals_and_not_connect() {
        let cases = [
            ("GET", Ok("GET")),
            ("M-SEARCH", Ok("M-SEARCH")),
            ("get", Err("is \"get\", and methods are written in capitals")),
            ("CONNECT", Err("is CONNECT")),
            ("connect", Err("is CONNECT")),
            ("", Err("is \"\", which is no method")),
            ("G T", Err("is \"G T\", which is no method")),
        ];
        check(method, &cases);
    }

    #[test]
    fn numbers_of_what_is_kept_have_a_range() {
        for number in [1, MOST_LEAVES] {
            assert_eq!(leaf_cache(number), Ok(whole(number)));
        }
        for number in [0, MOST_LEAVES + 1] {
            assert!(leaf_cache(number).is_err_and(|fault| fault.what.contains("1 to 100000")));
        }
        assert_eq!((keep(0), keep(MOST_KEPT)), (Ok(0), Ok(whole(MOST_KEPT))));
        assert!(keep(MOST_KEPT + 1).is_err_and(|fault| fault.what.contains("0 to 10000")));
    }

    #[test]
    fn times_are_in_utc_and_say_so() {
        let none = |text: &'static str| (text, Err("is \""));
        let cases = [
            ("2026-12-01T00:00:00Z", Ok("1796083200000")),
            none("2026-12-01T00:00:00+00:00"),
            none("2026-12-01T00:00:00"),
            none("1796083200000"),
            none("2026-12-01"),
        ];
        check(instant, &cases);
    }

    #[test]
    fn networks_may_be_one_address() {
        let cases = [
            ("10.0.0.0/8", Ok("10.0.0.0/8")),
            ("10.1.2.3/8", Ok("10.0.0.0/8")),
            ("192.0.2.1", Ok("192.0.2.1/32")),
            ("::1", Ok("::1/128")),
            ("10.0.0.0/33", Err("is \"10.0.0.0/33\"")),
            ("localhost", Err("is \"localhost\"")),
        ];
        check(network, &cases);
    }

    #[test]
    fn levels_are_words_that_exist() {
        let cases = [
            ("info", Ok("\"info\"")),
            ("off", Ok("\"off\"")),
            ("info,countersign::pipeline=debug", Ok("\"info,countersign::pipeline=debug\"")),
            ("inof", Err("has \"inof\", which is no level")),
            ("countersign", Err("has \"countersign\", which is no level")),
            ("info,a=loud", Err("has \"loud\", which is no level")),
            ("info,a=", Err("has \"\", which is no level")),
            ("info,", Err("has \"\", which is no level")),
            ("", Err("has \"\", which is no level")),
        ];
        check(level, &cases);
    }

    #[test]
    fn a_mistyped_word_is_mended_in_its_place() {
        let fault = level("info,tracer=trac,a=debug").expect_err("a level mistyped");
        assert_eq!(fault.value.as_deref(), Some("info,tracer=trace,a=debug"));
        let fault = scheme(&Registry::built_in())("sinohop").expect_err("a scheme mistyped");
        assert_eq!(fault.value.as_deref(), Some("sinohope"));
        let fault = algorithm("rsa").expect_err("no algorithm");
        assert_eq!(fault.value.as_deref(), Some("ecdsa_p256"));
    }

    #[test]
    fn the_other_forms() {
        check(hex, &[("00ffAB", Ok("[0, 255, 171]")), ("0x00", Err("starts with 0x"))]);
        check(hex, &[("0", Err("is not hex")), ("zz", Err("is not hex"))]);
        check(variable, &[("A_1", Ok("\"A_1\"")), ("", Ok("\"\"")), ("A=B", Err("is \"A=B\""))]);
        check(variable, &[("1A", Err("is \"1A\"")), ("A-B", Err("is \"A-B\""))]);
        check(own_host, &[("CS.Internal:81", Ok("\"cs.internal:81\"")), ("*.a.b", Err("is a"))]);
        check(server_name, &[("A.b", Ok("\"a.b\"")), ("[::1]", Ok("\"::1\"")), ("*", Err("has"))]);
        check(text, &[("a", Ok("\"a\"")), ("", Err("is empty"))]);
        check(
            replica,
            &[("1/1", Ok("Written(Replica { index: 0, count: 1 })")), ("2/1", Err("is"))],
        );
        let schemes = Registry::built_in();
        check(
            |name| scheme(&schemes)(name).map(|entry| entry.name.clone()),
            &[("metasv", Ok("\"metasv\""))],
        );
        check(algorithm, &[("ecdsa_p256", Ok("ecdsa_p256")), ("rsa", Err("is \"rsa\""))]);
        let words = [("text", 1), ("json", 2)];
        check(one_of(&words), &[("json", Ok("2")), ("JSON", Err("is \"JSON\""))]);
    }
}
