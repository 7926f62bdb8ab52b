//! `countersign signer`: who may use its keys, and what it gives up.

pub(crate) mod conform;
pub(crate) mod grants;
mod sandbox;
pub(crate) mod settings;
