//! What a service may answer, and what comes of it. The oracle reads nothing that the scheme reads:
//! it knows how the answer was put together.

use std::fmt;

use bytes::Bytes;
use countersign::scheme::{Answered, Opened, SchemeError};
use proptest::prelude::*;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::envelope;

/// An answer before it is a text.
#[derive(Clone, Debug)]
struct Answer {
    http: u16,
    /// Names and values as they are written.
    members: Vec<(&'static str, &'static str)>,
    wrapping: Wrapping,
}

/// What stands around the object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wrapping {
    Nothing,
    Spaces,
    ByteOrderMark,
    Array,
    Member,
    Quotes,
    Rest,
    Cut,
    NoUtf8,
}

const ID: &str = "req-1";

/// Members as services get them right or wrong; those at the top are the usual ones.
const MEMBERS: &[(&str, &str)] = &[
    ("action", "\"APPROVE\""),
    ("action", "\"APPROVE\""),
    ("action", "\"REJECT\""),
    ("status", "0"),
    ("status", "0"),
    ("request_id", "\"req-1\""),
    ("request_id", "\"req-1\""),
    ("error", "\"a reason\""),
    ("other", "{\"action\":\"APPROVE\",\"action\":\"REJECT\",\"status\":7}"),
    ("other", "123456789012345678901234567890.5e3"),
    ("action", "\"approve\""),
    ("action", "\"Approve\""),
    ("action", "\"APPROVE \""),
    ("action", "\"APPROVE\\u0000\""),
    ("action", "\"WAIT\""),
    ("action", "\"\""),
    ("action", "null"),
    ("action", "true"),
    ("action", "[\"APPROVE\"]"),
    ("action", "{\"action\":\"APPROVE\"}"),
    ("Action", "\"APPROVE\""),
    ("ACTION", "\"REJECT\""),
    ("action ", "\"APPROVE\""),
    ("result", "{\"action\":\"APPROVE\"}"),
    ("status", "null"),
    ("status", "10"),
    ("status", "-1"),
    ("status", "0.0"),
    ("status", "1e-400"),
    ("status", "99999999999999999999999999"),
    ("status", "\"0\""),
    ("Status", "0"),
    ("\u{17f}tatus", "30"),
    ("request_id", "\"req-2\""),
    ("request_id", "\"REQ-1\""),
    ("request_id", "\"\""),
    ("request_id", "1"),
    ("request_id", "null"),
    ("Request_Id", "\"req-1\""),
    ("error", "null"),
    ("error", "7"),
];

impl Answer {
    fn body(&self) -> Vec<u8> {
        let members = self.members.iter().map(|(name, value)| format!("\"{name}\":{value}"));
        let object = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        match self.wrapping {
            Wrapping::Nothing => object.into_bytes(),
            Wrapping::Spaces => format!("\r\n\t {object} \n").into_bytes(),
            Wrapping::ByteOrderMark => format!("\u{feff}{object}").into_bytes(),
            Wrapping::Array => format!("[{object}]").into_bytes(),
            Wrapping::Member => format!("{{\"data\":{object}}}").into_bytes(),
            Wrapping::Quotes => Value::from(object).to_string().into_bytes(),
            Wrapping::Rest => format!("{object}{object}").into_bytes(),
            Wrapping::Cut => object.as_bytes()[..object.len() - 1].to_vec(),
            Wrapping::NoUtf8 => [&b"{\"x\":\"\xff\","[..], &object.as_bytes()[1..]].concat(),
        }
    }

    /// The values of a member, with whatever capitals its name is written.
    fn values(&self, name: &str) -> Vec<(&str, &str)> {
        let same = |found: &str| found.replace('\u{17f}', "s").to_lowercase() == name;
        self.members.iter().copied().filter(|(found, _)| same(found)).collect()
    }

    /// Whether a service that answers this has approved the request.
    fn approves(&self) -> bool {
        let whole = matches!(self.wrapping, Wrapping::Nothing | Wrapping::Spaces);
        let one_of = |name: &str, allowed: &[&str]| match self.values(name)[..] {
            [] => allowed.contains(&""),
            [(found, value)] => found == name && allowed.contains(&value),
            _ => false,
        };
        // Two of an unknown name are as undecided as two of a known one.
        let others = self.members.iter().filter(|(name, _)| *name == "other").count();
        let odd = |odd: &str| self.members.iter().filter(|(name, _)| *name == odd).count() > 1;
        (200..300).contains(&self.http)
            && whole
            && one_of("action", &["\"APPROVE\""])
            && one_of("status", &["", "0", "null"])
            && one_of("request_id", &["", "\"req-1\"", "null"])
            && one_of("error", &["", "null", "\"a reason\""])
            && others < 2
            && !odd("action ")
            && !odd("result")
    }
}

