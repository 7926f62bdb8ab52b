//! What Loopring's signatures bind, by what a route signs.

use crate::scheme::{Binds, Bounds};

pub(super) const KV: Bounds = Bounds {
    of: "kv_objects and kv_pairs",
    query: Binds::Bound,
    body: Binds::Bound,
    ..Bounds::NOTHING
};
pub(super) const BASE_QUERY: Bounds = Bounds {
    of: "v2 and v3, GET and DELETE",
    method: Binds::Bound,
    host: Binds::Partly,
    path: Binds::Bound,
    query: Binds::Bound,
    ..Bounds::NOTHING
};
pub(super) const BASE_BODY: Bounds =
    Bounds { of: "v2 and v3, POST and PUT", query: Binds::Open, body: Binds::Bound, ..BASE_QUERY };
pub(super) const MESSAGE: Bounds = Bounds { of: "body", body: Binds::Partly, ..Bounds::NOTHING };
