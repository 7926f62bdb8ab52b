//! Fields that a declared scheme puts into JSON, queries and forms: no other byte is changed, by readings
//! that share nothing with the scheme's own.

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base16ct::lower::encode_string as hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::keys::{Algorithm, PrivateKey};
use countersign::moment::{Moment, Nonce};
use countersign::scheme::Entry;
use http::uri::PathAndQuery;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Target;
use super::input::Input;
use crate::support::dialect::{Dialect, Outgoing};
use crate::support::verify::Arrived;

pub(super) const TARGET: Target = Target {
    name: "splice",
    run,
    seeds: || {
        let bodies = [
            "{}",
            "{ \"a\" : 1e400 }",
            "{\"time\":1,\"sig\":null}",
            "{\"si\\u0067\":\"x\" ,\"b\":{\"sig\":1}}",
            "[1]",
            "{\"a\":\"} , \\\" \\\\\", \"t\\u0069me\":[{}, -0]}",
        ];
        let forms =
            ["a=1&time=1", "sig=x&b=%2f+%zz", "ti%6De=2&%73ig=", "&&=sig", "c=time=1&Sig=1"];
        let json = bodies.iter().map(|body| format!("\0{body}"));
        let fields =
            forms.iter().flat_map(|one| forms.iter().map(move |other| (one, other))).zip(1_u8..);
        let fields = fields
            .map(|((query, body), way)| format!("{}{query}\n{body}", char::from(1 + way % 6)));
        json.chain(fields).map(Into::into).collect()
    },
    words: &[
        "\"time\"",
        "\"sig\"",
        "\"si\\u0067\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\\",
        "\"",
        "1e9",
        "null",
        "time=",
        "sig=",
        "ti%6De",
        "&",
        "=",
        "%",
        "+",
        "\n",
        "\u{feff}",
        "\u{2028}",
    ],
    tries: 12_000,
};

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let way = input.byte() % 7;
    if way == 0 {
        let _signed = str::from_utf8(input.0).map(json);
        return;
    }
    let (Some(query), Ok(body)) = (input.text(), str::from_utf8(input.0)) else { return };
    let is_query = query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if is_query && format!("/x?{query}").parse::<PathAndQuery>().is_ok() {
        let kind = [Some(FORM), Some("text/plain"), None][usize::from(way % 3)];
        let _signed = fields(way < 4, query, kind, body);
    }
}

/// Asserts of a JSON body that the spliced members alone change, and says whether it was signed.
///
/// A member that is moved, a number that is written anew, a duplicate of which one is signed.
pub(crate) fn json(body: &str) -> bool {
    static DIALECT: LazyLock<Dialect> = LazyLock::new(|| {
        scheme(
            "sign = \"{body}\", as = \"hex\"",
            "[place.json]\ntime = { number = \"{time}\" }\nsig = \"{sig}\"",
            "request = { method = \"POST\", target = \"/\", body = '{\"sig\":\"x\",\"a\": 1}' }\n\
         expect.json.sig = \"8fbfaaab551366b5920d8f84e14353725c04ac2c8fceaf4973221b3736099dd0\"",
        )
    });
    let whole = if body.is_empty() { "{}" } else { body };
    let twice = |all: &[(String, Range<usize>)], name: &str| {
        all.iter().filter(|(own, _)| own == name).count() > 1
    };
    let all = members(whole).filter(|all| !twice(all, "time") && !twice(all, "sig"));
    let expected = all.map(|_| {
        let timed = put_member(whole, "time", NOW);
        let mac = hex(&mac(&without_member(&timed, "sig")));
        (String::new(), put_member(&timed, "sig", &format!("\"{mac}\"")))
    });
    assert_eq!(signed(&DIALECT, "", Some("application/json"), body), expected, "{body:?}");
    expected.is_some()
}

