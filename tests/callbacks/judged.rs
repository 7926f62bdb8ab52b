//! What rules do not judge is not approved beside what they do: members of other names, and further
//! hashes.

use serde_json::{Map, Value, json};

use super::rules::lines;
use crate::support::cobo::{Party, ask};
use crate::support::config;
use crate::support::proxy::Proxy;
use crate::support::vectors::{cases, load};

/// Rules that allow what the vectors' node asks, and these lines.
fn rules(lines: &str) -> String {
    let keysign = "[routes.cobo.decide.keysign]\n\
        coin = [\"ETH\"]\n\
        to_address = [\"0x2222222222222222222222222222222222222222\"]\n\
        operation = [\"TRANSFER\"]\n\
        transaction_type = [\"TRANSACTION_FROM_API\"]\n\
        max_amount = { ETH = \"1\" }\n\
        decimals = { ETH = 18 }\n";
    config::proxy(&[config::cobo_rules(&format!("{keysign}{lines}"))])
}

/// The vectors' KeySign with an id of its own: the request, `request_detail` and `extra_info`.
#[derive(Clone)]
struct Asked {
    request: Map<String, Value>,
    detail: Map<String, Value>,
    extra: Map<String, Value>,
}

impl Asked {
    fn of(id: usize) -> Self {
        let vectors = load("cobo");
        let case = cases(&vectors, "requests").iter().find(|case| case["id"] == "keysign");
        let mut request = object(&case.expect("it is there")["app_receives"]["json"]);
        request["request_id"] = json!(format!("r-{id}"));
        let inside = |name: &str| {
            let text = request[name].as_str().expect("a text");
            object(&serde_json::from_str(text).expect("JSON"))
        };
        let (detail, extra) = (inside("request_detail"), inside("extra_info"));
        Self { request, detail, extra }
    }

    /// What the node is told of it.
    fn told(mut self, proxy: &Proxy) -> Value {
        self.request["request_detail"] = json!(Value::Object(self.detail).to_string());
        self.request["extra_info"] = json!(Value::Object(self.extra).to_string());
        let id = self.request["request_id"].as_str().expect("a text").to_owned();
        let token = Party::node().seal(Value::Object(self.request).to_string());
        let reply = ask(proxy.gateway_url(), &format!("TSS_JWT_MSG={token}"));
        let said = Party::server().believer().answer(reply.status, &reply.body, &id);
        said.expect("it is sealed")
    }
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

/// That it was refused by this rule, and is written down so.
fn assert_refused(proxy: &Proxy, what: &str, said: &Value, rule: &str) {
    assert_eq!((&said["status"], &said["action"]), (&json!(0), &json!("REJECT")), "{what}: {said}");
    let error = said["error"].as_str().unwrap_or_default();
    assert!(error.starts_with(&format!("{rule}: ")), "{what}: {said}");
    let line = lines(proxy.home()).pop().expect("a line");
    assert_eq!((&line["rule"], &line["verdict"]), (&json!(rule), &json!("REJECT")), "{line}");
}

#[test]
fn a_member_that_could_name_something_else_is_refused() {
    let proxy = Proxy::start(&rules(""));
    let other = json!("0x3333333333333333333333333333333333333333");
    let mut id = 0;
    let mut next = || {
        id += 1;
        Asked::of(id)
    };
    let asked = next();
    for name in ["from_address", "fee", "gas_price", "gas_limit", "note"] {
        assert!(asked.extra.contains_key(name), "{name}");
    }
    assert_eq!(asked.told(&proxy)["action"], "APPROVE");
    for name in [
        "toAddress",
        "To_address_",
        "to_addresses",
        "recipients",
        "destinations",
        "amounts",
        "Value",
        "transactions",
        "raw_tx",
        "hashes",
        "msg_hashes",
    ] {
        let table = [
            ("extra_info", {
                let mut asked = next();
                asked.extra.insert(name.into(), other.clone());
                asked
            }),
            ("request_detail", {
                let mut asked = next();
                asked.detail.insert(name.into(), json!([other]));
                asked
            }),
            ("the request", {
                let mut asked = next();
                asked.request.insert(name.into(), other.clone());
                asked
            }),
            ("extra_info", {
                let mut asked = next();
                asked.extra["note"] = json!([{ name: other }]);
                asked
            }),
        ];
        for (place, asked) in table {
            let said = asked.told(&proxy);
            assert_refused(&proxy, name, &said, "keysign.member");
            let error = said["error"].as_str().unwrap_or_default();
            assert!(error.contains(&format!("{place} has the member \"{name}\"")), "{error}");
            assert!(error.contains("allow_members"), "{error}");
        }
    }
    let mut asked = next();
    let (to, amount) = (&asked.extra["to_address"], &asked.extra["amount"]);
    let entry = json!([{ "to_address": to, "amount": amount, "Recipient": other }]);
    asked.extra.insert("to_address_details".into(), json!(entry.to_string()));
    assert_refused(&proxy, "an entry", &asked.told(&proxy), "keysign.member");
    assert_eq!(next().told(&proxy)["action"], "APPROVE");
}

#[test]
fn a_member_that_the_configuration_names_is_allowed() {
    let proxy = Proxy::start(&rules("allow_members = [\"my_field\"]\n"));
    let asked = |id, name: &str, value: Value| {
        let mut asked = Asked::of(id);
        asked.extra.insert(name.into(), value);
        asked.told(&proxy)
    };
    assert_eq!(asked(1, "my_field", json!("x"))["action"], "APPROVE");
    assert_refused(&proxy, "case", &asked(2, "My_Field", json!("x")), "keysign.member");
    let inside = json!({ "to_address": "x" });
    assert_refused(&proxy, "inside", &asked(3, "my_field", inside), "keysign.member");
}

#[test]
fn a_transaction_is_signed_by_one_hash_unless_a_rule_says_how_many() {
    let hashes = |proxy: &Proxy, id, count: usize| {
        let mut asked = Asked::of(id);
        let list: Vec<String> = (0..count).map(|n| format!("{n:064x}")).collect();
        asked.detail["msg_hash_list"] = json!(list);
        asked.told(proxy)
    };
    let proxy = Proxy::start(&rules(""));
    assert_eq!(hashes(&proxy, 1, 1)["action"], "APPROVE");
    for (id, count) in [(2, 0), (3, 2)] {
        assert_refused(&proxy, "hashes", &hashes(&proxy, id, count), "keysign.hashes");
    }
    proxy.reload(&rules("max_hashes = { ETH = 3 }\n"), true);
    assert_eq!(hashes(&proxy, 4, 3)["action"], "APPROVE");
    assert_refused(&proxy, "too many", &hashes(&proxy, 5, 4), "keysign.hashes");
    proxy.reload(&rules("max_hashes = { ETH = 0 }\n"), false);
    proxy.await_output(
        "decide.keysign.max_hashes has \"0\" for \"ETH\", which is no number of hashes",
    );
    proxy.reload(&rules("max_hashes = { BTC = 3 }\n"), false);
    proxy.await_output("decide.keysign.coin does not allow \"BTC\"");
}
