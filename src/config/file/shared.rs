//! `[shared]` as written.

use super::values;
use crate::config::settings::Settings;
use crate::config::shared::RedisUrl;
use crate::document::{Field, Location};

/// What is written there.
#[derive(Debug)]
pub(in crate::config) struct Shared {
    pub(in crate::config) at: Option<Location>,
    pub(in crate::config) redis: Field<RedisUrl>,
    pub(in crate::config) ca: Field<String>,
    pub(in crate::config) user: Field<String>,
    pub(in crate::config) password: Field<String>,
    pub(in crate::config) sentinel: Field<String>,
    pub(in crate::config) sentinel_user: Field<String>,
    pub(in crate::config) sentinel_password: Field<String>,
    pub(in crate::config) cluster: bool,
    pub(in crate::config) replicas: usize,
}

pub(super) fn shared(table: &mut Settings<'_, '_>) -> Shared {
    Shared {
        at: table.at(),
        redis: table.text("redis", RedisUrl::parse),
        ca: table.text("ca", values::text),
        user: table.text("user", values::text),
        password: table.text("password", values::text),
        sentinel: table.text("sentinel", values::text),
        sentinel_user: table.text("sentinel_user", values::text),
        sentinel_password: table.text("sentinel_password", values::text),
        cluster: table.value("cluster", |table, key| table.flag(key)),
        replicas: table.value("replicas", |table, key| table.count(key, values::replicas)),
    }
}