/// Asserts the same of a query and a body, which is a form if its type says so, or if it has none and
/// the scheme puts its fields into forms.
///
/// A field that is put behind another of its name, an escape that is written anew, an empty piece
/// that goes. What is not there goes into the query, or into the form where the file says so.
pub(crate) fn fields(to_form: bool, query: &str, kind: Option<&str>, body: &str) -> bool {
    static DIALECTS: LazyLock<[Dialect; 2]> = LazyLock::new(|| {
        let of = |part: &str, mac: &str| {
            let place = format!("[place.{part}]\ntime = \"{{time}}\"\nsig = \"{{sig}}\"");
            let typed = format!("headers = {{ Content-Type = \"{FORM}\" }}");
            let request = format!("method = \"POST\", target = \"/?b=2\", body = \"a=1\", {typed}");
            let vector = format!("request = {{ {request} }}\nexpect.{part}.sig = \"{mac}\"");
            scheme("sign = \"{query}|{body}\", as = \"base64\"", &place, &vector)
        };
        [
            of("query", "QZ9lYlE0g2A95ExtJy3fp+s9tbNFEeMgTaU4XtT6Fd8="),
            of("form", "woGCJSXGguScFMx5i/QDNm5366f3CKprJQ2F2IZdeII="),
        ]
    });
    let form = kind == Some(FORM) || (kind.is_none() && to_form);
    let there = |name: &str| count(query, name) + if form { count(body, name) } else { 0 };
    let homeless = |name: &str| to_form && !form && count(query, name) == 0;
    let refused = ["time", "sig"].iter().any(|name| there(name) > 1 || homeless(name));
    let expected = (!refused).then(|| {
        let in_form =
            |name: &str| form && (count(body, name) == 1 || (to_form && there(name) == 0));
        let put = |(query, body): (String, String), name: &str, value: &str| match in_form(name) {
            true => (query, put_field(&body, name, value)),
            false => (put_field(&query, name, value), body),
        };
        let (query, body) = put((query.to_owned(), body.to_owned()), "time", NOW);
        let body_to_sign = if form { without_field(&body, "sig") } else { body.clone() };
        let text = format!("{}|{body_to_sign}", without_field(&query, "sig"));
        let mac = STANDARD.encode(mac(&text));
        let mac = mac.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        put((query, body), "sig", &mac)
    });
    let found = signed(&DIALECTS[usize::from(to_form)], query, kind, body);
    assert_eq!(found, expected, "{query:?} {kind:?} {body:?}");
    expected.is_some()
}

const NOW: &str = "1764337800123";
const SECRET: &str = "k-secret";

pub(crate) const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// A file that puts `time` and `sig` into a part of the request. The vector is Python's hmac.
fn scheme(sign: &str, place: &str, vector: &str) -> Dialect {
    let file = format!(
        "format = 1\nsummary = \"fields\"\nhost = \"a.test\"\n\
         [keys.signer]\nalgorithms = [\"hmac_sha256\"]\n[values]\ntime = {{ clock = \"unix_ms\" }}\n\
         sig = {{ {sign}, key = \"signer\" }}\n{place}\n[[vectors]]\nsource = \"Python's hmac\"\n\
         now = \"2025-11-28T13:50:00.123Z\"\nkeys.signer = \"{SECRET}\"\n{vector}\n"
    );
    let entry = Entry::declared("fields", &file).unwrap_or_else(|errors| panic!("{errors:?}"));
    let key = PrivateKey::parse(SECRET.as_bytes(), Some(Algorithm::HMAC_SHA256), None);
    Dialect::of(&entry, &key.expect("any text is a secret"), &[])
}

fn mac(text: &str) -> Vec<u8> {
    sign(&Key::new(HMAC_SHA256, SECRET.as_bytes()), text.as_bytes()).as_ref().to_vec()
}

