//! `[routes.NAME.decide]`: what a policy allows, as it is written there. What is not written is
//! refused, and what could be meant in two ways is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::super::Policy;
use super::amount::Amount;
use super::rules::{Address, Allowed, Ceiling, KeySign, Limits, Permission, Rules, Transactions};
use crate::document::{Field, Key, Location, Pair, Table, ValueFault, Written, one_of, quoted};

/// Reads the rules of a route.
pub(in crate::scheme::cobo) fn read(table: &mut Table<'_>) -> Arc<dyn Policy> {
    Arc::new(rules(table))
}

fn rules(table: &mut Table<'_>) -> Rules {
    let limited = match table.has_table("keysign") {
        true => table.inner("keysign", limits),
        false => None,
    };
    let mut permission = |name, default| {
        let words = [("allow", Permission::Allow), ("refuse", Permission::Refuse)];
        let found = table.parsed(Key::new(name, KINDS, "\"refuse\""), one_of(&words));
        found.value().copied().unwrap_or(default)
    };
    Rules {
        ping: permission("ping", Permission::Allow),
        keygen: permission("keygen", Permission::Refuse),
        keysign: match limited {
            Some(limits) => KeySign::Limited(Box::new(limits)),
            None => KeySign::Every(permission("keysign", Permission::Refuse)),
        },
        keyreshare: permission("keyreshare", Permission::Refuse),
        keysharesign: permission("keysharesign", Permission::Refuse),
    }
}

const KINDS: &str = "\"allow\", \"refuse\" or, for keysign, a table";

/// `keysign = { … }`, as it is written.
struct Restrictions {
    at: Location,
    coin: Field<Allowed<String>>,
    to_address: Field<Allowed<Address>>,
    operation: Field<Allowed<u32>>,
    transaction_type: Field<Allowed<u32>>,
    /// `None` for `"any"`.
    max_amount: Field<Option<Vec<Pair>>>,
    decimals: Field<Vec<Pair>>,
    max_hashes: Field<Vec<Pair>>,
    blind: Field<bool>,
    allow_members: Field<Vec<Written<String>>>,
}

fn limits(table: &mut Table<'_>, at: Location) -> Limits {
    let max_amount = Key::table("max_amount", "{ ETH = \"1.5\" }");
    let written = Restrictions {
        at,
        coin: allowed(table, Key::list("coin", "[\"ETH\"]"), visible),
        to_address: allowed(table, Key::list("to_address", "[\"0x…\"]"), |text| {
            visible(text).map(|text| Address::new(&text))
        }),
        operation: allowed(table, Key::list("operation", "[\"TRANSFER\"]"), code(&OPERATIONS)),
        transaction_type: allowed(
            table,
            Key::list("transaction_type", "[\"TRANSACTION_FROM_API\"]"),
            code(&TRANSACTION_TYPES),
        ),
        max_amount: if table.has_text("max_amount") {
            table.parsed(max_amount, any).map(|()| None)
        } else {
            table.pairs(max_amount, false).map(Some)
        },
        decimals: table.pairs(Key::table("decimals", "{ ETH = 18 }"), true),
        max_hashes: table.pairs(Key::table("max_hashes", "{ BTC = 20 }"), true),
        blind: table.flag(Key::flag("blind", "true")),
        allow_members: table.list(Key::list("allow_members", "[\"my_field\"]"), visible),
    };
    Resolver(table).limits(&written)
}

/// `"any"`, or a list.
fn allowed<T: Ord>(
    table: &mut Table<'_>,
    key: Key,
    parse: impl Fn(&str) -> Result<T, ValueFault>,
) -> Field<Allowed<T>> {
    if table.has_text(key.name) {
        return table.parsed(key, any).map(|()| Allowed::Any);
    }
    let values = table.list(key, parse);
    values.map(|list| Allowed::Only(list.into_iter().map(|item| item.value).collect()))
}

/// The word in place of a list. It is not offered to who writes another: one value without its
/// brackets is meant to be the only one.
fn any(text: &str) -> Result<(), ValueFault> {
    if text == "any" {
        return Ok(());
    }
    let what = format!("is {}, and must be a list, or \"any\"", quoted(text));
    Err(ValueFault::new(what, ""))
}

