//! Loopring's EdDSA: Baby Jubjub with the Poseidon hash of 2019.

mod base;
mod curve;
#[expect(unexpected_cfgs, reason = "what the derive writes asks for a feature of its own crate")]
mod field;
mod key;
mod poseidon;
mod scalar;
mod sparse;

pub use field::Element;
pub(super) use key::Proof;
pub use key::{PrivateKey, PublicKey};
pub use poseidon::{WIDTHS, poseidon, poseidon_dense, warm};

#[cfg(test)]
mod tests;
