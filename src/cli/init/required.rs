//! Providers by what they need: who is asked by a host, which secrets and parameters are required.

use std::sync::Arc;

use crate::scheme::{Entry, ParamDoc, SecretSlot};

/// The providers that programs ask by their hosts; the others ask us.
pub(super) fn hosted(providers: &[Arc<Entry>]) -> impl Iterator<Item = &Arc<Entry>> {
    providers.iter().filter(|entry| !entry.is_envelope())
}

/// The secrets a provider's route is wrong without. Others are a choice that is not made here.
pub(super) fn required_secrets(entry: &Entry) -> impl Iterator<Item = &SecretSlot> {
    entry.secrets.iter().filter(|slot| slot.required)
}

/// The parameters a route is wrong without.
pub(super) fn required_params(entry: &Entry) -> impl Iterator<Item = &ParamDoc> {
    entry.params.iter().filter(|param| param.required)
}
