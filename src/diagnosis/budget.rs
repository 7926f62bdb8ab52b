//! How much a search may cost: half a second of one core, counted and not measured.

use crate::keys::Algorithm;

/// Work that is left, in microseconds.
#[derive(Debug)]
pub(super) struct Budget(u32);

/// Of one request, whatever it is.
const MOST: u32 = 500_000;

/// What a verification costs, in microseconds, by the names of algorithms; measured on one core of
/// 2020 and rounded up.
const COSTS: &[(&str, u32)] = &[
    ("ecdsa_p256", 70),
    ("ecdsa_secp256k1", 70),
    ("ed25519", 60),
    ("eddsa_babyjub", 500),
    ("rsa_", 60),
    ("hmac_", 2),
    ("hash", 2),
];

impl Budget {
    pub(super) fn full() -> Self {
        Self(MOST)
    }

    /// Whether so much is left; then it is taken.
    pub(super) fn take(&mut self, cost: u32) -> bool {
        let left = self.0.checked_sub(cost);
        self.0 = left.unwrap_or_default();
        left.is_some()
    }
}

/// What it costs to verify one signature.
pub(super) fn cost(algorithm: Algorithm) -> u32 {
    let row = COSTS.iter().find(|(name, _)| algorithm.name().starts_with(name));
    row.map_or(500, |(_, cost)| *cost)
}
