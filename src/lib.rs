//! countersign: a proxy that signs.
//!
//! Programs speak plainly; the proxy finds the route for a host, rebuilds the provider's canonical
//! text from the exact bytes that will be sent, has a key sign it, and sends the request on. The
//! library exists for the binary and its tests; it is not offered as an API.
//!
//! In the order a request meets them:
//!
//! - [`server`] listens, and reads requests as they arrive;
//! - [`access`] says who may send them;
//! - [`pipeline`] is a request's way, in one function;
//! - [`destination`] and [`route`] find the route, [`body`] holds or streams the body, [`outbound`] dresses the
//!   request for the road;
//! - [`scheme`] is what a provider wants signed, [`keys`] what signs it, [`moment`] when;
//! - [`tls`] vouches for the hosts of routes to clients that speak HTTPS;
//! - [`upstream`] sends it, [`tunnel`] carries WebSockets, [`refusal`] is every way the proxy says
//!   no, [`record`] and [`metrics`] what is written down.
//!
//! Beside the road: [`document`] reads files, [`host`] reads names and addresses as clients write
//! them, [`config`] is what was written and what will run, [`snapshot`] what it becomes, [`audit`]
//! the file of what was decided, [`secret`] what must not be seen, and [`cli`] what a person meets.

pub mod access;
mod admin;
pub mod audit;
pub mod body;
pub mod cli;
pub mod config;
pub mod destination;
pub mod document;
pub mod host;
pub mod keys;
pub mod metrics;
pub mod moment;
pub mod outbound;
pub mod pipeline;
pub mod record;
pub mod refusal;
pub mod route;
pub mod scheme;
pub mod secret;
pub mod server;
pub mod snapshot;
pub mod standin;
pub mod tls;
pub mod tunnel;
pub mod upstream;
pub mod verification;
