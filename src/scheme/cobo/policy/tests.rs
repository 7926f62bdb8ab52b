//! Requests and what the rules say of them.

mod properties;

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
        max_hashes: [("BTC".into(), 3)].into(),
    }
}

fn limits(transactions: Option<Transactions>, blind: bool) -> KeySign {
    KeySign::Limited(Box::new(Limits { transactions, blind, allow_members: [].into() }))
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
    rules(limits(Some(transactions()), false))
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
fn a_transaction_is_one_hash_unless_a_rule_says_how_many() {
    let of = |extra: &Value, hashes: &Value| {
        keysign(extra).replace(r#"[\"00ff\"]"#, &hashes.to_string().replace('"', "\\\""))
    };
    let one_output = bitcoin(&json!([{ "to_address": BOB, "amount": "1" }]));
    let table = [
        (of(&transaction(), &json!(["00ff"])), "+keysign.rules"),
        (of(&transaction(), &json!(["00ff", "ff00"])), "keysign.hashes"),
        (of(&transaction(), &json!(["00ff", "00ff"])), "keysign.hashes"),
        (of(&transaction(), &json!([])), "keysign.hashes"),
        (of(&transaction(), &json!([""])), "keysign.hashes"),
        (of(&transaction(), &json!([["00ff"]])), "keysign.hashes"),
        (of(&transaction(), &json!("00ff")), "keysign.hashes"),
        (of(&transaction(), &Value::Null), "keysign.hashes"),
        (keysign(&transaction()).replace("msg_hash_list", "Msg_Hash_List"), "keysign.hashes"),
        (of(&one_output, &json!(["1", "2", "3"])), "+keysign.rules"),
        (of(&one_output, &json!(["1", "2", "3", "4"])), "keysign.hashes"),
        (of(&one_output, &json!([])), "keysign.hashes"),
    ];
    assert_outcomes(&limited(), &table);
    assert_ne!(table[0].0, table[1].0);
}

#[test]
fn beside_what_was_judged_nothing_else_is_said() {
    let plain = keysign(&transaction());
    let table = [
        (keysign(&changed(&[("toAddress", json!(CAROL))])), "keysign.member"),
        (keysign(&changed(&[("amounts", json!(["9"]))])), "keysign.member"),
        (keysign(&changed(&[("note", json!({ "to_address": CAROL }))])), "keysign.member"),
        (plain.replacen('{', "{\"to_addresses\":[],", 1), "keysign.member"),
        (plain.replace("group_id", "msg_hashes"), "keysign.member"),
        (plain, "+keysign.rules"),
    ];
    assert_outcomes(&limited(), &table);
    let blind = rules(limits(None, true));
    let ids = keysign(&json!({ "cobo_id": "1" }));
    let table = [
        (ids.replace("group_id", "msg_hashes"), "keysign.member"),
        (keysign(&json!({ "cobo_id": { "to_address": CAROL } })), "keysign.member"),
        (ids, "+keysign.blind"),
    ];
    assert_outcomes(&blind, &table);
    let also = Limits {
        transactions: Some(transactions()),
        blind: false,
        allow_members: ["my_field".to_owned()].into(),
    };
    let also = rules(KeySign::Limited(Box::new(also)));
    let table = [
        (keysign(&changed(&[("my_field", json!([1]))])), "+keysign.rules"),
        (keysign(&changed(&[("My_Field", json!(1))])), "keysign.member"),
        (keysign(&changed(&[("my_field", json!({ "amount": 1 }))])), "keysign.member"),
    ];
    assert_outcomes(&also, &table);
}

#[test]
fn a_hash_of_which_nothing_is_said_needs_a_word_of_its_own() {
    let blind = |blind, transactions| rules(limits(transactions, blind));
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
        max_hashes: [].into(),
    };
    let rules = rules(limits(Some(any), false));
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
