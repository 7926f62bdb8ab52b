//! Loopring: the text depends on what a query and a body say, not on their order and white space;
//! a signature changes nothing beside itself; and no body makes the program panic.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use countersign::keys::{Algorithm, PrivateKey};
use countersign::moment::{Moment, Nonce};
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::{cases, get, post};
use crate::support::dialect::{Dialect, Outgoing};
use crate::support::verify::loopring::{base_string, objects};

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn order_and_white_space_do_not_change_what_is_signed(
        query in prop::collection::btree_map("[a-m+%]{1,4}", "[a-zA-Z+.~]{0,4}", 0..4),
        body in prop::collection::btree_map("q[\\PC&&[^\\\\\"]]{0,4}", node(), 0..5),
        spaces in prop::collection::vec("[ \t\r\n]{0,3}", 1..5),
    ) {
        let pairs = query.iter().map(|(name, value)| (name.replace('%', "%25"), value));
        let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
        let backwards: Vec<_> = pairs.iter().rev().map(String::as_str).collect();
        let tight = Node::Object(body.clone().into_iter().collect());
        let loose = Node::Object(body.into_iter().rev().collect());
        let one = post(&format!("/x?{}", pairs.join("&")), tight.text(&[]).into_bytes());
        let two = post(&format!("/x?&{}", backwards.join("&")), loose.text(&spaces).into_bytes());
        let text = canonical(&KV, &one)?;
        prop_assert_eq!(&text, &canonical(&KV, &two)?);
        prop_assert_eq!(Ok(text.clone()), objects(&one));
        prop_assert_eq!(Ok(text), objects(&two));

        let (one, two) = (get(&one.target), get(&two.target));
        let text = canonical(&V2, &one)?;
        prop_assert_eq!(&text, &canonical(&V2, &two)?);
        prop_assert_eq!(Ok(text), base_string(&two, "https://provider.example.com"));
    }

    #[test]
    fn no_body_and_no_query_makes_it_panic(
        query in "[a&=%+0-9]{0,12}",
        text in prop_oneof![
            "\\PC{0,30}",
            "[\\[\\]{}\",:\\\\ 0-9a-fnu]{0,30}",
            node().prop_map(|node| node.text(&[])),
            node().prop_map(|node| ORDER.replace("211", &node.text(&[]))),
            node().prop_map(|node| ORDER.replace("\"false\"", &node.text(&[]))),
            node().prop_map(|node| format!("{{\"orders\":{}}}", node.text(&[]))),
        ],
        bytes in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        for body in [text.into_bytes(), bytes] {
            let request = Outgoing::new(&post(&format!("/x?{query}"), body));
            for dialect in [&*KV, &V2, &ORDERS] {
                let _any = dialect.canonicalise(&request, &MOMENT);
                prop_assert!(dialect.verify(&request).is_err());
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn a_signature_changes_nothing_beside_itself(
        others in prop::collection::btree_map("x[\\PC&&[^\\\\\"]]{0,4}", node(), 0..4),
        there in prop::collection::btree_map(
            prop::sample::select(&SIGNATURE[..]), Just(Node::Raw("\"before\"".into())), 0..4),
        turn in 0_usize..20,
        spaces in prop::collection::vec("[ \t\r\n]{0,3}", 1..5),
    ) {
        let order: BTreeMap<String, Box<RawValue>> = serde_json::from_str(ORDER).expect("JSON");
        let own = order.into_iter().map(|(name, value)| (name, Node::Raw(value.get().into())));
        let there = there.into_iter().map(|(name, value)| (name.to_owned(), value));
        let mut members: Vec<_> = own.chain(others).chain(there).collect();
        let turn = turn % members.len();
        members.rotate_left(turn);
        let plain = Node::Object(members).text(&spaces);

        let signed = ORDERS.signed(&Outgoing::new(&post("/x", plain.clone().into_bytes())), &MOMENT);
        prop_assert!(ORDERS.verify(&signed).is_ok());
        let mut back = String::from_utf8(signed.body.to_vec()).expect("JSON");
        let found: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&back).expect("JSON");
        for name in SIGNATURE {
            let value = found[name].get();
            let added = format!(",\"{name}\":{value}");
            let new = !plain.contains(&format!("\"{name}\""));
            back = if new { back.replacen(&added, "", 1) } else { back.replacen(value, "\"before\"", 1) };
        }
        prop_assert_eq!(back, plain);
    }
}

/// JSON as somebody might write it.
#[derive(Clone, Debug)]
enum Node {
    Raw(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Node {
    /// With these pieces of white space, in turn, wherever there may be some.
    fn text(&self, spaces: &[String]) -> String {
        let mut turn = spaces.iter().map(String::as_str).cycle();
        let mut out = String::new();
        self.write(&mut || turn.next().unwrap_or_default().to_owned(), &mut out);
        out
    }

    fn write(&self, space: &mut dyn FnMut() -> String, out: &mut String) {
        out.push_str(&space());
        match self {
            Self::Raw(text) => out.push_str(text),
            Self::List(nodes) => {
                out.push('[');
                for (index, node) in nodes.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    node.write(space, out);
                }
                out.push_str(&space());
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, node)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(&format!("{}\"{name}\"{}:", space(), space()));
                    node.write(space, out);
                }
                out.push_str(&space());
                out.push('}');
            }
        }
        out.push_str(&space());
    }
}

