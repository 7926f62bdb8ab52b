//! The kinds of stores that know of nothing but keys.

pub(crate) use super::env::KIND as ENV;
pub(crate) use super::exec::KIND as EXEC;
pub(crate) use super::file::KIND as FILE;
pub(crate) use super::pkcs11::KIND as PKCS11;
pub(crate) use super::remote::KIND as REMOTE;
pub(crate) use super::ssh_agent::KIND as SSH_AGENT;
pub(crate) use super::systemd::KIND as SYSTEMD;
pub(crate) use super::vault::KIND as VAULT;
