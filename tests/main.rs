//! The integration tests: one binary, one module for each capability.

mod cli;
mod clients;
mod dialects;
mod documents;
mod image;
mod layering;
mod absolute_form;
mod access;
mod answers;
mod bodies;
mod clients;
mod framing;
mod gateway;
mod origin;
mod properties;
mod registry;
mod passing;
mod refusals;
mod running;
mod secrets;
mod streaming;
mod support;
mod vectors;
