//! `countersign signer`: who may use its keys, and what it gives up.

mod conform;
mod grants;
mod sandbox;
