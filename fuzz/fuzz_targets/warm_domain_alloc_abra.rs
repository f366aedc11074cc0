//! Any text as an app's .env of abra.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| assert!(!warm_domain_alloc::fuzz::app("app.ci.example", text).is_empty()));
