//! Loopring's EdDSA: Baby Jubjub with the Poseidon hash of 2019.
//!
//! The curve and its hash come from zero-knowledge circuits, and this variant is that of the
//! ethsnarks library in the provider's fork: its generator, its constants and its way to make a
//! nonce are not those of later Baby Jubjub libraries, whose signatures a server refuses.
//!
//! ```text
//! r = SHA-512(k ‖ M), little-endian, mod L        R = r·B
//! t = Poseidon(R, A, M)                           S = ((r + k·t) mod 8L) mod p
//! ```
//!
//! # What an observer of time learns
//!
//! Secret are the key k and the nonce r; everything else is in the signature or follows from it.
//!
//! - The hash, the reduction of r, the product k·t and its reduction are constant-time integers.
//! - Multiples of the generator are sums of table entries. All entries of a row are read, masks
//!   select one, and the addition has no exceptions. But the field library, ark-ff, ends sums and
//!   products with a subtraction *if* one is needed, and inverts in a time that depends on the
//!   number. So each multiplication starts from a random scale, under which all the coordinates
//!   on the way are random, and the last inversion is of a number that is random again. Times
//!   then vary, and not with the secret. That is an argument, and not a proof.
//! - Poseidon, verification, and the reading of keys at the start take the time they take. The
//!   first two see public numbers only; no request waits for the third.
//!
//! The key and the nonce are wiped from the variables that hold them. Registers and coordinates on
//! the stack are not.

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
pub use poseidon::{WIDTHS, poseidon, poseidon_cost, poseidon_dense, poseidon_of, warm};

#[cfg(test)]
mod tests;
