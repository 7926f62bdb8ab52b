//! The integration tests: one binary, one module for each capability.

mod clients;
mod documents;
mod image;
mod origin;
mod running;
mod support;
mod vectors;
