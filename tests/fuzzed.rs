//! Fuzz targets: functions of any bytes that panic where what they assert does not hold.
//!
//! [`TARGETS`] is the one table of them. `held` runs each over its corpus and over seeded mutations, in
//! this binary; `fuzz/` builds the same functions for cargo-fuzz, which `scripts/test --long` runs.

mod audit_file;
mod client_tokens;
mod conclusions;
mod configuration;
mod corpus;
mod declared_file;
#[cfg(test)]
mod held;
mod input;
mod json;
mod jwt;
mod key_formats;
mod lenient;
mod paths;
mod requests;
mod schemes;
pub(crate) mod splice;
mod via;

/// A row of [`TARGETS`].
pub(crate) struct Target {
    /// What cargo-fuzz calls it, and its module here.
    pub(crate) name: &'static str,
    /// Panics where something that is asserted of these bytes does not hold.
    pub(crate) run: fn(&[u8]),
    /// Inputs to begin with.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// Texts that mean something to what is tested.
    pub(crate) words: &'static [&'static str],
    /// How many mutations `held` tries.
    pub(crate) tries: usize,
}

/// Every target, by name.
pub(crate) const TARGETS: &[Target] = &[
    audit_file::TARGET,
    client_tokens::TARGET,
    conclusions::TARGET,
    configuration::TARGET,
    declared_file::TARGET,
    jwt::TARGET,
    key_formats::TARGET,
    paths::TARGET,
    requests::TARGET,
    schemes::TARGET,
    splice::TARGET,
    via::TARGET,
];

/// Runs the target of this name.
pub(crate) fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("there is no target {name}")).run)(bytes);
}
