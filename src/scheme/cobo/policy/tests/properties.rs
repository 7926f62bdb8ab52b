//! What must hold of every request that is approved, whatever it says.

use std::cell::Cell;

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
    let details = r#"[{"to_address":"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq","amount":"6"}]"#;
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
        "to_addresses",
        "Value",
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
        && !["transaction", "to_addresses", "Value"].iter().any(|name| extra.contains_key(*name))
}

#[test]
fn nothing_is_approved_that_one_restriction_forbids() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 4096,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let approved = Cell::new(0);
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
        let strict = limits(Some(strict), false);
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
        let blind = limits(None, false);
        for rules in [limited(), rules(blind)] {
            for request in [&text, &request(2, &extra), &request(2, &text)] {
                let verdict = rules.decide(request);
                let good = verdict.decision == Decision::Reject || verdict.rule == "ping";
                prop_assert!(good, "{}: {:?}", request, verdict);
            }
        }
    }
}
