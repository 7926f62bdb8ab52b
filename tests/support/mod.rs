//! What the capabilities share: a proxy to test, providers for it to talk to, clients to talk to
//! it with, and second opinions on what it signed.

pub(crate) mod authority;
pub(crate) mod client;
pub(crate) mod cobo;
pub(crate) mod config;
pub(crate) mod dialect;
pub(crate) mod forwarder;
pub(crate) mod h2_client;
pub(crate) mod h2_origin;
pub(crate) mod home;
pub(crate) mod origin;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod road;
pub(crate) mod sockets;
pub(crate) mod stage;
pub(crate) mod vectors;
pub(crate) mod verify;
pub(crate) mod wait;
pub(crate) mod wire;
