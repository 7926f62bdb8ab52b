//! Path traversal: whether a path could lead out of its prefix at a server that is lenient in how
//! it decodes and normalises one.
//!
//! What a provider makes of an odd path is not known, so a path is judged as all of the decoders
//! together would leave it. What is refused too much is what no API has: dots that stand alone.

use std::borrow::Cow;

/// Whether a path has dots that stand alone, as `.` and `..` do, once it is decoded until nothing
/// changes; or bytes that are no UTF-8 then, overlong forms of a dot among them (RFC 3629, section
/// 10).
///
/// Dots stand alone where what is on either side of them is no letter or digit: slashes of either
/// kind, an end, but also a parameter (`..;a=b`), white space, controls, NUL, which some servers cut
/// at or drop. Signs that compatibility forms (Unicode TR 15), IDNA or Windows' best fit take for
/// dots and slashes are such.
pub fn wanders(path: &str) -> bool {
    if !path.bytes().any(|byte| matches!(byte, b'.' | b'%') || !byte.is_ascii()) {
        return false;
    }
    let decoded = decoded(path);
    let Ok(text) = std::str::from_utf8(&decoded) else { return true };
    let mut alone = true;
    let mut dots = false;
    for sign in text.chars() {
        if is_dots(sign) {
            dots = true;
            continue;
        }
        let border = !(sign.is_alphanumeric() || matches!(sign, '-' | '_' | '~'));
        if dots && alone && border {
            return true;
        }
        (alone, dots) = (border, false);
    }
    dots && alone
}

/// A full stop, or what some normalisation makes one or several of.
fn is_dots(sign: char) -> bool {
    matches!(
        sign,
        '.' | '\u{2024}'
            ..='\u{2026}'
                | '\u{3002}'
                | '\u{fe12}'
                | '\u{fe19}'
                | '\u{fe30}'
                | '\u{fe52}'
                | '\u{ff0e}'
                | '\u{ff61}'
    )
}

/// The bytes of a path when no `%2e`, and none of IIS' `%u002e`, is left in it. In one pass: what a
/// code stands for may be part of the next.
fn decoded(path: &str) -> Cow<'_, [u8]> {
    if !path.contains('%') {
        return Cow::Borrowed(path.as_bytes());
    }
    let mut bytes = Vec::with_capacity(path.len());
    for byte in path.bytes() {
        bytes.push(byte);
        while let Some((length, value)) = code(&bytes) {
            bytes.truncate(bytes.len() - length);
            match (length, char::from_u32(value)) {
                (3, _) => bytes.push(u8::try_from(value).unwrap_or(NO_UTF_8)),
                (_, None) => bytes.push(NO_UTF_8),
                (_, Some(sign)) => bytes.extend(sign.encode_utf8(&mut [0; 4]).bytes()),
            }
        }
    }
    Cow::Owned(bytes)
}

/// In place of a surrogate.
const NO_UTF_8: u8 = 0xff;

