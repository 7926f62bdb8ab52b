//! `[routes.NAME.decide]`: who answers and where it is written down. What is approved is for the
//! route's scheme to read.

use std::sync::Arc;

use super::values;
use crate::audit::Mode;
use crate::config::settings::Settings;
use crate::document::{Field, Location, Table};
use crate::scheme::{Entry, Policy};

/// What is written there.
#[derive(Debug)]
pub(in crate::config) struct Decide {
    pub(in crate::config) at: Location,
    pub(in crate::config) mode: Field<Mode>,
    pub(in crate::config) audit: Field<String>,
    /// None where the scheme reads no policy.
    pub(in crate::config) policy: Option<Arc<dyn Policy>>,
}

pub(super) fn decide(table: &mut Table<'_>, at: Location, scheme: Option<&Entry>) -> Decide {
    let modes = [("enforce", Mode::Enforce), ("shadow", Mode::Shadow)];
    let mut settings = Settings::of(table, "routes.NAME.decide");
    let mode = settings.text("mode", values::one_of(&modes));
    let audit = settings.text("audit", values::text);
    let read = scheme.and_then(|scheme| scheme.policy.as_ref());
    if read.is_none() {
        table.pass_over();
    }
    Decide { at, mode, audit, policy: read.map(|read| read(table)) }
}
