//! Whether a signature is allowed: what the node says of the transaction, held against the
//! restrictions.
//!
//! Protocol v1 has the members of the transaction flat in `extra_info`. v2 has an object
//! `transaction` of another form, which these rules do not read: they refuse it and say so.

use std::borrow::Cow;

use super::super::super::Verdict;
use super::super::super::json::{self, Object, Value};
use super::amount::Amount;
use super::known;
use super::member::{EXTRA, member, shown, text};
use super::rules::{Address, Allowed, Ceiling, Limits, Transactions};

/// Judges a KeySign request by its `request_detail` and `extra_info`.
pub(super) fn judge(
    limits: &Limits,
    request: &Object<'_>,
    detail: Option<&Object<'_>>,
    extra: Option<&Object<'_>>,
) -> Result<Verdict, Verdict> {
    let detail = detail
        .ok_or_else(|| Verdict::reject("request.detail", "a keysign has no request_detail"))?;
    let verdict = judge_known(limits, detail, extra)?;
    // Last: what is wrong with a member that is known says more.
    known::check(&limits.allow_members, request, detail, extra)?;
    Ok(verdict)
}

/// Judges what is known of a request.
fn judge_known(
    limits: &Limits,
    detail: &Object<'_>,
    extra: Option<&Object<'_>>,
) -> Result<Verdict, Verdict> {
    let Some(extra) = extra.filter(|extra| extra.names().any(|name| !IDS.contains(&name))) else {
        return judge_blind(limits, detail);
    };
    if let Some(name) = extra.names().find(|name| V2.contains(name)) {
        let reason = format!(
            "extra_info has {name}, which is protocol v2: the rules for transactions cannot be \
             applied to it"
        );
        return Err(Verdict::reject("keysign.v2", reason));
    }
    let Some(rules) = &limits.transactions else {
        let reason = "only hashes without a transaction may be signed, and this has one";
        return Err(Verdict::reject("keysign.transaction", reason));
    };
    refuse_ambiguous(extra)?;
    check_coin(rules, extra)?;
    check_code("keysign.operation", &rules.operation, extra, "operation")?;
    let kind = "transaction_type";
    check_code("keysign.transaction_type", &rules.transaction_type, extra, kind)?;
    let payment = Payment::read(extra)?;
    payment.check_addresses(&rules.to_address)?;
    let coin = text("keysign.coin", extra, "coin")?.unwrap_or_default();
    check_hashes(rules.max_hashes.get(coin.as_ref()).copied(), detail)?;
    if let Some(ceilings) = &rules.max_amount {
        let Some(ceiling) = ceilings.get(coin.as_ref()) else {
            let reason = format!("max_amount has no ceiling for the coin {}", shown(&coin));
            return Err(Verdict::reject("keysign.max_amount", reason));
        };
        check_decimal(ceiling, extra)?;
        payment.check_amount(ceiling)?;
    }
    Ok(Verdict::approve("keysign.rules", "the transaction is within every restriction"))
}

/// Judges hashes of which nothing is said.
fn judge_blind(limits: &Limits, detail: &Object<'_>) -> Result<Verdict, Verdict> {
    let rule = "keysign.blind";
    if !limits.blind {
        let reason = "extra_info says nothing of a transaction, and blind is not true";
        return Err(Verdict::reject(rule, reason));
    }
    hashes(rule, detail)?;
    Ok(Verdict::approve(rule, "hashes without a transaction may be signed"))
}

/// How many hashes are to be signed.
fn hashes(rule: &'static str, detail: &Object<'_>) -> Result<usize, Verdict> {
    let hash =
        |item: &&str| matches!(json::value(item), Ok(Value::String(hash)) if !hash.is_empty());
    match member(rule, detail, "msg_hash_list")? {
        Some(Value::Array(hashes)) if !hashes.is_empty() && hashes.iter().all(hash) => {
            Ok(hashes.len())
        }
        _ => Err(Verdict::reject(rule, "msg_hash_list is not a list of hashes")),
    }
}

