//! The table of stores, and key URIs, which go by it.
//!
//! It stands above the stores, as some of them use what is above keys: a cloud's requests are signed
//! by a scheme.

mod uri;

pub use uri::Located;

use crate::keys::StoreKind;
use crate::keys::kinds::{ENV, EXEC, FILE, PKCS11, REMOTE, SSH_AGENT, SYSTEMD, VAULT};
use crate::kms;

/// Every kind of store, in the order of the documentation.
pub const STORES: &[StoreKind] =
    &[ENV, FILE, SYSTEMD, EXEC, SSH_AGENT, PKCS11, REMOTE, VAULT, kms::KIND];
