//! Services, tasks and nodes as an engine might tell of them, and their logs: judged, whatever they hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| swarm_wait::fuzzing::stack(bytes));