/// Target and body as they leave; none where the request is refused.
fn signed(
    dialect: &Dialect,
    query: &str,
    kind: Option<&str>,
    body: &str,
) -> Option<(String, String)> {
    let mark = if query.is_empty() { "" } else { "?" };
    let headers = kind.iter().map(|kind| ("content-type".to_owned(), (*kind).to_owned()));
    let arrived = Arrived {
        method: "POST".into(),
        target: format!("/x{mark}{query}"),
        headers: headers.collect(),
        body: body.into(),
    };
    let moment = Moment { unix_ms: NOW.parse().expect("a number"), nonce: Nonce::Given(0) };
    let prepared = dialect.prepare(&Outgoing::new(&arrived), &moment).ok()?;
    let signatures = dialect.sign(&prepared.preimages);
    let sent = prepared.assemble(&moment, &signatures).expect("what was signed can be assembled");
    assert!(dialect.verify(&sent).is_ok(), "{sent:?}");
    let sent = sent.arrive();
    let query = sent.target.strip_prefix("/x").expect("the path is kept");
    let query = query.strip_prefix('?').unwrap_or(query).to_owned();
    Some((query, String::from_utf8(sent.body).expect("it is text")))
}

/// The members of an object in their order, by serde_json.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Names, and where the values stand.
fn members(object: &str) -> Option<Vec<(String, Range<usize>)>> {
    let read: Members<'_> = serde_json::from_str(object).ok()?;
    let place = |value: &RawValue| {
        let at = value.get().as_ptr().addr() - object.as_ptr().addr();
        at..at + value.get().len()
    };
    Some(read.0.into_iter().map(|(name, value)| (name, place(value))).collect())
}

fn put_member(object: &str, name: &str, value: &str) -> String {
    let all = members(object).expect("an object");
    let (at, text) = match all.iter().find(|(own, _)| own == name) {
        Some((_, at)) => (at.clone(), value.to_owned()),
        None => {
            let brace = object.find('{').expect("an object") + 1;
            let (end, comma) = all.last().map_or((brace, ""), |(_, last)| (last.end, ","));
            (end..end, format!("{comma}\"{name}\":{value}"))
        }
    };
    format!("{}{text}{}", &object[..at.start], &object[at.end..])
}

fn without_member(object: &str, name: &str) -> String {
    let all = members(object).expect("an object");
    let Some(found) = all.iter().position(|(own, _)| own == name) else { return object.to_owned() };
    let end = all[found].1.end;
    let brace = object.find('{').expect("an object") + 1;
    let gone = match found {
        // With the comma behind it, where another follows.
        0 if all.len() > 1 => brace..end + object[end..].find(',').expect("a comma") + 1,
        0 => brace..end,
        _ => all[found - 1].1.end..end,
    };
    format!("{}{}", &object[..gone.start], &object[gone.end..])
}

/// A name as it is meant.
fn name(piece: &str) -> Vec<u8> {
    let written = piece.split('=').next().unwrap_or_default().as_bytes();
    let (mut name, mut at) = (Vec::new(), 0);
    while at < written.len() {
        let digits = written.get(at + 1..at + 3).filter(|_| written[at] == b'%');
        let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match (digits, written[at]) {
            (Some(digits), _) => {
                name.push(u8::from_str_radix(digits, 16).expect("two digits"));
                at += 2;
            }
            (None, b'+') => name.push(b' '),
            (None, byte) => name.push(byte),
        }
        at += 1;
    }
    name
}

fn count(text: &str, own: &str) -> usize {
    text.split('&').filter(|piece| name(piece) == own.as_bytes()).count()
}

fn put_field(text: &str, own: &str, value: &str) -> String {
    let piece = |piece: &str| match piece.split('=').next() {
        Some(written) if name(piece) == own.as_bytes() => format!("{written}={value}"),
        _ => piece.to_owned(),
    };
    match (count(text, own), text) {
        (0, "") => format!("{own}={value}"),
        (0, _) => format!("{text}&{own}={value}"),
        _ => text.split('&').map(piece).collect::<Vec<_>>().join("&"),
    }
}

fn without_field(text: &str, own: &str) -> String {
    let pieces = text.split('&').filter(|piece| name(piece) != own.as_bytes());
    pieces.collect::<Vec<_>>().join("&")
}
