//! The settings of what replicas share.

use super::Section;
use super::row::{keep, optional, setting};
use crate::config::{Config, Shared};
use crate::document::Key;

/// `[shared]`. Leases are of one store from the start to the end of a process.
pub(super) const SHARED: Section = Section {
    table: "shared",
    doc: "The Redis or Valkey in which replicas on several machines keep what they share; without it \
          nothing is shared ([deployment.md](deployment.md#several-proxies-one-key)).",
    settings: &[
        optional(
            Key::string("redis", "\"rediss://redis.internal:6379/0\""),
            "Its address: `redis://HOST:PORT/DATABASE`, or `rediss://` for TLS; several servers \
             with commas between.",
        )
        .restart(kept),
        optional(
            Key::string("ca", "\"redis-ca.pem\""),
            "Authorities in PEM that its certificates are of; without it the system's.",
        )
        .restart(kept),
        optional(Key::string("user", "\"countersign\""), "The user, as its ACL has it.")
            .restart(kept),
        optional(
            Key::string("password", "\"redis\""),
            "The `[secrets]` entry with the user's password.",
        )
        .restart(kept),
        optional(
            Key::string("sentinel", "\"mymaster\""),
            "The name that Sentinel has for the servers; `redis` has the addresses of Sentinels then.",
        )
        .restart(kept),
        optional(
            Key::string("sentinel_user", "\"countersign\""),
            "The user that Sentinels are shown, as their own ACL has it.",
        )
        .restart(kept),
        optional(
            Key::string("sentinel_password", "\"sentinel\""),
            "The `[secrets]` entry with the password of Sentinels (`requirepass`); without it they are \
             asked without one.",
        )
        .restart(kept),
        setting(Key::flag("cluster", "true"), "Whether the servers are a Redis Cluster.")
            .or("false")
            .restart(kept),
        setting(
            Key::count("replicas", "1"),
            "How many replicas of the Redis have to have a lease before it is used: 1 with Sentinel, so \
             that a failover loses none.",
        )
        .or("0")
        .restart(kept),
    ],
};

/// The whole table is as it was at the start, wherever it is written now.
fn kept(new: &mut Config, old: &Config) -> bool {
    let at = new.shared.as_ref().map(|shared| shared.at);
    let moved = |old: Shared| Shared { at: at.unwrap_or(old.at), ..old };
    keep(&mut new.shared, &old.shared.clone().map(moved))
}
