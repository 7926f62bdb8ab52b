//! What the capabilities share: a proxy to test, providers for it to talk to, clients to talk to
//! it with, and second opinions on what it signed.

pub(crate) mod alone;
pub(crate) mod authority;
pub(crate) mod cited;
pub(crate) mod client;
pub(crate) mod cobo;
pub(crate) mod config;
pub(crate) mod dialect;
pub(crate) mod doors;
pub(crate) mod forwarder;
pub(crate) mod front;
pub(crate) mod h2_client;
pub(crate) mod h2_origin;
pub(crate) mod home;
pub(crate) mod local;
pub(crate) mod names;
pub(crate) mod openssl;
pub(crate) mod origin;
pub(crate) mod process;
pub(crate) mod proxy;
#[cfg(feature = "redis")]
pub(crate) mod redis;
pub(crate) mod road;
pub(crate) mod signer;
pub(crate) mod sockets;
pub(crate) mod socks;
pub(crate) mod stage;
pub(crate) mod terminator;
pub(crate) mod vectors;
pub(crate) mod verify;
pub(crate) mod wait;
pub(crate) mod wire;

/// Where Cargo.toml is.
pub(crate) fn root() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program under test: the one that was just built, or the one that `COUNTERSIGN_PROGRAM`
/// names. A test of a fault that was mended is run against an older program once, to see it fail.
#[expect(clippy::disallowed_methods, reason = "says which program is tested, and goes no further")]
pub(crate) fn under_test() -> std::path::PathBuf {
    let built = env!("CARGO_BIN_EXE_countersign");
    std::env::var_os("COUNTERSIGN_PROGRAM").map_or_else(|| built.into(), Into::into)
}
