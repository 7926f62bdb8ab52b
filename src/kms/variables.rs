//! What AWS's programs take from the environment, and where they go without it.

use crate::keys::variable;
use crate::secret::Secret;

/// A variable that is not empty.
pub(super) fn set(name: &str) -> Option<String> {
    variable(name)?.into_string().ok().filter(|value| !value.is_empty())
}

/// The same, where it is secret.
pub(super) fn hidden(name: &str) -> Option<Secret> {
    set(name).map(|value| Secret::new(value.into_bytes()))
}

/// Where a service of AWS is.
pub(super) fn own_endpoint(service: &str, region: &str) -> String {
    let end = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{service}.{region}.{end}")
}
