//! A request's way as far as it can be said without a network, a runtime or a clock: what arrived,
//! who may, which route, how it leaves, and what is to be signed, or which refusal.
//!
//! [`Plan::of`] and [`Connect::of`] hold every check in one order, for every listener:
//!
//! 1. who sends it: address, form of the head, the name that the listener is called by, a stop that
//!    is in progress, token;
//! 2. what is asked for: the target, and the hosts that the request names;
//! 3. the route, by [`Routes::find`] or by the gateway's name for it, and that nothing overrides what it
//!    was found by;
//! 4. the guard against web pages, as it is what would be signed that must not be theirs;
//! 5. what the route wants: a handshake, a place to go, a body that can be read.
//!
//! The pipeline does what a plan says; `explain` shows it. Whatever is refused later is refused for
//! something that happened: a body that grew, a key that failed, an upstream that did.

mod admission;
mod arrival;
mod body;
mod cgi;
mod connect;
mod handed;
mod inside;
mod outgoing;
mod overrides;
mod plan;
mod routing;

pub use admission::admit;
pub use arrival::{Arrival, Entrance, FIELDS_READ, Sender, asks_for_socket, lists};
pub use body::Body;
pub use connect::Connect;
pub use handed::handed;
pub use inside::Inside;
pub use outgoing::{Outgoing, strip_hop_by_hop, switch};
pub use plan::{Plan, Sealed, Trail, Unsigned};
pub use routing::{Destination, sent_by};

use crate::access::Access;
use crate::config::{Limits, Unrouted};
use crate::route::Routes;

/// What a request is held against: of a snapshot, what can be looked at without I/O.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Host, path and method → route.
    pub routes: &'a Routes,
    /// Who may send requests.
    pub access: &'a Access,
    /// What a request may cost.
    pub limits: &'a Limits,
    /// What happens to hosts that no route names.
    pub unrouted: Unrouted,
    /// Whether TLS is ended for the hosts of routes.
    pub intercepts: bool,
    /// Whether a stop is in progress, and nothing new is taken.
    pub draining: bool,
}