/// A text that is compared as it is, so that nothing invisible may be in it.
fn visible(text: &str) -> Result<String, ValueFault> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let what = format!("is {}, and is compared to the letter", quoted(text));
        return Err(ValueFault::new(what, "in visible ASCII without spaces"));
    }
    Ok(text.to_owned())
}

/// A number by its name, or as it is.
fn code(names: &[(&'static str, u32)]) -> impl Fn(&str) -> Result<u32, ValueFault> {
    move |text| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits => Ok(number),
            _ => one_of(names)(text),
        }
    }
}

const OPERATIONS: [(&str, u32); 2] = [("TRANSFER", 100), ("CONTRACT_CALL", 200)];

const TRANSACTION_TYPES: [(&str, u32); 6] = [
    ("TRANSACTION_FROM_WEB", 100),
    ("TRANSACTION_FROM_API", 102),
    ("TRANSACTION_RBF_API_SPEEDUP", 103),
    ("TRANSACTION_RBF_WEB_SPEEDUP", 104),
    ("TRANSACTION_RBF_API_DROP", 105),
    ("TRANSACTION_RBF_WEB_DROP", 106),
];

/// What is written, held together; problems go to the table's report.
struct Resolver<'t, 'd>(&'t Table<'d>);

impl Resolver<'_, '_> {
    fn limits(&self, written: &Restrictions) -> Limits {
        let blind = written.blind.value().copied().unwrap_or(false);
        let members = written.allow_members.value().into_iter().flatten();
        let allow_members = members.map(|member| member.value.clone()).collect();
        let absent = [
            written.coin.is_absent(),
            written.to_address.is_absent(),
            written.operation.is_absent(),
            written.transaction_type.is_absent(),
            written.max_amount.is_absent(),
            written.max_hashes.is_absent(),
        ];
        if blind && absent.iter().all(|absent| *absent) {
            return Limits { transactions: None, blind, allow_members };
        }
        let transactions = Transactions {
            coin: self.allowed(written, "coin", &written.coin),
            to_address: self.allowed(written, "to_address", &written.to_address),
            operation: self.allowed(written, "operation", &written.operation),
            transaction_type: self.allowed(written, "transaction_type", &written.transaction_type),
            max_amount: self.max_amount(written),
            max_hashes: self.max_hashes(written),
        };
        Limits { transactions: Some(transactions), blind, allow_members }
    }

    /// A list; or `"any"`, which must be written, as nothing is allowed in silence.
    fn allowed<T: Clone>(
        &self,
        limits: &Restrictions,
        name: &str,
        field: &Field<Allowed<T>>,
    ) -> Allowed<T> {
        match field {
            Field::Is(Written { value: Allowed::Only(values), at }) if values.is_empty() => {
                let what = format!("decide.keysign.{name} is empty, so no transaction is allowed");
                let fix = format!("fill it, write {name} = \"any\", or keysign = \"refuse\"");
                self.0.report(*at, what, fix);
            }
            Field::Absent(_) => self.missing(limits, name, "[\"…\"]"),
            Field::Is(_) | Field::Unreadable => {}
        }
        field.value().cloned().unwrap_or(Allowed::Only(BTreeSet::new()))
    }

    fn missing(&self, limits: &Restrictions, name: &str, example: &str) {
        let what = format!("decide.keysign does not say which {name} is allowed");
        let fix = format!("write {name} = {example} in it, or {name} = \"any\"");
        self.0.report(limits.at, what, fix);
    }

    fn max_amount(&self, written: &Restrictions) -> Option<BTreeMap<String, Ceiling>> {
        let (pairs, at) = match &written.max_amount {
            Field::Is(Written { value: Some(pairs), at }) => (pairs, *at),
            Field::Absent(_) => {
                self.missing(written, "max_amount", "{ ETH = \"1.5\" }");
                return None;
            }
            Field::Is(_) | Field::Unreadable => return None,
        };
        let decimals = self.decimals(&written.decimals, pairs);
        let ceiling = |pair: &Pair| {
            let decimals = decimals.get(pair.name.as_str()).copied();
            Some((pair.name.clone(), self.ceiling(pair, decimals)?))
        };
        if let Some(Allowed::Only(coins)) = written.coin.value() {
            self.only_coins(coins, pairs, "its ceiling");
            for coin in coins.iter().filter(|coin| !pairs.iter().any(|pair| pair.name == **coin)) {
                let what = format!("decide.keysign.max_amount has no ceiling for {}", quoted(coin));
                self.0.report(at, what, format!("write {coin} = \"1.5\" in it"));
            }
        }
        Some(pairs.iter().filter_map(ceiling).collect())
    }

