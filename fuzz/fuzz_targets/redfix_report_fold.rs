//! Any bytes through the reader, the fold, the gates and every format.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| redfix_report::fuzz(data));
