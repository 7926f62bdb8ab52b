//! The table of stores.

use super::store::StoreKind;
use super::{env, exec, file, pkcs11, remote, ssh_agent, systemd};

/// Every kind of store, in the order of the documentation.
pub const STORES: &[StoreKind] = &[
    env::KIND,
    file::KIND,
    systemd::KIND,
    exec::KIND,
    ssh_agent::KIND,
    pkcs11::KIND,
    remote::KIND,
];
