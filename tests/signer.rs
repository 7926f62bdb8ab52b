//! `countersign signer`: who may use its keys, what it gives up, and what is left of it in a proxy.

mod conform;
mod gone;
mod grants;
mod memory;
mod sandbox;