    /// Reports what is written of a coin that is not allowed.
    fn only_coins(&self, coins: &BTreeSet<String>, pairs: &[Pair], what_it_has: &str) {
        for pair in pairs.iter().filter(|pair| !coins.contains(&pair.name)) {
            let what = format!("decide.keysign.coin does not allow {}", quoted(&pair.name));
            let fix = format!("add it to coin, or remove {what_it_has}");
            self.0.report(pair.name_at, what, fix);
        }
    }

    /// How many hashes a transaction of each coin may have.
    fn max_hashes(&self, written: &Restrictions) -> BTreeMap<String, usize> {
        let mut most = BTreeMap::new();
        let pairs = written.max_hashes.value().map_or(&[][..], Vec::as_slice);
        for Pair { name, value, .. } in pairs {
            let Some(Written { value, at }) = value else { continue };
            match value.parse() {
                Ok(number) if (1..=MOST_HASHES).contains(&number) => {
                    most.insert(name.clone(), number);
                }
                _ => {
                    let (value, coin) = (quoted(value), quoted(name));
                    let what = format!(
                        "decide.keysign.max_hashes has {value} for {coin}, which is no number of hashes"
                    );
                    self.0.report(*at, what, format!("write 1 to {MOST_HASHES}"));
                }
            }
        }
        if let Some(Allowed::Only(coins)) = written.coin.value() {
            self.only_coins(coins, pairs, "its hashes");
        }
        most
    }

    /// How many decimals each coin with a ceiling has.
    fn decimals<'p>(
        &self,
        written: &'p Field<Vec<Pair>>,
        ceilings: &[Pair],
    ) -> BTreeMap<&'p str, u8> {
        let mut decimals = BTreeMap::new();
        let pairs = written.value().map_or(&[][..], Vec::as_slice);
        for pair in pairs {
            let Some(Written { value, at }) = &pair.value else { continue };
            let coin = &pair.name;
            match value.parse() {
                Ok(number) if number <= MOST_DECIMALS => {
                    decimals.insert(coin.as_str(), number);
                }
                _ => {
                    let what = format!(
                        "decide.keysign.decimals has {} for {}, which is no number of decimals",
                        quoted(value),
                        quoted(coin)
                    );
                    let fix = format!("write 0 to {MOST_DECIMALS}: BTC has 8, ETH has 18");
                    self.0.report(*at, what, fix);
                }
            }
        }
        let has = |pairs: &[Pair], name: &str| pairs.iter().any(|pair| pair.name == name);
        for pair in pairs.iter().filter(|pair| !has(ceilings, &pair.name)) {
            let what = format!("decide.keysign.max_amount has no {}", quoted(&pair.name));
            self.0.report(pair.name_at, what, "add its ceiling, or remove its decimals");
        }
        if matches!(written, Field::Unreadable) {
            return decimals;
        }
        for pair in ceilings.iter().filter(|pair| !has(pairs, &pair.name)) {
            let what = format!(
                "decide.keysign.decimals has no {}, and a node writes amounts in the smallest unit",
                quoted(&pair.name)
            );
            let fix = "add decimals = { BTC = 8, ETH = 18 } with what the coin has";
            self.0.report(pair.name_at, what, fix);
        }
        decimals
    }

    fn ceiling(&self, pair: &Pair, decimals: Option<u8>) -> Option<Ceiling> {
        let Written { value, at } = pair.value.as_ref()?;
        let coin = quoted(&pair.name);
        let report = |why: String| {
            let what =
                format!("decide.keysign.max_amount for {coin} is {}: it {why}", quoted(value));
            self.0.report(*at, what, "write whole coins in quotes: \"1.5\"");
        };
        let amount = Amount::parse(value).map_err(|error| report(error.to_string())).ok()?;
        let decimals = decimals?;
        let ceiling = Ceiling::new(&amount, decimals);
        if ceiling.is_none() {
            report(format!("is finer than {coin} with its {decimals} decimals"));
        }
        ceiling
    }
}

/// More than any coin has; 2^256 of its smallest unit has 78 digits.
const MOST_DECIMALS: u8 = 77;

