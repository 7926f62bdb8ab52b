//! Clients' connections: how long they stay open between requests, how they end, and what of an
//! answer reaches those who have ended their half of one.

mod early;
mod half;
mod idle;
mod stop;
