//! `[routes.NAME.decide]`: rules that answer in place of a service.

use super::values;
use crate::config::DecideMode;
use crate::decide::{Address, Allowed, Permission};
use crate::document::{Fault, Field, Key, Location, Pair, Table, quoted};

/// What is written there.
#[derive(Debug)]
pub(in crate::config) struct Decide {
    pub(in crate::config) at: Location,
    pub(in crate::config) mode: Field<DecideMode>,
    pub(in crate::config) audit: Field<String>,
    pub(in crate::config) ping: Field<Permission>,
    pub(in crate::config) keygen: Field<Permission>,
    pub(in crate::config) keysign: KeySign,
    pub(in crate::config) keyreshare: Field<Permission>,
    pub(in crate::config) keysharesign: Field<Permission>,
}

/// `keysign`: a word or a table.
#[derive(Debug)]
pub(in crate::config) enum KeySign {
    Every(Field<Permission>),
    Limited(Box<Limits>),
}

/// `keysign = { … }`.
#[derive(Debug)]
pub(in crate::config) struct Limits {
    pub(in crate::config) at: Location,
    pub(in crate::config) coin: Field<Allowed<String>>,
    pub(in crate::config) to_address: Field<Allowed<Address>>,
    pub(in crate::config) operation: Field<Allowed<u32>>,
    pub(in crate::config) transaction_type: Field<Allowed<u32>>,
    /// `None` for `"any"`.
    pub(in crate::config) max_amount: Field<Option<Vec<Pair>>>,
    pub(in crate::config) decimals: Field<Vec<Pair>>,
    pub(in crate::config) blind: Field<bool>,
}

pub(super) fn decide(table: &mut Table<'_>, at: Location) -> Decide {
    let modes = [("enforce", DecideMode::Enforce), ("shadow", DecideMode::Shadow)];
    let mode = table.parsed(Key::string("mode", "\"enforce\""), values::one_of(&modes));
    let audit = Key::string("audit", "\"cobo-audit.jsonl\"");
    let found = table.parsed(audit, values::text);
    let audit = table.require(audit, found);
    let keysign = match table.has_table("keysign") {
        true => table.inner("keysign", limits).map(|limits| KeySign::Limited(Box::new(limits))),
        false => None,
    };
    let mut permission = |name| {
        let words = [("allow", Permission::Allow), ("refuse", Permission::Refuse)];
        table.parsed(Key::word_or_table(name, "\"refuse\""), values::one_of(&words))
    };
    Decide {
        at,
        mode,
        audit,
        ping: permission("ping"),
        keygen: permission("keygen"),
        keysign: keysign.unwrap_or_else(|| KeySign::Every(permission("keysign"))),
        keyreshare: permission("keyreshare"),
        keysharesign: permission("keysharesign"),
    }
}

fn limits(table: &mut Table<'_>, at: Location) -> Limits {
    let max_amount = Key::table("max_amount", "{ ETH = \"1.5\" }");
    Limits {
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
        blind: table.flag(Key::flag("blind", "true")),
    }
}

/// `"any"`, or a list.
fn allowed<T: Ord>(
    table: &mut Table<'_>,
    key: Key,
    parse: impl Fn(&str) -> Result<T, Fault>,
) -> Field<Allowed<T>> {
    if table.has_text(key.name) {
        return table.parsed(key, any).map(|()| Allowed::Any);
    }
    let values = table.list(key, parse);
    values.map(|list| Allowed::Only(list.into_iter().map(|item| item.value).collect()))
}

/// The word in place of a list. It is not offered to who writes another: one value without its
/// brackets is meant to be the only one.
fn any(text: &str) -> Result<(), Fault> {
    if text == "any" {
        return Ok(());
    }
    let what = format!("is {}, and must be a list, or \"any\"", quoted(text));
    Err(Fault::new(what, ""))
}

/// A text that is compared as it is, so that nothing invisible may be in it.
fn visible(text: &str) -> Result<String, Fault> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let what = format!("is {}, and is compared to the letter", quoted(text));
        return Err(Fault::new(what, "in visible ASCII without spaces"));
    }
    Ok(text.to_owned())
}

/// A number by its name, or as it is.
fn code(names: &[(&'static str, u32)]) -> impl Fn(&str) -> Result<u32, Fault> {
    move |text| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits => Ok(number),
            _ => values::one_of(names)(text),
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
