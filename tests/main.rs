//! The integration tests: one binary, one module for each capability.

mod absolute_form;
mod access;
mod answers;
mod authority;
mod bodies;
mod cli;
mod clients;
mod dialects;
mod documents;
mod framing;
mod gateway;
mod image;
mod layering;
mod lifecycle;
mod metrics;
mod origin;
mod passing;
mod properties;
mod refusals;
mod registry;
mod reload;
mod running;
mod secrets;
mod streaming;
mod support;
mod vectors;