/// A transaction is one hash, unless its coin has one for each of its inputs: beside what was
/// judged, nothing else is signed.
fn check_hashes(most: Option<usize>, detail: &Object<'_>) -> Result<(), Verdict> {
    let found = hashes(HASHES, detail)?;
    let most = most.unwrap_or(1);
    if found <= most {
        return Ok(());
    }
    let reason = format!(
        "msg_hash_list has {found} hashes, and a transaction of this coin may have {most}: \
         max_hashes says how many"
    );
    Err(Verdict::reject(HASHES, reason))
}

/// Refuses JSON inside `extra_info` that the rules do not use and that has two meanings, or none.
fn refuse_ambiguous(extra: &Object<'_>) -> Result<(), Verdict> {
    for name in ["extra_parameters", "raw_tx_info"] {
        if let Some(Value::String(text)) = member(EXTRA, extra, name)?
            && text.trim_start().starts_with(['{', '['])
            && let Err(error) = json::parse(&text)
        {
            return Err(Verdict::reject(EXTRA, format!("{name} {error}")));
        }
    }
    Ok(())
}

fn check_coin(rules: &Transactions, extra: &Object<'_>) -> Result<(), Verdict> {
    let coin = text("keysign.coin", extra, "coin")?;
    if rules.coin.has(coin.as_deref().map(str::to_owned).as_ref()) {
        return Ok(());
    }
    let reason = match coin {
        Some(coin) => format!("the coin {} is not allowed", shown(&coin)),
        None => "coin is missing".into(),
    };
    Err(Verdict::reject("keysign.coin", reason))
}

/// A member that is one of a few numbers. Written as a string it is none of them.
fn check_code(
    rule: &'static str,
    allowed: &Allowed<u32>,
    extra: &Object<'_>,
    name: &str,
) -> Result<(), Verdict> {
    let (code, reason) = match member(rule, extra, name)? {
        None => (None, format!("{name} is missing")),
        Some(Value::Number(number)) => {
            (number.parse().ok(), format!("{name} {} is not allowed", shown(number)))
        }
        Some(_) => return Err(Verdict::reject(rule, format!("{name} is not a number"))),
    };
    if allowed.has(code.as_ref()) { Ok(()) } else { Err(Verdict::reject(rule, reason)) }
}

/// Amounts are in the smallest unit, so their meaning hangs on how many make a coin. That the
/// request and the configuration agree on it is checked, as it is money that hangs on it.
fn check_decimal(ceiling: &Ceiling, extra: &Object<'_>) -> Result<(), Verdict> {
    let rule = "keysign.decimal";
    let found = match member(rule, extra, "decimal")? {
        None => "0",
        Some(Value::Number(number)) => number,
        Some(_) => return Err(Verdict::reject(rule, "decimal is not a number")),
    };
    let expected = ceiling.decimals.to_string();
    if found == expected {
        return Ok(());
    }
    let reason = format!("decimal is {}, and decimals has {expected} for the coin", shown(found));
    Err(Verdict::reject(rule, reason))
}

/// Who gets how much.
struct Payment<'t> {
    /// The member `to_address`.
    to_address: Option<Cow<'t, str>>,
    /// The member `amount`.
    amount: Option<Amount>,
    details: Vec<Detail>,
}

/// An entry of `to_address_details`.
struct Detail {
    to_address: Option<String>,
    amount: Option<Amount>,
}

impl<'t> Payment<'t> {
    fn read(extra: &Object<'t>) -> Result<Self, Verdict> {
        let to_address = text(ADDRESS, extra, "to_address")?;
        let amount = amount(extra)?;
        let details = match text(DETAILS, extra, "to_address_details")? {
            Some(text) => details(&text)?,
            None => Vec::new(),
        };
        Ok(Self { to_address, amount, details })
    }

