//! Requests and what the rules say of them.

use serde_json::{Map, Value, json};

use super::{amount::Amount, rules::*, *};
use crate::scheme::Decision;

const ALICE: &str = "0x52908400098527886E0F7030069857D2E4169EE7";
const BOB: &str = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq";
const CAROL: &str = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2";

fn amount(text: &str) -> Amount {
    Amount::parse(text).expect("an amount")
}

fn only<T: Ord, const N: usize>(values: [T; N]) -> Allowed<T> {
    Allowed::Only(values.into())
}

fn transactions() -> Transactions {
    let ceiling = |coin: &str, most: &str, decimals| {
        (coin.to_owned(), Ceiling::new(&amount(most), decimals).expect("whole units"))
    };
    Transactions {
        coin: only(["ETH".into(), "BTC".into(), "FREE".into()]),
        to_address: only([ALICE, BOB, CAROL].map(Address::new)),
        operation: only([100]),
        transaction_type: only([100, 102]),
        max_amount: Some([ceiling("ETH", "1.5", 18), ceiling("BTC", "0.1", 8)].into()),
    }
}

fn rules(keysign: KeySign) -> Rules {
    Rules {
        ping: Permission::Allow,
        keygen: Permission::Refuse,
        keysign,
        keyreshare: Permission::Refuse,
        keysharesign: Permission::Refuse,
    }
}

fn limited() -> Rules {
    rules(KeySign::Limited(Limits { transactions: Some(transactions()), blind: false }))
}

/// A transaction that is allowed, to be changed.
fn transaction() -> Value {
    json!({
        "cobo_id": "20240711", "api_request_id": "web_send", "transaction_type": 102,
        "operation": 100, "coin": "ETH", "decimal": 18, "from_address": CAROL,
        "amount": "1500000000000000000", "to_address": ALICE, "fee": 0, "note": "rent",
        "raw_tx_info": "{\"nonce\":1}", "extra_parameters": "",
    })
}

fn bitcoin(details: &Value) -> Value {
    changed(&[
        ("coin", json!("BTC")),
        ("decimal", json!(8)),
        ("to_address", json!("")),
        ("amount", Value::Null),
        ("to_address_details", Value::String(details.to_string())),
    ])
}

fn changed(members: &[(&str, Value)]) -> Value {
    let mut transaction = transaction();
    for (name, value) in members {
        transaction[*name] = value.clone();
    }
    transaction
}

fn without(name: &str) -> Value {
    let mut transaction = transaction();
    let removed = transaction.as_object_mut().and_then(|members| members.shift_remove(name));
    assert!(removed.is_some(), "{name}");
    transaction
}

fn request(kind: u32, extra: &str) -> String {
    let detail = json!({ "group_id": "g", "msg_hash_list": ["00ff"] }).to_string();
    let id = "5e2cbe63";
    json!({ "request_id": id, "request_type": kind, "request_detail": detail, "extra_info": extra })
        .to_string()
}

fn keysign(extra: &Value) -> String {
    request(2, &extra.to_string())
}

/// Says what decided, with a + before it where it approved.
fn outcome(verdict: &Verdict) -> String {
    let sign = if verdict.decision == Decision::Approve { "+" } else { "" };
    assert!(!verdict.reason.is_empty() && verdict.reason.is_ascii(), "{}", verdict.reason);
    assert!(verdict.reason.len() < 300, "{}", verdict.reason);
    format!("{sign}{}", verdict.rule)
}

fn assert_outcomes(rules: &Rules, table: &[(String, &str)]) {
    for (request, expected) in table {
        let verdict = rules.decide(request);
        assert_eq!(outcome(&verdict), *expected, "{request}: {}", verdict.reason);
    }
}

