//! Servers that are lenient with paths, each in its own way: how they decode, what they drop and cut,
//! what they take for a slash or a dot, and where they end up. Written apart from `route::wanders`.

/// What a server does to a path before it resolves dots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server(pub(super) u16);

impl Server {
    /// The servers that are tried with every path: all of it, and each thing alone with and without
    /// decoding.
    pub(super) fn usual() -> impl Iterator<Item = Self> {
        let alone = (0..12).map(|bit| 1 << bit);
        let decoding = alone.clone().map(|one| one | ONCE);
        let thorough = alone.clone().map(|one| one | UNTIL_NOTHING_CHANGES | WIDE);
        alone.chain(decoding).chain(thorough).chain([0, u16::MAX]).map(Self)
    }

    fn does(self, what: u16) -> bool {
        self.0 & what != 0
    }

    /// The segments of the path that it serves, dots resolved.
    pub(super) fn serves(self, path: &str) -> Vec<String> {
        let mut bytes = path.as_bytes().to_vec();
        if self.does(ONCE | UNTIL_NOTHING_CHANGES) {
            loop {
                let next = self.decoded(&bytes);
                let over = next == bytes || !self.does(UNTIL_NOTHING_CHANGES);
                bytes = next;
                if over {
                    break;
                }
            }
        }
        if self.does(CUT_AT_NUL) {
            bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        }
        let mut text = String::new();
        for sign in self.signs(&bytes) {
            match sign {
                '\\' if self.does(BACKSLASH) => text.push('/'),
                '\u{ff0f}' | '\u{ff3c}' | '\u{2215}' | '\u{2044}' if self.does(COMPATIBLE) => {
                    text.push('/')
                }
                '\u{ff0e}' | '\u{2024}' if self.does(COMPATIBLE) => text.push('.'),
                '\u{2025}' if self.does(COMPATIBLE) => text.push_str(".."),
                '+' if self.does(PLUS) => {}
                '\u{200b}' | '\u{ad}' | '\u{feff}' if self.does(COMPATIBLE) => {}
                sign if self.does(DROP) && (sign.is_control() || sign.is_whitespace()) => {}
                sign => text.push(sign),
            }
        }
        if self.does(CUT_QUERY) {
            text = text.split(['?', '#']).next().unwrap_or_default().to_owned();
        }
        let mut served: Vec<String> = Vec::new();
        for segment in text.split('/') {
            let segment = if self.does(PARAMETERS) {
                segment.split(';').next().unwrap_or_default()
            } else {
                segment
            };
            let segment = if self.does(TRIM) { segment.trim_matches([' ', '\t']) } else { segment };
            match segment {
                "" | "." => {}
                ".." => {
                    served.pop();
                }
                segment => served.push(segment.to_owned()),
            }
        }
        served
    }

    fn decoded(self, bytes: &[u8]) -> Vec<u8> {
        let hex = |digits: &[u8]| {
            let plain = digits.iter().all(u8::is_ascii_hexdigit);
            u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok().filter(|_| plain)
        };
        let (mut decoded, mut at) = (Vec::new(), 0);
        while let [first, rest @ ..] = &bytes[at..] {
            let short = rest.get(..2).filter(|_| *first == b'%').and_then(hex);
            let wide =
                rest.get(1..5).filter(|_| *first == b'%' && rest[0].eq_ignore_ascii_case(&b'u'));
            let wide = wide.filter(|_| self.does(WIDE)).and_then(hex).and_then(char::from_u32);
            let length = match (short, wide) {
                (Some(byte), _) => {
                    decoded.push(byte as u8);
                    3
                }
                (_, Some(sign)) => {
                    decoded.extend(sign.to_string().bytes());
                    6
                }
                _ => {
                    decoded.push(*first);
                    1
                }
            };
            at += length;
        }
        decoded
    }

    /// UTF-8, also in overlong forms where it is that lenient.
    fn signs(self, bytes: &[u8]) -> Vec<char> {
        if !self.does(OVERLONG) {
            return String::from_utf8_lossy(bytes).chars().collect();
        }
        let (mut signs, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let (more, bits) = match bytes[at] {
                0xc0..=0xdf => (1, 0x1f),
                0xe0..=0xef => (2, 0x0f),
                0xf0..=0xf7 => (3, 0x07),
                _ => (0, 0x7f),
            };
            let rest = bytes.iter().skip(at + 1).take(more);
            let value = rest.fold(u32::from(bytes[at] & bits), |value, byte| {
                value << 6 | u32::from(byte & 0x3f)
            });
            signs.push(char::from_u32(value).unwrap_or('\u{fffd}'));
            at += more + 1;
        }
        signs
    }
}

const ONCE: u16 = 1;
const UNTIL_NOTHING_CHANGES: u16 = 1 << 1;
const WIDE: u16 = 1 << 2;
const OVERLONG: u16 = 1 << 3;
const COMPATIBLE: u16 = 1 << 4;
const BACKSLASH: u16 = 1 << 5;
const PLUS: u16 = 1 << 6;
const DROP: u16 = 1 << 7;
const CUT_AT_NUL: u16 = 1 << 8;
const CUT_QUERY: u16 = 1 << 9;
const PARAMETERS: u16 = 1 << 10;
const TRIM: u16 = 1 << 11;
