//! The integration tests: one binary, one module for each capability.

mod clients;
mod documents;
mod image;
mod dialects;
mod layering;
mod origin;
mod properties;
mod registry;
mod running;
mod support;
mod vectors;
