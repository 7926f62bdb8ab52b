//! The policy of callbacks: rules that say whether a key share may be used, without asking
//! anybody. Pure.
//!
//! A TSS node asks before it uses its share: the question is a CallbackRequest in JSON, whose
//! `request_detail` and `extra_info` are JSON texts inside strings. [`Rules::decide`] reads it
//! and answers. What is not expressly allowed is refused; so is what cannot be read, or could
//! be read in two ways.
//!
//! The rules believe the node: they see what it says of a transaction, and do not compute the
//! hash that is signed from it. The fee and what a contract call does are not looked at either,
//! so a ceiling on amounts means little where `CONTRACT_CALL` is allowed.

mod amount;
mod keysign;
mod table;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use amount::Amount;
pub(super) use table::read;

use super::super::json::{self, Object, Value};
use super::super::{Decision, Opened, Policy, Verdict};

/// What is allowed, by the type of the request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Rules {
    /// 0: the node wants to know whether anybody is there.
    pub(super) ping: Permission,
    /// 1: a new key.
    pub(super) keygen: Permission,
    /// 2: a signature.
    pub(super) keysign: KeySign,
    /// 3: new shares of a key.
    pub(super) keyreshare: Permission,
    /// 5: a signature with the key of a share.
    pub(super) keysharesign: Permission,
}

/// Whether requests of a type are allowed as such.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Permission {
    /// All of them.
    Allow,
    /// None.
    Refuse,
}

/// Which signatures are allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum KeySign {
    /// All of them or none.
    Every(Permission),
    /// Those for which this holds.
    Limited(Limits),
}

/// Restrictions on signatures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Limits {
    /// Which transactions may be signed; `None` for none.
    pub(super) transactions: Option<Transactions>,
    /// Whether hashes may be signed of which nothing is said at all. Whoever can leave out what
    /// a transaction is about gets past every other restriction then.
    pub(super) blind: bool,
}

/// Restrictions on transactions; all of them must hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Transactions {
    /// `coin`, exactly as the node writes it.
    pub(super) coin: Allowed<String>,
    /// `to_address`, and every address in `to_address_details`.
    pub(super) to_address: Allowed<Address>,
    /// `operation`: 100 TRANSFER, 200 CONTRACT_CALL.
    pub(super) operation: Allowed<u32>,
    /// `transaction_type`: 100 to 106.
    pub(super) transaction_type: Allowed<u32>,
    /// The most that one transaction may move, by coin; a coin without a ceiling is refused.
    /// `None` where amounts do not matter.
    pub(super) max_amount: Option<BTreeMap<String, Ceiling>>,
}

/// The values a member may have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Allowed<T> {
    /// Any value, and none.
    Any,
    /// One of these. A member that is not there has none of them.
    Only(BTreeSet<T>),
}

impl<T: Ord> Allowed<T> {
    fn has(&self, value: Option<&T>) -> bool {
        match self {
            Self::Any => true,
            Self::Only(values) => value.is_some_and(|value| values.contains(value)),
        }
    }
}

/// An address, compared as exact text. One of `0x` and hex digits is compared without regard to
/// case, which there is a checksum (EIP-55) and no part of the address.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Address(String);

impl Address {
    /// Takes any text for an address.
    pub(super) fn new(text: &str) -> Self {
        let digits = text.strip_prefix("0x").unwrap_or_default();
        let hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        Self(if hex { text.to_ascii_lowercase() } else { text.to_owned() })
    }
}

/// The most of a coin that one transaction may move.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Ceiling {
    /// In the coin's smallest unit, in which a node writes amounts.
    units: Amount,
    /// How many of them are ten times each other up to one coin: 8 for BTC, 18 for ETH.
    decimals: u8,
}

impl Ceiling {
    /// A ceiling of this many whole coins; `None` if that is no number of smallest units.
    fn new(coins: &Amount, decimals: u8) -> Option<Self> {
        let units = coins.scaled(decimals);
        units.is_whole().then_some(Self { units, decimals })
    }
}

impl Verdict {
    fn approve(rule: &'static str, reason: impl Into<String>) -> Self {
        Self { decision: Decision::Approve, rule, reason: reason.into() }
    }

    fn reject(rule: &'static str, reason: impl Into<String>) -> Self {
        Self { decision: Decision::Reject, rule, reason: reason.into() }
    }
}

impl Policy for Rules {
    fn judge(&self, opened: &Opened) -> Verdict {
        self.decide(str::from_utf8(&opened.request).unwrap_or_default())
    }
}

impl Rules {
    /// Judges a CallbackRequest, the JSON text inside a token that was verified.
    fn decide(&self, request: &str) -> Verdict {
        self.verdict(request).unwrap_or_else(|refusal| refusal)
    }