#[test]
fn a_transaction_within_every_restriction_is_approved_and_one_outside_is_not() {
    let wei = |text: &str| changed(&[("amount", json!(text))]);
    let table = [
        (transaction(), "+keysign.rules"),
        // The same address with and without its checksum; other texts are exact.
        (changed(&[("to_address", json!(ALICE.to_lowercase()))]), "+keysign.rules"),
        (changed(&[("to_address", json!(BOB))]), "+keysign.rules"),
        (changed(&[("to_address", json!(BOB.to_uppercase()))]), "keysign.to_address"),
        (changed(&[("to_address", json!(CAROL.to_lowercase()))]), "keysign.to_address"),
        (changed(&[("to_address", json!(ALICE.replace("0x", "0X")))]), "keysign.to_address"),
        (changed(&[("to_address", json!(format!(" {ALICE}")))]), "keysign.to_address"),
        (changed(&[("to_address", json!(format!("{ALICE}\u{200b}")))]), "keysign.to_address"),
        (changed(&[("to_address", json!([ALICE]))]), "keysign.to_address"),
        (changed(&[("to_address", json!(""))]), "keysign.to_address"),
        (without("to_address"), "keysign.to_address"),
        (changed(&[("coin", json!("FREE"))]), "keysign.max_amount"),
        (changed(&[("coin", json!("eth"))]), "keysign.coin"),
        (changed(&[("coin", json!("ETH "))]), "keysign.coin"),
        (changed(&[("coin", json!("\u{395}TH"))]), "keysign.coin"),
        (changed(&[("coin", json!(["ETH"]))]), "keysign.coin"),
        (changed(&[("coin", Value::Null)]), "keysign.coin"),
        (without("coin"), "keysign.coin"),
        (changed(&[("operation", json!(200))]), "keysign.operation"),
        (changed(&[("operation", json!("100"))]), "keysign.operation"),
        (changed(&[("operation", json!(100.0))]), "keysign.operation"),
        (changed(&[("operation", json!(-100))]), "keysign.operation"),
        (changed(&[("operation", json!(4_294_967_396_u64))]), "keysign.operation"),
        (without("operation"), "keysign.operation"),
        (changed(&[("transaction_type", json!(105))]), "keysign.transaction_type"),
        (without("transaction_type"), "keysign.transaction_type"),
        // A lie about the unit makes any amount small.
        (changed(&[("decimal", json!(24))]), "keysign.decimal"),
        (changed(&[("decimal", json!("18"))]), "keysign.decimal"),
        (without("decimal"), "keysign.decimal"),
        (wei("0"), "+keysign.rules"),
        (wei("001500000000000000000.00"), "+keysign.rules"),
        (wei("1500000000000000001"), "keysign.amount"),
        (wei("1.5"), "keysign.amount"),
        (wei("-1"), "keysign.amount"),
        (wei("1e3"), "keysign.amount"),
        (wei(" 1"), "keysign.amount"),
        (wei("\u{661}"), "keysign.amount"),
        (wei(&"9".repeat(101)), "keysign.amount"),
        (wei(""), "keysign.amount"),
        (without("amount"), "keysign.amount"),
        (changed(&[("amount", json!(7))]), "+keysign.rules"),
        (changed(&[("amount", json!(1000.0))]), "+keysign.rules"),
        (changed(&[("amount", json!(1e30))]), "keysign.amount"),
        (changed(&[("amount", json!(true))]), "keysign.amount"),
        (changed(&[("amount", json!(["1"]))]), "keysign.amount"),
        // Members of the second protocol, and names that Go would take for ours.
        (changed(&[("transaction", json!({}))]), "keysign.v2"),
        (json!({ "org": {}, "project": {} }), "keysign.v2"),
        (changed(&[("Amount", json!("9"))]), "keysign.amount"),
        (changed(&[("COIN", json!("DOGE"))]), "keysign.coin"),
        (changed(&[("to_addre\u{17f}s", json!(BOB))]), "keysign.to_address"),
        (changed(&[("raw_tx_info", json!("{\"to\":1,\"to\":2}"))]), "request.extra"),
        (changed(&[("extra_parameters", json!("[".repeat(99)))]), "request.extra"),
        (changed(&[("raw_tx_info", json!("not JSON"))]), "+keysign.rules"),
    ];
    let table = table.map(|(extra, expected)| (keysign(&extra), expected));
    assert_outcomes(&limited(), &table);
}

