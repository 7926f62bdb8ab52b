//! Providers by what they need: who is asked by a host, which secrets and parameters are required.

use std::path::Path;
use std::sync::Arc;

use crate::config::UpstreamAddress;
use crate::scheme::{Entry, ParamDoc, SecretSlot};

/// The providers that programs ask by their hosts; the others ask us.
pub(super) fn hosted(providers: &[Arc<Entry>]) -> impl Iterator<Item = &Arc<Entry>> {
    providers.iter().filter(|entry| !entry.is_envelope())
}

/// Where the service of a provider that asks us is to listen: a socket beside the configuration, where
/// nobody else may write, or where systemd makes a directory if that is too long a path for one.
pub(super) fn service(entry: &Entry, config: &Path) -> String {
    let socket = format!("{}.sock", entry.name);
    let beside = std::path::absolute(config).map(|config| config.with_file_name(&socket));
    let beside = beside.map(|path| format!("unix:{}", path.display())).ok();
    let beside = beside.filter(|address| UpstreamAddress::parse(address).is_ok());
    beside.unwrap_or_else(|| format!("unix:/run/countersign/{socket}"))
}

/// The secrets a provider's route is wrong without. Others are a choice that is not made here.
pub(super) fn required_secrets(entry: &Entry) -> impl Iterator<Item = &SecretSlot> {
    entry.secrets.iter().filter(|slot| slot.required)
}

/// The parameters a route is wrong without.
pub(super) fn required_params(entry: &Entry) -> impl Iterator<Item = &ParamDoc> {
    entry.params.iter().filter(|param| param.required)
}
