//! Declared schemes put fields into JSON, queries and forms, and change no other byte: held against
//! readings that share nothing with theirs. And no bytes make reading a file panic.

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::ops::Range;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base16ct::lower::encode_string as hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::keys::{Algorithm, PrivateKey};
use countersign::moment::{Moment, Nonce};
use countersign::scheme::Entry;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngSeed, TestRunner};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::support::dialect::{Dialect, Outgoing};
use crate::support::verify::Arrived;

const NOW: &str = "1764337800123";
const SECRET: &str = "k-secret";

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

/// Runs a property on so many inputs, the same each time.
fn hold<S: Strategy>(inputs: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { rng_seed: RngSeed::Fixed(12), ..super::cases(CASES) };
    let ran = TestRunner::new(config).run(inputs, test);
    assert!(ran.is_ok(), "{}", ran.err().map(|error| error.to_string()).unwrap_or_default());
}

const CASES: u32 = 1_500;

/// How many requests were signed, and how many refused.
#[derive(Default)]
struct Seen {
    signed: Cell<u32>,
    refused: Cell<u32>,
}

impl Seen {
    fn count(&self, signed: bool) {
        let cell = if signed { &self.signed } else { &self.refused };
        cell.set(cell.get() + 1);
    }

    fn enough(&self) {
        let (signed, refused) = (self.signed.get(), self.refused.get());
        assert!(signed > CASES / 3 && refused > CASES / 20, "{signed} signed, {refused} refused");
    }
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

fn json() -> impl Strategy<Value = String> {
    let space = || select(vec!["", "", " ", "\n", "\t "]);
    let name = select(vec![
        "\"a\"",
        "\"\"",
        "\"b\\\\\"",
        "\"\u{e9}\\\"\"",
        "\"time\"",
        "\"\\u0074ime\"",
        "\"sig\"",
        "\"si\\u0067\"",
        "\"Sig\"",
        "\"\\ud83d\\udd11\"",
    ]);
    let value = select(vec![
        "1",
        "1.0",
        "-0",
        "1e400",
        "123456789012345678901234567890.10",
        "true",
        "null",
        "\"\"",
        "\"a , } ] \\\" \\\\\"",
        "\"\u{1f511}\\u00e9\"",
        "[1, {\"time\": 2}, []]",
        "{ }",
        "{\"sig\":\"x\" ,\"b\":{\"sig\":1}}",
    ]);
    let member = (space(), name, space(), space(), value, space());
    let member = member.prop_map(|(a, name, b, c, value, d)| format!("{a}{name}{b}:{c}{value}{d}"));
    let object = (space(), prop::collection::vec(member, 0..5), space(), space());
    let object =
        object.prop_map(|(a, members, b, c)| format!("{a}{{{}{b}}}{c}", members.join(",")));
    let other = select(vec![
        "",
        "[]",
        "{",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{} x",
        "7",
        "{\"a\":01}",
        "\u{feff}{}",
    ]);
    prop_oneof![12 => object, 1 => other.prop_map(str::to_owned)]
}

/// A member that is moved, a number that is written anew, a duplicate of which one is signed.
#[test]
fn a_json_body_changes_in_the_spliced_members_alone() {
    let dialect = scheme(
        "sign = \"{body}\", as = \"hex\"",
        "[place.json]\ntime = { number = \"{time}\" }\nsig = \"{sig}\"",
        "request = { method = \"POST\", target = \"/\", body = '{\"sig\":\"x\",\"a\": 1}' }\n\
         expect.json.sig = \"8fbfaaab551366b5920d8f84e14353725c04ac2c8fceaf4973221b3736099dd0\"",
    );
    let seen = Seen::default();
    hold(&json(), |body| {
        let whole = if body.is_empty() { "{}" } else { &body };
        let twice = |all: &[(String, Range<usize>)], name: &str| {
            all.iter().filter(|(own, _)| own == name).count() > 1
        };
        let all = members(whole).filter(|all| !twice(all, "time") && !twice(all, "sig"));
        let expected = all.map(|_| {
            let timed = put_member(whole, "time", NOW);
            let mac = hex(&mac(&without_member(&timed, "sig")));
            (String::new(), put_member(&timed, "sig", &format!("\"{mac}\"")))
        });
        seen.count(expected.is_some());
        prop_assert_eq!(signed(&dialect, "", Some("application/json"), &body), expected);
        Ok(())
    });
    seen.enough();
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

fn fields() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "a=1",
        "b=%2f+%zz",
        "time=1",
        "ti%6De=2",
        "time",
        "sig=x",
        "%73ig=",
        "sig",
        "si%2567=1",
        "",
        "c=time=1",
        "=sig",
        "%C3%A9=%",
        "Sig=1",
        "+sig=1",
    ]);
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.join("&"))
}

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// A field that is put behind another of its name, an escape that is written anew, an empty piece
/// that goes. What is not there goes into the query, or into the form where the file says so.
#[test]
fn a_query_and_a_form_change_in_the_spliced_fields_alone() {
    let of = |place: &str, vector: &str| {
        let place = format!("[place.{place}]\ntime = \"{{time}}\"\nsig = \"{{sig}}\"");
        scheme("sign = \"{query}|{body}\", as = \"base64\"", &place, vector)
    };
    let request = "method = \"POST\", target = \"/?b=2\", body = \"a=1\"";
    let typed = format!("headers = {{ Content-Type = \"{FORM}\" }}");
    let vector = |mac: &str, part: &str| {
        format!("request = {{ {request}, {typed} }}\nexpect.{part}.sig = \"{mac}\"")
    };
    let (into_query, into_form) = (
        of("query", &vector("QZ9lYlE0g2A95ExtJy3fp+s9tbNFEeMgTaU4XtT6Fd8=", "query")),
        of("form", &vector("woGCJSXGguScFMx5i/QDNm5366f3CKprJQ2F2IZdeII=", "form")),
    );
    // Found by this test: the request was signed, and could not be verified.
    assert!(signed(&into_query, "", Some("text/plain"), "sig=x&sig=x").is_some());
    let seen = Seen::default();
    let kind = select(vec![Some(FORM), Some(FORM), Some("text/plain"), None]);
    hold(&(fields(), fields(), kind, any::<bool>()), |(query, body, kind, to_form)| {
        let form = kind == Some(FORM) || (kind.is_none() && to_form);
        let there = |name: &str| count(&query, name) + if form { count(&body, name) } else { 0 };
        let homeless = |name: &str| to_form && !form && count(&query, name) == 0;
        let refused = ["time", "sig"].iter().any(|name| there(name) > 1 || homeless(name));
        let expected = (!refused).then(|| {
            let in_form =
                |name: &str| form && (count(&body, name) == 1 || (to_form && there(name) == 0));
            let put = |(query, body): (String, String), name: &str, value: &str| match in_form(name)
            {
                true => (query, put_field(&body, name, value)),
                false => (put_field(&query, name, value), body),
            };
            let (query, body) = put((query.clone(), body.clone()), "time", NOW);
            let body_to_sign = if form { without_field(&body, "sig") } else { body.clone() };
            let text = format!("{}|{body_to_sign}", without_field(&query, "sig"));
            let mac = STANDARD.encode(mac(&text));
            let mac = mac.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
            put((query, body), "sig", &mac)
        });
        seen.count(expected.is_some());
        let dialect = if to_form { &into_form } else { &into_query };
        prop_assert_eq!(signed(dialect, &query, kind, &body), expected);
        Ok(())
    });
    seen.enough();
}

