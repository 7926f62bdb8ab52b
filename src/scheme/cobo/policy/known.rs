//! Members that nodes are known to send. Rules judge some of them; a member of another name could
//! name another recipient, amount, transaction or list of hashes, and no list of such names is ever
//! whole. So what is not known is refused, however it is spelt, unless `allow_members` has it.

use std::collections::BTreeSet;

use super::super::super::Verdict;
use super::super::super::json::{self, Object, Value};
use super::member::{EXTRA, member, shown};

/// Refuses members that are neither known nor in `also`: of the request, of its `request_detail`, and
/// of its `extra_info` with the JSON in it that is read; at any depth.
///
/// # Errors
///
/// The verdict, which names the first such member.
pub(super) fn check(
    also: &BTreeSet<String>,
    request: &Object<'_>,
    detail: &Object<'_>,
    extra: Option<&Object<'_>>,
) -> Result<(), Verdict> {
    REQUEST.check(also, request)?;
    DETAIL.check(also, detail)?;
    let Some(extra) = extra else { return Ok(()) };
    EXTRA_INFO.check(also, extra)?;
    for place in [&TO_ADDRESS_DETAILS, &EXTRA_PARAMETERS] {
        let Some(Value::String(text)) = member(EXTRA, extra, place.name)? else { continue };
        // A text that is no JSON has no members; where it must be JSON, that has been refused.
        let Ok(value) = json::parse(&text) else { continue };
        place.refuse(place.inside(also, &value, place.members))?;
    }
    Ok(())
}

/// A JSON text of a request, and what may be in it.
struct Place {
    name: &'static str,
    /// Of the text's own object.
    members: &'static [&'static str],
    /// Of the objects in its values.
    below: &'static [&'static str],
}

impl Place {
    fn check(&self, also: &BTreeSet<String>, object: &Object<'_>) -> Result<(), Verdict> {
        self.refuse(self.unknown(also, object, self.members))
    }

    fn refuse(&self, unknown: Option<String>) -> Result<(), Verdict> {
        let Some(name) = unknown else { return Ok(()) };
        let reason = format!(
            "{} has the member {}, which could name another recipient, amount, transaction or hash; \
             if it does not, add it to allow_members",
            self.name,
            shown(&name)
        );
        Err(Verdict::reject("keysign.member", reason))
    }

    /// The first member of an object, or of one inside it, that is not known.
    fn unknown(
        &self,
        also: &BTreeSet<String>,
        object: &Object<'_>,
        known: &[&str],
    ) -> Option<String> {
        object.members.iter().find_map(|found| {
            if !known.contains(&found.name.as_str()) && !also.contains(&found.name) {
                return Some(found.name.clone());
            }
            self.inside(also, &json::value(found.value).ok()?, self.below)
        })
    }

    fn inside(&self, also: &BTreeSet<String>, value: &Value<'_>, known: &[&str]) -> Option<String> {
        match value {
            Value::Object(object) => self.unknown(also, object, known),
            Value::Array(items) => {
                items.iter().find_map(|item| self.inside(also, &json::value(item).ok()?, known))
            }
            Value::Null | Value::Bool | Value::Number(_) | Value::String(_) => None,
        }
    }
}

/// A CallbackRequest. With `payload = "flat"` it is a token's claims (RFC 7519, section 4.1).
const REQUEST: Place = Place {
    name: "the request",
    members: &[
        "request_id",
        "request_type",
        "request_detail",
        "extra_info",
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
    ],
    below: &[],
};

/// `request_detail` of a KeySign; protocol v2 adds `biz_task_id`.
const DETAIL: Place = Place {
    name: "request_detail",
    members: &[
        "group_id",
        "root_pub_key",
        "used_node_ids",
        "bip32_path_list",
        "msg_hash_list",
        "tweak_list",
        "signature_type",
        "tss_protocol",
        "task_id",
        "biz_task_id",
    ],
    below: &[],
};

/// `extra_info` of a KeySign in protocol v1.
const EXTRA_INFO: Place = Place {
    name: "extra_info",
    members: &[
        "cobo_id",
        "api_request_id",
        "transaction_type",
        "operation",
        "coin",
        "decimal",
        "from_address",
        "amount",
        "to_address",
        "to_address_details",
        "fee",
        "gas_price",
        "gas_limit",
        "extra_parameters",
        "replace_cobo_id",
        "api_key",
        "spender",
        "operator",
        "custody_wallet_name",
        "gas_station_child_id",
        "raw_tx_hex",
        "note",
        "raw_tx_info",
    ],
    below: &[],
};

/// A list of those who receive.
const TO_ADDRESS_DETAILS: Place =
    Place { name: "to_address_details", members: &["to_address", "amount"], below: &[] };

