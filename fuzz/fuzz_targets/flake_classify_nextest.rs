//! Fuzz target: histories of the format nextest.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| flake_classify::fuzz_history(flake_classify::Format::Nextest, bytes));
