//! Fuzz target: the block reader of the record stream.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| flake_classify::fuzz_stream(bytes));