/// Which coins are spent.
const EXTRA_PARAMETERS: Place = Place {
    name: "extra_parameters",
    members: &["inputs_to_spend", "inputs_to_exclude"],
    below: &["tx_hash", "vout_n"],
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The rule that refuses, for a request with this JSON in one of its places.
    fn refused(place: &str, text: &str, also: &[&str]) -> bool {
        let also = also.iter().map(|name| (*name).to_owned()).collect();
        let object = |name: &str| if name == place { text.to_owned() } else { "{}".to_owned() };
        let texts = ["request", "detail", "extra"].map(object);
        let [request, detail, mut extra] = texts;
        if !["request", "detail", "extra"].contains(&place) {
            extra = json!({ place: text }).to_string();
        }
        let parse = |text| match json::parse(text) {
            Ok(Value::Object(object)) => object,
            other => panic!("{other:?}"),
        };
        let found = check(&also, &parse(&request), &parse(&detail), Some(&parse(&extra)));
        found.is_err_and(|verdict| {
            assert_eq!(verdict.rule, "keysign.member", "{}", verdict.reason);
            true
        })
    }

    /// What could name another recipient, amount, transaction or list of hashes.
    const OTHERS: &[&str] = &[
        "toAddress",
        "To_Address",
        "TO_ADDRESS",
        "to-address",
        "toaddress",
        "to_addresses",
        "toAddresses",
        "to_address_detail",
        "toAddressDetails",
        "to_addre\u{17f}s",
        "t\u{43e}_address",
        "to_address ",
        "address",
        "addresses",
        "to",
        "recipient",
        "recipients",
        "Receiver",
        "receivers",
        "destination",
        "destinations",
        "payee",
        "beneficiaries",
        "output",
        "outputs",
        "vout",
        "Amount",
        "amounts",
        "amount_",
        "total_amount",
        "value",
        "Value",
        "values",
        "quantity",
        "transaction",
        "Transactions",
        "transactions",
        "tx",
        "txs",
        "raw_tx",
        "rawTx",
        "RawTxHex",
        "raw_transaction",
        "call_data",
        "hash",
        "hashes",
        "msg_hash",
        "msg_hashes",
        "msgHashList",
        "MSG_HASH_LIST",
        "msg_hash_lists",
        "message",
        "messages",
        "digests",
        "details",
        "meta",
        "coins",
        "decimals",
        "operations",
        "extraInfo",
        "request_details",
        "",
    ];

    #[test]
    fn what_is_not_known_is_refused_in_every_place_and_at_every_depth() {
        for name in OTHERS {
            let known = |place| format!("\"{name}\" in {place}");
            let written = json!({ *name: "x" }).to_string();
            for place in ["request", "detail", "extra", "extra_parameters"] {
                assert!(refused(place, &written, &[]), "{}", known(place));
                assert!(!refused(place, &written, &[name]), "allowed: {}", known(place));
            }
            let entry = json!([{ "to_address": "a", "amount": "1", *name: "x" }]).to_string();
            assert!(refused("to_address_details", &entry, &[]), "{}", known("an entry"));
            let input = json!({ "inputs_to_spend": [{ "tx_hash": "a", *name: "x" }] }).to_string();
            assert!(refused("extra_parameters", &input, &[]), "{}", known("an input"));
        }
    }

    #[test]
    fn a_member_that_is_known_has_no_members_of_its_own() {
        for (place, name) in [("extra", "note"), ("extra", "fee"), ("detail", "task_id")] {
            for inside in [json!({ "to_address": "x" }), json!([[{ "amount": 1 }]])] {
                let written = json!({ name: inside }).to_string();
                assert!(refused(place, &written, &[]), "{written}");
                // An exemption is for a name, not for what is inside.
                assert!(refused(place, &written, &[name]), "{written}");
                assert!(!refused(place, &written, &["to_address", "amount"]), "{written}");
            }
        }
        let own = json!({ "my_field": { "to_address": "x" } }).to_string();
        assert!(refused("extra", &own, &["my_field"]));
    }

    #[test]
    fn what_nodes_send_is_allowed() {
        for (place, known) in [("request", &REQUEST), ("detail", &DETAIL), ("extra", &EXTRA_INFO)] {
            for name in known.members {
                for value in [json!("x"), json!(1), json!(null), json!(["x", ""])] {
                    assert!(!refused(place, &json!({ *name: value }).to_string(), &[]), "{name}");
                }
            }
        }
        let inputs = json!([{ "tx_hash": "a", "vout_n": 0 }]);
        let both = json!({ "inputs_to_spend": inputs, "inputs_to_exclude": [] }).to_string();
        for (place, text) in [
            ("extra_parameters", both.as_str()),
            ("extra_parameters", ""),
            ("extra_parameters", "to_address"),
            ("to_address_details", r#"[{"to_address":"a","amount":"1"},{"to_address":"b"}]"#),
            ("raw_tx_info", r#"{"nonce":1,"to":"x"}"#),
        ] {
            assert!(!refused(place, text, &[]), "{place}: {text}");
        }
    }
}
