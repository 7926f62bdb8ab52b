//! Clients and providers that mean harm, or might as well: what they get is a clear end, and
//! nothing of them stays.

mod answers;
mod baseline;
mod changes;
mod http2;
mod silence;
mod tunnels;
mod upgrades;
