//! The target of this program's name.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign_fuzz::run(env!("CARGO_BIN_NAME"), bytes));