/// The code that the bytes end with: its length, and what it stands for.
fn code(bytes: &[u8]) -> Option<(usize, u32)> {
    let value = |digits: &[u8]| {
        let mut digits = digits.iter().map(|byte| char::from(*byte).to_digit(16));
        digits.try_fold(0, |value, digit| Some(value * 16 + digit?))
    };
    if let [.., b'%', high, low] = bytes {
        return Some((3, value(&[*high, *low])?));
    }
    match bytes.get(bytes.len().checked_sub(6)?..)? {
        [b'%', b'u' | b'U', digits @ ..] => Some((6, value(digits)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dots_that_stand_alone_under_some_decoding_wander() {
        for path in [
            "/v1/..",
            "/v1/../v2",
            "/v1/./x",
            "/v1/.../x",
            "/v1/..\\v2",
            "/v1/..;a=b/v2",
            "/v1/.%2e%2fv2",
            "/v1/..%5Cv2",
            "/v1/%252e%252e/v2",
            "/v1/%25%32%65./v2",
            "/v1/%2525252e./v2",
            "/v1/..%00/v2",
            "/v1/..%00.json",
            "/v1/..%20/v2",
            "/v1/%20../v2",
            "/v1/.%09./v2",
            "/v1/..%0d%0ax/v2",
            "/v1/..+/v2",
            "/v1/..%3ba=b/v2",
            "/v1/..%3fx",
            "/v1/..%23x",
            "/v1/..,x",
            "/v1/..::$DATA/v2",
            "/v1/..%zz/v2",
            "/v1/..%e2%80%8b/v2",
            "/v1/%c0%ae%c0%ae/v2",
            "/v1/%c0%2e%c0%2e/v2",
            "/v1/%e0%80%ae./v2",
            "/v1/%f0%80%80%ae./v2",
            "/v1/x%c0%af..%c0%afv2",
            "/v1/%ef%bc%8e%ef%bc%8e/v2",
            "/v1/..%ef%bc%8fv2",
            "/v1/..%e2%88%95v2",
            "/v1/%e2%80%a5/v2",
            "/v1/%u002e%u002E/v2",
            "/v1/%uff0e./v2",
            "/v1/%u%30%302e./v2",
            "/v1/x%u2215..",
            "/v1/%ud800",
        ] {
            assert!(wanders(path), "{path}");
        }
    }

    #[test]
    fn dots_in_names_and_other_codes_do_not() {
        for path in [
            "/",
            "/v1",
            "/v1//x",
            "/v1/x.json",
            "/v1/.well-known",
            "/v1/..x/a...b/%2ex",
            "/v1/1.5/0.1-",
            "/v1/a.b;c=d.e",
            "/v1/a%20b%2Fc",
            "/v1/%E6%97%A5%E6%9C%AC.%E8%AA%9E",
            "/v1/%25",
            "/v1/100%",
            "/v1/%zz/%u12",
            "/v1/~.x/-./_.",
        ] {
            assert!(!wanders(path), "{path}");
        }
    }

    /// A server that is as lenient as some: it decodes until nothing changes, reads overlong forms,
    /// takes compatible signs for plain ones, drops what is invisible, cuts parameters off, and then
    /// resolves dots. Written apart from what is tested.
    fn resolves_dots(path: &str) -> bool {
        let mut bytes = path.as_bytes().to_vec();
        loop {
            let next = decoded_once(&bytes);
            if next == bytes {
                break;
            }
            bytes = next;
        }
        let (mut text, mut at) = (String::new(), 0);
        while at < bytes.len() {
            let (more, bits) = match bytes[at] {
                0xc0..=0xdf => (1, 0x1f),
                0xe0..=0xef => (2, 0x0f),
                0xf0..=0xf7 => (3, 0x07),
                _ => (0, 0x7f),
            };
            let mut value = u32::from(bytes[at] & bits);
            for byte in bytes.iter().skip(at + 1).take(more) {
                value = value << 6 | u32::from(byte & 0x3f);
            }
            match char::from_u32(value).unwrap_or(' ') {
                '\\' | '\u{ff0f}' | '\u{ff3c}' | '\u{2215}' => text.push('/'),
                '\u{ff0e}' | '\u{2024}' => text.push('.'),
                '\u{2025}' => text.push_str(".."),
                '+' | '\u{200b}' => {}
                sign if sign.is_control() || sign.is_whitespace() => {}
                sign => text.push(sign),
            }
            at += more + 1;
        }
        let mut segments = text.split('/').map(|segment| segment.split(';').next());
        segments.any(|segment| matches!(segment, Some("." | "..")))
    }

    fn decoded_once(bytes: &[u8]) -> Vec<u8> {
        let hex = |digits: &[u8]| {
            let text = std::str::from_utf8(digits).ok()?;
            let plain = text.bytes().all(|byte| byte.is_ascii_hexdigit());
            u32::from_str_radix(text, 16).ok().filter(|_| plain)
        };
        let (mut decoded, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let rest = &bytes[at..];
            let short = rest.get(1..3).filter(|_| rest[0] == b'%').and_then(hex);
            let wide = rest.get(2..6).filter(|_| rest.starts_with(b"%u")).and_then(hex);
            if let Some(byte) = short {
                decoded.push(byte as u8);
                at += 3;
            } else if let Some(sign) = wide.and_then(char::from_u32) {
                decoded.extend_from_slice(sign.to_string().as_bytes());
                at += 6;
            } else {
                decoded.push(rest[0]);
                at += 1;
            }
        }
        decoded
    }

    const ODD: &[&str] = &[
        "/",
        "/",
        ".",
        ".",
        "..",
        "%2e",
        "%2E",
        "%252e",
        "%25",
        "2e",
        "2",
        "5",
        "e",
        "%",
        "u",
        "002e",
        "%u002e",
        "%uff0e",
        "%c0%ae",
        "%c0",
        "ae",
        "%e0%80%ae",
        "%ef%bc%8e",
        "%e2%80%a5",
        "%2f",
        "%5c",
        "\\",
        "%252f",
        "%c0%af",
        "%ef%bc%8f",
        "%e2%88%95",
        "%00",
        "%20",
        "%09",
        "+",
        "%e2%80%8b",
        ";",
        ";a=b",
        "%3b",
        "a",
        "v1",
        "~",
        "%zz",
    ];
    const PLAIN: &[&str] = &[
        "/", "//", "a", "v1", "x.json", "a.b", "1.5", "..x", "x..", "-", "_", "%20", "%41",
        "%C3%A9", "%2F", ";a=b", "=", "$",
    ];

    fn path(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(pieces), 0..12).prop_map(|p| p.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]
        #[test]
        fn what_a_lenient_server_resolves_wanders(path in path(ODD)) {
            prop_assert!(!resolves_dots(&path) || wanders(&path), "{}", path);
        }

        #[test]
        fn dots_beside_letters_do_not(path in path(PLAIN)) {
            prop_assert!(!wanders(&path), "{}", path);
        }
    }
}
