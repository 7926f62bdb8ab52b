//! `countersign exec`: a program runs with its requests signed, and nothing is left of it.

mod account;
mod ending;
mod environment;
mod programs;
mod proxy;
mod record;
mod run;
mod strangers;