/// A file of the catalogue with bytes of it, of others and of words put where they do not belong.
#[test]
fn no_bytes_make_reading_a_scheme_file_panic() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/schemes");
    let files = fs::read_dir(directory).expect("it can be listed");
    let mut files: Vec<Vec<u8>> = files
        .map(|file| fs::read(file.expect("it can be listed").path()).expect("it can be read"))
        .filter(|text| !text.windows(4).any(|piece| piece == b"rsa_"))
        .collect();
    files.sort();
    let words = select(vec![
        "{",
        "}",
        "{{",
        "|",
        " | hex",
        "'''",
        "\"",
        "[",
        "]",
        "\n",
        "=",
        "\0",
        "\u{2028}",
        "9999999999999999999",
        "{body}",
        "{signer}",
        "{signer.public}",
        "{query | first:0}",
        "swap:~",
        "[[vectors]]",
        "\\u0000",
    ]);
    let cut = (any::<Index>(), any::<Index>(), 0_usize..40);
    let edit = prop_oneof![
        (any::<Index>(), words).prop_map(|(at, word)| (at, 0, Edit::Bytes(word.into()))),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 0..4), 0_usize..4)
            .prop_map(|(at, bytes, gone)| (at, gone, Edit::Bytes(bytes))),
        (any::<Index>(), cut).prop_map(|(at, (file, from, length))| (
            at,
            length,
            Edit::Cut(file, from, length)
        )),
    ];
    let read = Cell::new(0);
    hold(&(any::<Index>(), prop::collection::vec(edit, 0..5)), |(file, edits)| {
        let mut text = file.get(&files).clone();
        for (at, gone, edit) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + gone).min(text.len());
            let bytes = match edit {
                Edit::Bytes(bytes) => bytes,
                Edit::Cut(file, from, length) => {
                    let other = file.get(&files);
                    let from = from.index(other.len());
                    other[from..(from + length).min(other.len())].to_vec()
                }
            };
            text.splice(at..end, bytes);
        }
        let used = Entry::declared("changed", &String::from_utf8_lossy(&text)).is_ok();
        read.set(read.get() + u32::from(used));
        Ok(())
    });
    let used = read.get();
    assert!(used > CASES / 8 && used < CASES / 2, "{used} files were used");
}

#[derive(Clone, Debug)]
enum Edit {
    Bytes(Vec<u8>),
    /// A piece of another file.
    Cut(Index, Index, usize),
}
