//! The functions of `tests/fuzzed`, and what they need of `tests/support`, as a library for cargo-fuzz.

#![allow(dead_code, unused_imports, reason = "corpora and mutations are for the integration tests, and so is most support")]

#[path = "../../tests"]
mod tests {
    pub(crate) mod fuzzed;

    pub(crate) mod support {
        pub(crate) mod dialect;
        pub(crate) mod home;
        pub(crate) mod vectors;
        pub(crate) mod verify;

        pub(crate) fn root() -> &'static std::path::Path {
            std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        }
    }
}

use tests::support;

/// Runs the target of this name; panics where something that it asserts does not hold.
pub fn run(name: &str, bytes: &[u8]) {
    tests::fuzzed::run(name, bytes);
}