    /// The verdict; a refusal on the way there is an error.
    fn verdict(&self, request: &str) -> Result<Verdict, Verdict> {
        let request = object(REQUEST, "the request", request)?;
        let kind = kind(&request)?;
        check_id(&request, kind)?;
        let detail = member_text(&request, "request_detail")?;
        let detail =
            detail.as_deref().map(|text| object(DETAIL, "request_detail", text)).transpose()?;
        let extra = member_text(&request, "extra_info")?;
        let extra = extra.as_deref().map(|text| object(EXTRA, "extra_info", text)).transpose()?;
        let permission = match (kind, &self.keysign) {
            (Kind::Ping, _) => self.ping,
            (Kind::KeyGen, _) => self.keygen,
            (Kind::KeyReshare, _) => self.keyreshare,
            (Kind::KeyShareSign, _) => self.keysharesign,
            (Kind::KeySign, KeySign::Every(permission)) => *permission,
            (Kind::KeySign, KeySign::Limited(limits)) => {
                return keysign::judge(limits, detail.as_ref(), extra.as_ref());
            }
        };
        let rule = kind.name();
        match permission {
            Permission::Allow => {
                Ok(Verdict::approve(rule, format!("every {rule} request is allowed")))
            }
            Permission::Refuse => Err(Verdict::reject(rule, format!("no {rule} is allowed"))),
        }
    }
}

/// `request_type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Ping,
    KeyGen,
    KeySign,
    KeyReshare,
    KeyShareSign,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::KeyGen => "keygen",
            Self::KeySign => "keysign",
            Self::KeyReshare => "keyreshare",
            Self::KeyShareSign => "keysharesign",
        }
    }
}

/// The type of a request. Only where the member is not there at all it means 0: Go leaves out
/// zeros, and does not write `null` for them.
fn kind(request: &Object<'_>) -> Result<Kind, Verdict> {
    let refuse = |reason: String| Err(Verdict::reject("request.type", reason));
    let written = request.names().any(|name| name == "request_type");
    match member(REQUEST, request, "request_type")? {
        None if !written => Ok(Kind::Ping),
        Some(Value::Number("0")) => Ok(Kind::Ping),
        Some(Value::Number("1")) => Ok(Kind::KeyGen),
        Some(Value::Number("2")) => Ok(Kind::KeySign),
        Some(Value::Number("3")) => Ok(Kind::KeyReshare),
        Some(Value::Number("5")) => Ok(Kind::KeyShareSign),
        Some(Value::Number(other)) => {
            refuse(format!("request_type is {}, which is none of 0, 1, 2, 3, 5", shown(other)))
        }
        _ => refuse("request_type is not a number".into()),
    }
}

/// An approval counts for a request_id, so there must be one. A ping may do without.
fn check_id(request: &Object<'_>, kind: Kind) -> Result<(), Verdict> {
    let refuse = |reason: &str| Err(Verdict::reject("request.id", reason));
    match text(REQUEST, request, "request_id")? {
        None if kind == Kind::Ping => Ok(()),
        None => refuse("request_id is missing"),
        Some(id) if id.len() > LONGEST_ID => refuse("request_id is longer than 256 bytes"),
        Some(_) => Ok(()),
    }
}

/// A text that is a JSON object.
fn object<'t>(rule: &'static str, what: &str, text: &'t str) -> Result<Object<'t>, Verdict> {
    match json::parse(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Verdict::reject(rule, format!("{what} is not a JSON object"))),
        Err(error) => Err(Verdict::reject(rule, format!("{what} {error}"))),
    }
}

/// A member of the request that holds a JSON text; `None` without one.
fn member_text<'t>(request: &Object<'t>, name: &str) -> Result<Option<Cow<'t, str>>, Verdict> {
    text(REQUEST, request, name)
}

/// A member, if it is there and not `null`.
fn member<'t>(
    rule: &'static str,
    object: &Object<'t>,
    name: &str,
) -> Result<Option<Value<'t>>, Verdict> {
    object.member(name).map_err(|_alike| {
        let reason = format!("a member differs from {name} in case only, and readers differ on it");
        Verdict::reject(rule, reason)
    })
}

/// A member that is a string. An empty one counts as missing: it is what Go has for none.
fn text<'t>(
    rule: &'static str,
    object: &Object<'t>,
    name: &str,
) -> Result<Option<Cow<'t, str>>, Verdict> {
    match member(rule, object, name)? {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(_) => Err(Verdict::reject(rule, format!("{name} is not a string"))),
    }
}

/// A value of the request, for a reason: whoever wrote it must not write our log.
fn shown(text: &str) -> String {
    if text.chars().count() > SHOWN {
        return format!("a text of {} characters", text.chars().count());
    }
    format!("\"{}\"", text.escape_default())
}

/// Characters of a value that are shown.
const SHOWN: usize = 64;

/// Bytes of a `request_id`.
const LONGEST_ID: usize = 256;

// Rules that refuse what cannot be read.
const REQUEST: &str = "request.unreadable";
const DETAIL: &str = "request.detail";
const EXTRA: &str = "request.extra";
