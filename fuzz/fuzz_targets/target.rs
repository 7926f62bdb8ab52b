//! A scheme file of any bytes: reading it and running its vectors neither panics nor takes longer
//! than its bounds allow.

#![no_main]

use countersign::scheme::Entry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = Entry::declared("fuzzed", text);
    }
});
