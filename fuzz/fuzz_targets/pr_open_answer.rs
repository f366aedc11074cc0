//! Whatever a forge, or a proxy before it, answers: pr-open reads it without falling over.
#![no_main]

libfuzzer_sys::fuzz_target!(|answer: &[u8]| pr_open::forge::read_anything(answer));
