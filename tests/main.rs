//! The integration tests: one binary, one module for each capability.

mod cli;
mod clients;
mod dialects;
mod documents;
mod image;
mod layering;
mod origin;
mod properties;
mod registry;
mod running;
mod secrets;
mod support;
mod vectors;
