//! Records of the log drivers' files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use log_snap::stream::file::{json, local};

fuzz_target!(|data: &[u8]| {
    let mut text = Vec::new();
    if let Some(size) = json::size(data) {
        let _ = json::decode(&data[..size], &mut text);
    }
    if let Ok(Some(size)) = local::size(data) {
        let _ = local::decode(&data[..size]);
    }
});
