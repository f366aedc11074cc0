//! Any text as a file of redaction rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lib_common::redact::Rules;

fuzz_target!(|bytes: &[u8]| {
    let path = std::path::Path::new("/dev/shm").join(format!("redfix-fuzz-{}.toml", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    let _ = Rules::with_file(&path);
    std::fs::remove_file(&path).unwrap();
});
