//! The rules of a policy, as they are once a table is read: allow lists and ceilings.

use std::collections::{BTreeMap, BTreeSet};

use super::amount::Amount;

/// What is allowed, by the type of the request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::scheme::cobo) struct Rules {
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
    Limited(Box<Limits>),
}

/// Restrictions on signatures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Limits {
    /// Which transactions may be signed; `None` for none.
    pub(super) transactions: Option<Transactions>,
    /// Whether hashes may be signed of which nothing is said at all. Whoever can leave out what
    /// a transaction is about gets past every other restriction then.
    pub(super) blind: bool,
    /// Members that a request may have beside those that nodes are known to send.
    pub(super) allow_members: BTreeSet<String>,
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
    /// The most hashes that are signed for one transaction, by coin; one for all others.
    pub(super) max_hashes: BTreeMap<String, usize>,
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
    /// Whether it may have this value.
    pub(super) fn has(&self, value: Option<&T>) -> bool {
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
    pub(super) units: Amount,
    /// How many of them are ten times each other up to one coin: 8 for BTC, 18 for ETH.
    pub(super) decimals: u8,
}

impl Ceiling {
    /// A ceiling of this many whole coins; `None` if that is no number of smallest units.
    pub(super) fn new(coins: &Amount, decimals: u8) -> Option<Self> {
        let units = coins.scaled(decimals);
        units.is_whole().then_some(Self { units, decimals })
    }
}
