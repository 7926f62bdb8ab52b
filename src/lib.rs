//! countersign: a proxy that signs.
//!
//! Programs speak plainly; the proxy finds the route for a host, rebuilds the provider's canonical
//! text from the exact bytes that will be sent, has a key sign it, and sends the request on. The
//! library exists for the binary and its tests; it is not offered as an API.
//!
//! In the order a request meets them:
//!
//! - [`server`] listens, and reads requests as they arrive;
//! - [`request`] is what can be said of one without waiting for anything: who may send it ([`access`]),
//!   which [`route`] it takes, how it leaves and what is to be signed, or which refusal;
//! - [`pipeline`] does what was said, and [`body`] holds or streams the bytes;
//! - [`scheme`] is what a provider wants signed, [`keys`] what signs it, [`moment`] when; [`stores`]
//!   are the kinds of places that keys live in, `kms` the one that signs its own requests by a scheme;
//! - `https` asks the services that keys are in;
//! - [`tls`] vouches for the hosts of routes to clients that speak HTTPS;
//! - [`upstream`] sends it, [`tunnel`] carries WebSockets, [`refusal`] is every way the proxy says
//!   no, [`record`] and [`metrics`] what is written down, [`lines`] what waits to be.
//!
//! Beside the road: [`problem`] says what is wrong, `strict_modes` who could have written a file,
//! [`document`] reads files, [`host`] reads names and addresses as clients write them, [`peer`] sees
//! which user is at the other end, [`diagnosis`] why a signature does not hold, [`shares`] how a limit is
//! shared by clients, `descriptors` how many there are, [`cost`] how long work will take, [`workers`]
//! where the long is done and [`cores`] where all else is, `pem` blocks of keys and certificates, [`config`] is what was written and what
//! will run,
//! [`snapshot`] what it becomes, [`shared`] the store that replicas share, [`audit`] the file of what was decided, [`secret`] what must not be
//! seen, `signer` the process that holds keys for this one, `sandbox` what both give up at their start,
//! and [`cli`] what a person meets.

pub mod access;
mod admin;
pub mod audit;
pub mod body;
pub mod cli;
pub mod config;
pub mod cores;
pub mod cost;
mod descriptors;
pub mod diagnosis;
pub mod document;
pub mod host;
mod https;
pub mod inspect;
pub mod keys;
mod kms;
pub mod lines;
pub mod metrics;
pub mod moment;
pub mod nonces;
pub mod peer;
mod pem;
pub mod pipeline;
pub mod problem;
pub mod record;
pub mod refusal;
pub mod reloads;
pub mod request;
pub mod route;
mod sandbox;
pub mod scheme;
pub mod secret;
pub mod server;
pub mod shared;
pub mod shares;
mod signer;
pub mod snapshot;
mod socket_file;
pub mod standin;
pub mod standing;
pub mod stores;
mod strict_modes;
pub mod tls;
pub mod tunnel;
pub mod upstream;
pub mod verification;
pub mod workers;
