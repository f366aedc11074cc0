//! Config objects of strangers are read as slots, or not at all; any text may be asked for as a window.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swarm_isolate::fuzzing::slot(bytes));