fn node() -> impl Strategy<Value = Node> {
    let raw = prop_oneof![
        prop::sample::select(vec![
            "null", "true", "false", "-0", "1e400", "1.50", "\"\"", "\" { \""
        ])
        .prop_map(str::to_owned),
        "[1-9][0-9]{0,40}",
        "\"([a-z \\[{,:]|\\\\\"|\\\\\\\\|\\\\u00[0-9a-fA-F]{2}|\\\\/|é|🔑){0,6}\"",
    ];
    raw.prop_map(Node::Raw).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Node::List),
            prop::collection::vec(("[a-c ]{0,2}", inner), 0..4).prop_map(Node::Object),
        ]
    })
}

fn canonical(
    dialect: &Dialect,
    request: &crate::support::verify::Arrived,
) -> Result<String, TestCaseError> {
    let preimages = dialect.canonicalise(&Outgoing::new(request), &MOMENT);
    let preimages = preimages.map_err(|why| TestCaseError::fail(format!("{why}: {request:?}")))?;
    Ok(String::from_utf8(preimages[0].text.clone()).expect("the text is UTF-8"))
}

fn dialect(params: &[(&str, &str)]) -> Dialect {
    let key = PrivateKey::parse("01".repeat(32).as_bytes(), Some(Algorithm::EDDSA_BABYJUB), None);
    Dialect::with("loopring", &key.expect("a number below the order"), params)
}

static KV: LazyLock<Dialect> = LazyLock::new(|| dialect(&[]));
static V2: LazyLock<Dialect> = LazyLock::new(|| dialect(&[("canonical", "v2")]));
static ORDERS: LazyLock<Dialect> =
    LazyLock::new(|| dialect(&[("canonical", "none"), ("body", "order")]));

const SIGNATURE: [&str; 4] = ["hash", "signatureRx", "signatureRy", "signatureS"];
const ORDER: &str = "{\"exchangeId\":2,\"orderId\":5,\"accountId\":1234,\"tokenSId\":2,\
    \"tokenBId\":3,\"amountS\":\"5000000000000000000\",\"amountB\":\"15000000\",\
    \"allOrNone\":\"false\",\"buy\":\"false\",\"validSince\":1582094327,\
    \"validUntil\":1587278341,\"maxFeeBips\":50,\"label\":211}";
const MOMENT: Moment = Moment { unix_ms: 0, nonce: Nonce::Given(0) };
