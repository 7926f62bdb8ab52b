//! `countersign signer`: who may use its keys, and what it gives up.

pub(crate) mod conform;
mod grants;
mod sandbox;
mod settings;