#[test]
fn every_receiver_and_the_sum_of_what_they_get_count() {
    let to = |address: &str, amount: &str| json!({ "to_address": address, "amount": amount });
    let pair = json!([to(BOB, "4000000"), to(CAROL, "6000000")]);
    let with = |members: &[(&str, Value)]| {
        let mut extra = bitcoin(&pair);
        for (name, value) in members {
            extra[*name] = value.clone();
        }
        extra
    };
    let table = [
        (bitcoin(&pair), "+keysign.rules"),
        (bitcoin(&json!([to(BOB, "4000000"), to(CAROL, "6000001")])), "keysign.amount"),
        (bitcoin(&json!([to(BOB, "1"), to("1Mallory", "1")])), "keysign.to_address"),
        (bitcoin(&json!([to(BOB, "1"), to(CAROL, "1e9")])), "keysign.amount"),
        (bitcoin(&json!([{ "to_address": BOB }])), "keysign.amount"),
        (bitcoin(&json!([{ "amount": "1" }])), "keysign.to_address"),
        (bitcoin(&json!([BOB])), "keysign.to_address_details"),
        (bitcoin(&to(BOB, "1")), "keysign.to_address_details"),
        (bitcoin(&json!([{ "to_address": BOB, "amount": "1", "Amount": "9" }])), "keysign.amount"),
        (bitcoin(&json!(vec![to(BOB, "1"); 4097])), "keysign.to_address_details"),
        (bitcoin(&json!(vec![to(BOB, "1"); 4096])), "+keysign.rules"),
        // Without details the single members must be there.
        (bitcoin(&json!([])), "keysign.to_address"),
        (bitcoin(&Value::Null), "keysign.to_address"),
        (with(&[("to_address_details", pair.clone())]), "keysign.to_address_details"),
        (
            with(&[("to_address_details", json!("[{\"a\":1,\"a\":1}]"))]),
            "keysign.to_address_details",
        ),
        // The single members are the sum, or one of the details, or come on top.
        (with(&[("amount", json!("10000000"))]), "+keysign.rules"),
        (with(&[("amount", json!("4000000")), ("to_address", json!(BOB))]), "+keysign.rules"),
        (with(&[("amount", json!("4000000")), ("to_address", json!(CAROL))]), "keysign.amount"),
        (with(&[("amount", json!("1"))]), "keysign.amount"),
        (with(&[("to_address", json!("1Mallory"))]), "keysign.to_address"),
    ];
    let table = table.map(|(extra, expected)| (keysign(&extra), expected));
    assert_outcomes(&limited(), &table);
}

