//! `[routes.NAME.next]`: the keys that take over from a route's own, and when.

use super::values;
use crate::config::settings::Settings;
use crate::document::{Field, Location, Pair, Table};

/// What is written there.
#[derive(Debug)]
pub(in crate::config) struct Next {
    pub(in crate::config) at: Location,
    pub(in crate::config) keys: Field<Vec<Pair>>,
    pub(in crate::config) secrets: Field<Vec<Pair>>,
    pub(in crate::config) params: Field<Vec<Pair>>,
    pub(in crate::config) from: Field<u64>,
    pub(in crate::config) until: Field<u64>,
    pub(in crate::config) canary: Field<u32>,
}

pub(super) fn next(table: &mut Table<'_>, at: Location) -> Next {
    let mut table = Settings::of(table, "routes.NAME.next");
    Next {
        at,
        keys: table.pairs("keys", false),
        secrets: table.pairs("secrets", false),
        params: table.pairs("params", true),
        from: table.text("from", values::instant),
        until: table.text("until", values::instant),
        canary: table.text("canary", values::share),
    }
}