    /// Every address must be allowed, and there must be one.
    fn check_addresses(&self, allowed: &Allowed<Address>) -> Result<(), Verdict> {
        let further = self.details.iter().map(|detail| detail.to_address.as_deref());
        // With details, the single address may be left out.
        let single = (self.to_address.is_some() || self.details.is_empty())
            .then_some(self.to_address.as_deref());
        for address in single.into_iter().chain(further) {
            if allowed.has(address.map(Address::new).as_ref()) {
                continue;
            }
            let reason = match address {
                Some(address) => format!("the address {} is not allowed", shown(address)),
                None => "to_address is missing".into(),
            };
            return Err(Verdict::reject(ADDRESS, reason));
        }
        Ok(())
    }

    fn check_amount(&self, ceiling: &Ceiling) -> Result<(), Verdict> {
        let total = self.total()?;
        let units = &ceiling.units;
        if total <= *units {
            return Ok(());
        }
        let reason = format!("{total} of the smallest unit is more than the ceiling of {units}");
        Err(Verdict::reject(AMOUNT, reason))
    }

    /// What the transaction moves, in the smallest unit.
    ///
    /// Beside details, the single amount is their sum or repeats one of them. If it is neither,
    /// nothing says that it is not paid as well, so it is added.
    fn total(&self) -> Result<Amount, Verdict> {
        let missing = || Verdict::reject(AMOUNT, "amount is missing");
        if self.details.is_empty() {
            return self.amount.clone().ok_or_else(missing);
        }
        let mut sum = Amount::default();
        for detail in &self.details {
            sum = sum.plus(detail.amount.as_ref().ok_or_else(missing)?);
        }
        let Some(single) = &self.amount else {
            return Ok(sum);
        };
        let address = self.to_address.as_deref().map(Address::new);
        let repeats = |detail: &Detail| {
            let same_address = detail.to_address.as_deref().map(Address::new) == address;
            same_address && detail.amount.as_ref() == Some(single)
        };
        let counted = *single == sum || self.details.iter().any(repeats);
        Ok(if counted { sum } else { sum.plus(single) })
    }
}

/// The list in `to_address_details`.
fn details(list: &str) -> Result<Vec<Detail>, Verdict> {
    let refuse = |reason: String| Verdict::reject(DETAILS, reason);
    let value = json::parse(list).map_err(|e| refuse(format!("to_address_details {e}")))?;
    let items = match &value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) if items.len() <= MOST_DETAILS => items,
        Value::Array(_) => return Err(refuse("to_address_details is too long".into())),
        Value::Bool | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            return Err(refuse("to_address_details is not a list".into()));
        }
    };
    let read = |item: &&str| {
        let Ok(Value::Object(item)) = json::value(item) else {
            return Err(refuse("to_address_details has an entry that is no object".into()));
        };
        let to_address = text(ADDRESS, &item, "to_address")?.map(Cow::into_owned);
        Ok(Detail { to_address, amount: amount(&item)? })
    };
    items.iter().map(read).collect()
}

/// The member `amount`, a string or a number, in the smallest unit.
fn amount(object: &Object<'_>) -> Result<Option<Amount>, Verdict> {
    let refuse = |reason: String| Verdict::reject(AMOUNT, reason);
    let text = match member(AMOUNT, object, "amount")? {
        None => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text,
        Some(Value::Number(number)) => Cow::Borrowed(number),
        Some(_) => return Err(refuse("amount is neither a string nor a number".into())),
    };
    let amount =
        Amount::parse(&text).map_err(|error| refuse(format!("amount {} {error}", shown(&text))))?;
    if !amount.is_whole() {
        let reason = "and amounts are whole numbers of the smallest unit";
        return Err(refuse(format!("amount is {}, {reason}", shown(&text))));
    }
    Ok(Some(amount))
}

/// Entries of `to_address_details`; a Bitcoin transaction has room for about 3000 outputs.
const MOST_DETAILS: usize = 4096;

/// Members of `extra_info` that say nothing of what is signed.
const IDS: [&str; 2] = ["cobo_id", "api_request_id"];

/// Members of `extra_info` that only protocol v2 has.
const V2: [&str; 5] = ["transaction", "org", "project", "vault", "wallet"];

const HASHES: &str = "keysign.hashes";
const ADDRESS: &str = "keysign.to_address";
const DETAILS: &str = "keysign.to_address_details";
const AMOUNT: &str = "keysign.amount";
