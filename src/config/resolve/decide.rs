//! Rules in place of a service: that they say what they restrict, and fit their route.

use std::collections::{BTreeMap, BTreeSet};

use super::{Resolver, or};
use crate::config::file;
use crate::config::{Decide, DecideMode};
use crate::decide::{Allowed, Amount, Ceiling, KeySign, Limits, Permission, Rules, Transactions};
use crate::document::{Field, Pair, Written, quoted};
use crate::scheme::REGISTRY;

impl Resolver<'_> {
    pub(super) fn decide(&self, name: &str, route: &file::Route) -> Option<Decide> {
        let written = route.decide.as_ref()?;
        self.check_scheme(route, written);
        self.check_mode(name, route, written);
        let keysign = match &written.keysign {
            file::KeySign::Every(word) => KeySign::Every(or(word, Permission::Refuse)),
            file::KeySign::Limited(limits) => KeySign::Limited(self.limits_of(limits)),
        };
        let rules = Rules {
            ping: or(&written.ping, Permission::Allow),
            keygen: or(&written.keygen, Permission::Refuse),
            keysign,
            keyreshare: or(&written.keyreshare, Permission::Refuse),
            keysharesign: or(&written.keysharesign, Permission::Refuse),
        };
        Some(Decide {
            mode: or(&written.mode, DecideMode::Enforce),
            audit: self.directory.join(written.audit.value()?),
            rules,
            at: written.at,
        })
    }

    fn check_scheme(&self, route: &file::Route, written: &file::Decide) {
        let Some(scheme) = route.scheme.value().filter(|scheme| !scheme.is_envelope()) else {
            return;
        };
        let others = REGISTRY.iter().filter(|entry| entry.is_envelope()).map(|entry| entry.name);
        let others: Vec<&str> = others.collect();
        let fix = match others.as_slice() {
            [] => "remove it".to_owned(),
            names => format!("remove it, or use the scheme {}", names.join(" or ")),
        };
        let what = format!("decide is for schemes that answer, and {} does not", scheme.name);
        self.report.add(written.at, what, fix);
    }

    /// Rules that answer have nobody to ask; rules that only watch need somebody who answers.
    fn check_mode(&self, name: &str, route: &file::Route, written: &file::Decide) {
        match (mode(written), &route.upstream) {
            (Some(DecideMode::Enforce), Field::Is(Written { at, .. })) => {
                let what = "the rules in decide answer, so nothing is ever sent to upstream";
                let fix = format!(
                    "remove upstream, or write mode = \"shadow\" below [routes.{name}.decide]"
                );
                self.report.add(*at, what, fix);
            }
            (Some(DecideMode::Shadow), Field::Absent) => {
                let what =
                    "with mode = \"shadow\" a service answers, and the route has no upstream";
                let fix = format!("write upstream = \"name\" below [routes.{name}]");
                self.report.add(written.at, what, fix);
            }
            _ => {}
        }
    }

    fn limits_of(&self, written: &file::SignLimits) -> Limits {
        let blind = or(&written.blind, false);
        let absent = [
            written.coin.is_absent(),
            written.to_address.is_absent(),
            written.operation.is_absent(),
            written.transaction_type.is_absent(),
            written.max_amount.is_absent(),
        ];
        if blind && absent.iter().all(|absent| *absent) {
            return Limits { transactions: None, blind };
        }
        let transactions = Transactions {
            coin: self.allowed(written, "coin", &written.coin),
            to_address: self.allowed(written, "to_address", &written.to_address),
            operation: self.allowed(written, "operation", &written.operation),
            transaction_type: self.allowed(written, "transaction_type", &written.transaction_type),
            max_amount: self.max_amount(written),
        };
        Limits { transactions: Some(transactions), blind }
    }

    /// A list; or `"any"`, which must be written, as nothing is allowed in silence.
    fn allowed<T: Clone>(
        &self,
        limits: &file::SignLimits,
        name: &str,
        field: &Field<Allowed<T>>,
    ) -> Allowed<T> {
        match field {
            Field::Is(Written { value: Allowed::Only(values), at }) if values.is_empty() => {
                let what = format!("decide.keysign.{name} is empty, so no transaction is allowed");
                let fix = format!("fill it, write {name} = \"any\", or keysign = \"refuse\"");
                self.report.add(*at, what, fix);
            }
            Field::Absent => self.missing(limits, name, "[\"…\"]"),
            Field::Is(_) | Field::Unreadable => {}
        }
        or(field, Allowed::Only(BTreeSet::new()))
    }

    fn missing(&self, limits: &file::SignLimits, name: &str, example: &str) {
        let what = format!("decide.keysign does not say which {name} is allowed");
        let fix = format!("write {name} = {example} in it, or {name} = \"any\"");
        self.report.add(limits.at, what, fix);
    }

    fn max_amount(&self, written: &file::SignLimits) -> Option<BTreeMap<String, Ceiling>> {
        let (pairs, at) = match &written.max_amount {
            Field::Is(Written { value: Some(pairs), at }) => (pairs, *at),
            Field::Absent => {
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
            for pair in pairs.iter().filter(|pair| !coins.contains(&pair.name)) {
                let what = format!("decide.keysign.coin does not allow {}", quoted(&pair.name));
                let fix = "add it to coin, or remove its ceiling";
                self.report.add(pair.name_at, what, fix);
            }
            for coin in coins.iter().filter(|coin| !pairs.iter().any(|pair| pair.name == **coin)) {
                let what = format!("decide.keysign.max_amount has no ceiling for {}", quoted(coin));
                self.report.add(at, what, format!("write {coin} = \"1.5\" in it"));
            }
        }
        Some(pairs.iter().filter_map(ceiling).collect())
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
                    self.report.add(*at, what, fix);
                }
            }
        }
        let has = |pairs: &[Pair], name: &str| pairs.iter().any(|pair| pair.name == name);
        for pair in pairs.iter().filter(|pair| !has(ceilings, &pair.name)) {
            let what = format!("decide.keysign.max_amount has no {}", quoted(&pair.name));
            self.report.add(pair.name_at, what, "add its ceiling, or remove its decimals");
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
            self.report.add(pair.name_at, what, fix);
        }
        decimals
    }

    fn ceiling(&self, pair: &Pair, decimals: Option<u8>) -> Option<Ceiling> {
        let Written { value, at } = pair.value.as_ref()?;
        let coin = quoted(&pair.name);
        let report = |why: String| {
            let what =
                format!("decide.keysign.max_amount for {coin} is {}: it {why}", quoted(value));
            self.report.add(*at, what, "write whole coins in quotes: \"1.5\"");
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

/// Whether a service is asked, too.
pub(super) fn asks(written: &file::Decide) -> bool {
    mode(written) == Some(DecideMode::Shadow)
}

/// The mode, where it can be read.
fn mode(written: &file::Decide) -> Option<DecideMode> {
    match &written.mode {
        Field::Absent => Some(DecideMode::Enforce),
        Field::Unreadable => None,
        Field::Is(written) => Some(written.value),
    }
}

/// More than any coin has; 2^256 of its smallest unit has 78 digits.
const MOST_DECIMALS: u8 = 77;

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::decide::{Action, Address};
    use crate::document::Report;

    /// What is made of a `[routes.r.decide]`, and every problem but that no scheme has one.
    fn resolve(text: &str) -> (Option<Decide>, Vec<String>) {
        let text = format!("[routes.r]\nscheme = \"metasv\"\n{text}");
        let report = Report::new(&text);
        let file = file::read(&report).expect("TOML");
        let resolver =
            Resolver { file: &file, report: &report, directory: Path::new("/etc/countersign") };
        let decide = resolver.decide("r", &file.routes["r"]);
        let mut errors: Vec<String> =
            report.into_errors().iter().map(ToString::to_string).collect();
        errors.retain(|error| !error.contains("decide is for schemes that answer"));
        (decide, errors)
    }

    fn good(text: &str) -> Decide {
        let (decide, errors) = resolve(text);
        assert_eq!(errors, [""; 0], "{text}");
        decide.expect("rules")
    }

    #[test]
    fn nothing_but_a_ping_is_allowed_unless_it_is_written() {
        let decide = good("decide = { audit = \"audit.jsonl\" }");
        let rules = Rules {
            ping: Permission::Allow,
            keygen: Permission::Refuse,
            keysign: KeySign::Every(Permission::Refuse),
            keyreshare: Permission::Refuse,
            keysharesign: Permission::Refuse,
        };
        assert_eq!((decide.mode, &decide.rules), (DecideMode::Enforce, &rules));
        assert_eq!(decide.audit, PathBuf::from("/etc/countersign/audit.jsonl"));
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
            let text = format!("[routes.r.decide]\naudit = \"/var/log/a\"\n{word}");
            let decide = good(&text);
            assert_eq!(decide.rules, expected, "{word}");
            assert_eq!(decide.audit, PathBuf::from("/var/log/a"));
        }
    }

    #[test]
    fn restrictions_are_what_is_written() {
        let text = r#"
            upstream = "u"
            [routes.r.decide]
            mode = "shadow"
            audit = "a"
            [routes.r.decide.keysign]
            coin = ["ETH", "BTC"]
            to_address = ["0xABcd", "bc1q"]
            operation = ["TRANSFER", "300"]
            transaction_type = "any"
            max_amount = { ETH = "1.50", BTC = "0.1" }
            decimals = { ETH = 18, BTC = 8 }
        "#;
        let decide = good(text);
        assert_eq!(decide.mode, DecideMode::Shadow);
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
        };
        let limits = Limits { transactions: Some(transactions), blind: false };
        assert_eq!(decide.rules.keysign, KeySign::Limited(limits));
        let blind = good("decide = { audit = \"a\", keysign = { blind = true } }").rules.keysign;
        assert_eq!(blind, KeySign::Limited(Limits { transactions: None, blind: true }));
    }

    #[test]
    fn restrictions_with_a_problem_allow_nothing_by_accident() {
        let text = r#"
            [routes.r.decide]
            audit = "a"
            keysign = { coin = [5], operation = "TRANSFER", max_amount = { ETH = "x" } }
        "#;
        let (decide, errors) = resolve(text);
        assert_eq!(errors.len(), 6, "{errors:#?}");
        let extra = r#"{\"coin\":\"ETH\",\"amount\":\"1\",\"decimal\":18}"#;
        let request = format!(
            r#"{{"request_id":"1","request_type":2,"request_detail":"{{}}","extra_info":"{extra}"}}"#
        );
        let verdict = decide.expect("rules").rules.decide(&request);
        assert_eq!((verdict.action, verdict.rule), (Action::Reject, "keysign.coin"));
    }
}