fn answers() -> impl Strategy<Value = Answer> {
    let wrapping = prop_oneof![
        20 => Just(Wrapping::Nothing),
        2 => Just(Wrapping::Spaces),
        1 => Just(Wrapping::ByteOrderMark),
        1 => Just(Wrapping::Array),
        1 => Just(Wrapping::Member),
        1 => Just(Wrapping::Quotes),
        1 => Just(Wrapping::Rest),
        1 => Just(Wrapping::Cut),
        1 => Just(Wrapping::NoUtf8),
    ];
    let http = prop_oneof![
        8 => Just(200_u16),
        1 => 201_u16..300,
        1 => prop::sample::select(vec![100, 101, 199, 300, 302, 304, 400, 401, 500, 502, 599]),
    ];
    let usual = prop::sample::select(&MEMBERS[..10]);
    let any = prop::sample::select(MEMBERS);
    let members = prop_oneof![
        prop::collection::vec(usual.clone(), 0..4),
        prop::collection::vec(prop_oneof![4 => usual, 1 => any], 1..5),
    ];
    (http, members, wrapping).prop_map(|(http, members, wrapping)| Answer {
        http,
        members,
        wrapping,
    })
}

fn opened(kind: u64) -> Opened {
    Opened { request: Bytes::new(), content_type: "application/json", id: ID.into(), kind }
}

/// What a node reads in a package: whether it may go on, and for which request.
fn reads(package: &[u8]) -> (bool, Value) {
    let said: Value = serde_json::from_slice(package).expect("a package is JSON");
    (said["action"] == "APPROVE", said)
}

/// The names of an object's own members, each as often as it stands there, in small letters.
fn names(package: &[u8]) -> Vec<String> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
            let mut names = Vec::new();
            while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                names.push(name.replace('\u{17f}', "s").to_lowercase());
            }
            Ok(names)
        }
    }
    let mut text = serde_json::Deserializer::from_slice(package);
    text.deserialize_map(Names).expect("a package is an object")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn an_approval_is_sealed_exactly_where_the_service_gave_one(
        answer in answers(),
        kind in prop::sample::select(vec![0, 1, 2, 3, 5, 77]),
    ) {
        let body = Bytes::from(answer.body());
        let answered = Answered::Reply { status: answer.http, body: &body };
        let concluded = envelope(&[]).conclude(Ok(&opened(kind)), &answered);
        let (approved, said) = reads(&concluded.package);
        prop_assert_eq!(approved, answer.approves(), "{:?} {}", body, said);
        prop_assert_eq!(concluded.approves, approved);
        prop_assert_eq!(&said["request_id"], ID);
        // Nothing is left that another reader could take for another answer.
        let names = names(&concluded.package);
        let count = |name: &str| names.iter().filter(|found| *found == name).count();
        prop_assert!(count("action") <= 1 && count("status") == 1 && count("request_id") == 1);
        prop_assert!(!approved || said["status"] == 0);
        // Who is asked for more than a sign of life has to say yes or no.
        prop_assert!(kind == 0 || count("action") == 1, "{}", said);
    }

    #[test]
    fn bytes_that_are_nearly_an_approval_are_one_or_none(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        change in 0..3,
    ) {
        let mut body = br#"{"status":0,"request_id":"req-1","action":"APPROVE"}"#.to_vec();
        let place = at.index(body.len());
        match change {
            0 => body[place] = byte,
            1 => body.insert(place, byte),
            _ => body.truncate(place),
        }
        let answer = Bytes::from(body);
        let answered = Answered::Reply { status: 200, body: &answer };
        let concluded = envelope(&[]).conclude(Ok(&opened(2)), &answered);
        let (approved, said) = reads(&concluded.package);
        prop_assert_eq!(approved, concluded.approves);
        if approved {
            let given: Value = serde_json::from_slice(&answer).expect("JSON");
            prop_assert_eq!(&given["action"], "APPROVE");
            prop_assert!(given["status"].is_null() || given["status"] == 0, "{}", given);
            prop_assert!(given["request_id"].is_null() || given["request_id"] == ID, "{}", given);
        }
        prop_assert_eq!(&said["request_id"], ID);
    }

    #[test]
    fn no_bytes_are_taken_for_an_approval_of_theirs(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let answer = Bytes::from(body);
        let answered = Answered::Reply { status: 200, body: &answer };
        prop_assert!(!envelope(&[]).conclude(Ok(&opened(2)), &answered).approves);
    }
}

#[test]
fn where_nobody_answered_nothing_is_approved() {
    let approval = Bytes::from_static(br#"{"action":"APPROVE"}"#);
    let yes = Answered::Reply { status: 200, body: &approval };
    let envelope = envelope(&[]);
    let opened = opened(2);
    assert!(envelope.conclude(Ok(&opened), &yes).approves, "the service can approve at all");
    for answered in [Answered::Nothing("APPROVE"), Answered::Unasked] {
        let concluded = envelope.conclude(Ok(&opened), &answered);
        let (approved, said) = reads(&concluded.package);
        assert!(!concluded.approves && !approved, "{said}");
        assert_eq!((&said["status"], &said["action"]), (&30.into(), &"REJECT".into()), "{said}");
    }
    // Were somebody asked all the same, what was not opened is not approved.
    for error in [
        SchemeError::Token("is bad"),
        SchemeError::Package { what: "is bad", id: None },
        SchemeError::Package { what: "is bad", id: Some("req-1".into()) },
        SchemeError::Broken("APPROVE"),
    ] {
        let concluded = envelope.conclude(Err(&error), &yes);
        let (approved, said) = reads(&concluded.package);
        assert!(!concluded.approves && !approved && said["status"] != 0, "{said}");
    }
}