/// Inputs that a Bitcoin transaction has room for, about.
const MOST_HASHES: usize = 4096;

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::super::super::super::Decision;
    use super::*;
    use crate::document::Report;

    /// What is made of a `[decide]`, and every problem.
    fn resolve(text: &str) -> (Rules, Vec<String>) {
        let document = DeTable::parse(text).expect("TOML");
        let report = Report::new(text);
        let rules = Table::root(&report, document.get_ref(), |root| root.table("decide", rules));
        (rules, report.into_errors().iter().map(ToString::to_string).collect())
    }

    fn good(text: &str) -> Rules {
        let (rules, errors) = resolve(text);
        assert_eq!(errors, [""; 0], "{text}");
        rules
    }

    #[test]
    fn nothing_but_a_ping_is_allowed_unless_it_is_written() {
        let rules = Rules {
            ping: Permission::Allow,
            keygen: Permission::Refuse,
            keysign: KeySign::Every(Permission::Refuse),
            keyreshare: Permission::Refuse,
            keysharesign: Permission::Refuse,
        };
        assert_eq!(good("decide = {}"), rules);
        let words = [
            ("ping = \"refuse\"", Rules { ping: Permission::Refuse, ..rules.clone() }),
            ("keygen = \"allow\"", Rules { keygen: Permission::Allow, ..rules.clone() }),
            ("keyreshare = \"allow\"", Rules { keyreshare: Permission::Allow, ..rules.clone() }),
            (
                "keysharesign = \"allow\"",
                Rules { keysharesign: Permission::Allow, ..rules.clone() },
            ),
            (
                "keysign = \"allow\"",
                Rules { keysign: KeySign::Every(Permission::Allow), ..rules.clone() },
            ),
        ];
        for (word, expected) in words {
            assert_eq!(good(&format!("[decide]\n{word}")), expected, "{word}");
        }
    }

    #[test]
    fn restrictions_are_what_is_written() {
        let text = r#"
            [decide.keysign]
            coin = ["ETH", "BTC"]
            to_address = ["0xABcd", "bc1q"]
            operation = ["TRANSFER", "300"]
            transaction_type = "any"
            max_amount = { ETH = "1.50", BTC = "0.1" }
            decimals = { ETH = 18, BTC = 8 }
            max_hashes = { BTC = 20 }
            allow_members = ["my_field"]
        "#;
        let rules = good(text);
        let ceiling = |coins: &str, decimals| {
            let coins = Amount::parse(coins).expect("an amount");
            Ceiling::new(&coins, decimals).expect("whole units")
        };
        let transactions = Transactions {
            coin: Allowed::Only(["ETH".into(), "BTC".into()].into()),
            to_address: Allowed::Only(["0xabcd", "bc1q"].map(Address::new).into()),
            operation: Allowed::Only([100, 300].into()),
            transaction_type: Allowed::Any,
            max_amount: Some(
                [("ETH".into(), ceiling("1.5", 18)), ("BTC".into(), ceiling("0.1", 8))].into(),
            ),
            max_hashes: [("BTC".into(), 20)].into(),
        };
        let allow_members = ["my_field".into()].into();
        let limits = Limits { transactions: Some(transactions), blind: false, allow_members };
        assert_eq!(rules.keysign, KeySign::Limited(Box::new(limits)));
        let blind = good("decide = { keysign = { blind = true } }").keysign;
        let limits = Limits { transactions: None, blind: true, allow_members: [].into() };
        assert_eq!(blind, KeySign::Limited(Box::new(limits)));
    }

    #[test]
    fn restrictions_with_a_problem_allow_nothing_by_accident() {
        let text = r#"
            [decide]
            keysign = { coin = [5], operation = "TRANSFER", max_amount = { ETH = "x" } }
        "#;
        let (rules, errors) = resolve(text);
        assert_eq!(errors.len(), 6, "{errors:#?}");
        let extra = r#"{\"coin\":\"ETH\",\"amount\":\"1\",\"decimal\":18}"#;
        let request = format!(
            r#"{{"request_id":"1","request_type":2,"request_detail":"{{}}","extra_info":"{extra}"}}"#
        );
        let verdict = rules.decide(&request);
        assert_eq!((verdict.decision, verdict.rule), (Decision::Reject, "keysign.coin"));
    }
}