#[test]
fn a_hash_of_which_nothing_is_said_needs_a_word_of_its_own() {
    let blind = |blind, transactions| rules(KeySign::Limited(Limits { transactions, blind }));
    let ids = json!({ "cobo_id": "1", "api_request_id": "2" });
    let no_hash = keysign(&ids).replace("00ff", "");
    assert!(no_hash.contains(r#"[\"\"]"#), "{no_hash}");
    let said_nothing = [keysign(&ids), keysign(&json!({})), request(2, "")];
    for request in said_nothing {
        assert_outcomes(&limited(), &[(request.clone(), "keysign.blind")]);
        for also in [None, Some(transactions())] {
            assert_outcomes(&blind(true, also), &[(request.clone(), "+keysign.blind")]);
        }
    }
    assert_outcomes(&blind(true, None), &[(no_hash, "keysign.blind")]);
    let said = [
        (keysign(&transaction()), "keysign.transaction"),
        (keysign(&json!({ "raw_tx_hex": "" })), "keysign.transaction"),
        (keysign(&json!({ "transaction": null })), "keysign.v2"),
        (keysign(&json!({ "unheard_of": 1 })), "keysign.transaction"),
    ];
    assert_outcomes(&blind(true, None), &said);
    let partly = [(keysign(&json!({ "raw_tx_hex": "" })), "keysign.coin")];
    assert_outcomes(&blind(true, Some(transactions())), &partly);
}

#[test]
fn what_may_be_anything_may_also_be_missing() {
    let any = Transactions {
        coin: only(["ETH".into()]),
        to_address: Allowed::Any,
        operation: Allowed::Any,
        transaction_type: Allowed::Any,
        max_amount: None,
    };
    let rules = rules(KeySign::Limited(Limits { transactions: Some(any), blind: false }));
    let table = [
        (keysign(&json!({ "coin": "ETH" })), "+keysign.rules"),
        (keysign(&json!({ "coin": "BTC" })), "keysign.coin"),
        // Nobody may have to care, but it must be readable.
        (keysign(&json!({ "coin": "ETH", "amount": "lots" })), "keysign.amount"),
        (keysign(&json!({ "coin": "ETH", "operation": "100" })), "keysign.operation"),
    ];
    assert_outcomes(&rules, &table);
}

#[test]
fn every_type_has_its_own_permission() {
    use Permission::{Allow, Refuse};
    let names =
        [(0, "ping"), (1, "keygen"), (2, "keysign"), (3, "keyreshare"), (5, "keysharesign")];
    for (allowed, name) in names {
        let permission = |own: &str| if own == name { Allow } else { Refuse };
        let rules = Rules {
            ping: permission("ping"),
            keygen: permission("keygen"),
            keysign: KeySign::Every(permission("keysign")),
            keyreshare: permission("keyreshare"),
            keysharesign: permission("keysharesign"),
        };
        for (kind, name) in names {
            let expected = if kind == allowed { format!("+{name}") } else { name.to_owned() };
            assert_eq!(outcome(&rules.decide(&request(kind, "{}"))), expected);
        }
        for kind in [4, 6, 7, 255, 4_294_967_295] {
            assert_outcomes(&rules, &[(request(kind, "{}"), "request.type")]);
        }
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused_before_any_rule() {
    let all = Rules {
        keygen: Permission::Allow,
        keyreshare: Permission::Allow,
        keysharesign: Permission::Allow,
        ..rules(KeySign::Every(Permission::Allow))
    };
    let with = |members: &str| format!("{{\"request_id\":\"1\",{members}}}");
    let deep = "[".repeat(1000);
    let table = [
        ("{}".to_owned(), "+ping"),
        (with(r#""request_type":0,"request_detail":"","extra_info":"""#), "+ping"),
        (r#"{"request_type":1}"#.into(), "request.id"),
        (r#"{"request_type":1,"request_id":7}"#.into(), "request.unreadable"),
        (format!(r#"{{"request_type":1,"request_id":"{}"}}"#, "x".repeat(257)), "request.id"),
        (with(r#""request_type":1"#), "+keygen"),
        (with(r#""request_type":null"#), "request.type"),
        (with(r#""request_type":"2""#), "request.type"),
        (with(r#""request_type":2.0"#), "request.type"),
        (with(r#""request_type":2e0"#), "request.type"),
        (with(r#""request_type":-0"#), "request.type"),
        (with(r#""request_type":1,"request_type":2"#), "request.unreadable"),
        (with(r#""Request_Type":2"#), "request.unreadable"),
        (with(r#""request_type":2,"extra_info":{}"#), "request.unreadable"),
        (with(r#""request_type":2,"extra_info":"[]""#), "request.extra"),
        (with(r#""request_type":2,"extra_info":"{\"a\":1,\"a\":2}""#), "request.extra"),
        (with(r#""request_type":2,"request_detail":"{\"a\":1,\"\\u0061\":2}""#), "request.detail"),
        (with(r#""request_type":2,"request_detail":"nothing""#), "request.detail"),
        (with(&format!("\"request_type\":2,\"x\":{deep}")), "request.unreadable"),
        (with(&format!("\"request_type\":2,\"extra_info\":\"{deep}\"")), "request.extra"),
        ("[]".into(), "request.unreadable"),
        (String::new(), "request.unreadable"),
        (" ".repeat(2 << 20), "request.unreadable"),
    ];
    assert_outcomes(&all, &table);
}

#[test]
fn reasons_show_short_values_escaped() {
    let table = [
        (json!("D\nO\"\u{1b}[31m"), r#"the coin "D\nO\"\u{1b}[31m" is not allowed"#),
        (json!("\u{395}TH"), r#"the coin "\u{395}TH" is not allowed"#),
        (json!("x".repeat(65)), "the coin a text of 65 characters is not allowed"),
    ];
    for (coin, reason) in table {
        let verdict = limited().decide(&keysign(&changed(&[("coin", coin)])));
        assert_eq!((verdict.rule, verdict.reason.as_str()), ("keysign.coin", reason));
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Values as an attacker would choose them: allowed ones, nearly allowed ones, nonsense.
    fn hostile() -> impl Strategy<Value = Value> {
        let texts = [
            "ETH",
            "BTC",
            "eth",
            "",
            "100",
            "0",
            "1",
            "1500000000000000000",
            "10000000",
            "10000001",
            "1e1",
            ALICE,
            BOB,
            "1Mallory",
            "[]",
            "{}",
            "[{}]",
            "null",
        ];
        let details =
            r#"[{"to_address":"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq","amount":"6"}]"#;
        prop_oneof![
            8 => prop::sample::select(texts.to_vec()).prop_map(Value::from),
            2 => Just(Value::from(details)),
            4 => prop::sample::select(vec![0, 8, 18, 100, 102, 200]).prop_map(Value::from),
            1 => any::<i64>().prop_map(Value::from),
            1 => any::<f64>().prop_map(Value::from),
            1 => any::<String>().prop_map(Value::from),
            1 => Just(Value::Null),
        ]
    }

    fn extra() -> impl Strategy<Value = Map<String, Value>> {
        let names = [
            "coin",
            "amount",
            "decimal",
            "to_address",
            "to_address_details",
            "operation",
            "transaction_type",
            "raw_tx_info",
            "transaction",
            "note",
        ];
        let change = (prop::sample::select(names.to_vec()), prop::option::weighted(0.8, hostile()));
        (any::<bool>(), prop::collection::vec(change, 0..4)).prop_map(|(bitcoin_like, changes)| {
            let base = if bitcoin_like {
                bitcoin(&json!([{ "to_address": BOB, "amount": "7" }]))
            } else {
                transaction()
            };
            let Value::Object(mut members) = base else { panic!("an object") };
            for (name, value) in changes {
                match value {
                    Some(value) => drop(members.insert(name.to_owned(), value)),
                    None => drop(members.shift_remove(name)),
                }
            }
            members
        })
    }

    /// What must hold of everything that is approved, in other words than those of the rules.
    fn permitted(extra: &Map<String, Value>) -> bool {
        let text = |name: &str| extra.get(name).and_then(Value::as_str).unwrap_or_default();
        let (decimals, most) = match text("coin") {
            "ETH" => (18, 1_500_000_000_000_000_000),
            "BTC" => (8, 10_000_000),
            _ => return false,
        };
        let address = |text: &str| text.eq_ignore_ascii_case(ALICE) || text == BOB || text == CAROL;
        let details: Vec<Value> = serde_json::from_str::<Option<_>>(text("to_address_details"))
            .ok()
            .flatten()
            .unwrap_or_default();
        let units = |value: Option<&Value>| {
            let text = match value {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                _ => return 0,
            };
            // 7.0 is how a float that is 7 writes itself.
            let whole = text.strip_suffix(".0").unwrap_or(&text);
            if text.is_empty() { 0 } else { whole.parse::<u128>().unwrap_or(u128::MAX) }
        };
        let each = details.iter().map(|detail| units(detail.get("amount")));
        let sum = each.fold(0, u128::saturating_add);
        let to = text("to_address");
        extra.get("decimal").and_then(Value::as_u64) == Some(decimals)
            && extra.get("operation").and_then(Value::as_u64) == Some(100)
            && matches!(extra.get("transaction_type").and_then(Value::as_u64), Some(100 | 102))
            && units(extra.get("amount")) <= most
            && sum <= most
            && (address(to) || to.is_empty() && !details.is_empty())
            && details.iter().all(|d| d["to_address"].as_str().is_some_and(address))
            && !extra.contains_key("transaction")
    }

    #[test]
    fn nothing_is_approved_that_one_restriction_forbids() {
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases: 4096,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let approved = std::cell::Cell::new(0);
        let run = runner.run(&extra(), |extra| {
            let verdict = limited().decide(&keysign(&Value::Object(extra.clone())));
            if verdict.decision == Decision::Approve {
                approved.set(approved.get() + 1);
                prop_assert!(permitted(&extra), "{:?}", extra);
            }
            Ok(())
        });
        run.unwrap_or_else(|error| panic!("{error}"));
        assert!(approved.get() > 300, "only {} were approved", approved.get());
    }

    proptest! {
        /// Taking an allowed value away approves nothing that was refused.
        #[test]
        fn a_stricter_rule_approves_no_more(extra in extra(), which in 0..5) {
            let mut strict = transactions();
            match which {
                0 => strict.coin = only(["BTC".into()]),
                1 => strict.to_address = only([Address::new(BOB)]),
                2 => strict.operation = only([]),
                3 => strict.transaction_type = only([100]),
                _ => {
                    let ceiling = Ceiling::new(&amount("0.00000001"), 8).expect("one unit");
                    strict.max_amount = Some([("BTC".to_owned(), ceiling)].into());
                }
            }
            let strict = KeySign::Limited(Limits { transactions: Some(strict), blind: false });
            let request = keysign(&Value::Object(extra));
            if rules(strict).decide(&request).decision == Decision::Approve {
                prop_assert_eq!(limited().decide(&request).decision, Decision::Approve);
            }
        }

        #[test]
        fn no_text_panics_or_is_taken_for_a_good_transaction(
            text in r#"([\[\]{},:"\\ ]|"request_type"|"extra_info"|"request_id"|[0-9]|\PC){0,40}"#,
            extra in any::<String>(),
        ) {
            let blind = KeySign::Limited(Limits { transactions: None, blind: false });
            for rules in [limited(), rules(blind)] {
                for request in [&text, &request(2, &extra), &request(2, &text)] {
                    let verdict = rules.decide(request);
                    let good = verdict.decision == Decision::Reject || verdict.rule == "ping";
                    prop_assert!(good, "{}: {:?}", request, verdict);
                }
            }
        }
    }
}
