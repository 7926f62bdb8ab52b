//! countersign.
pub mod config;
pub mod keys;
pub mod moment;
pub mod scheme;
pub mod secret;
