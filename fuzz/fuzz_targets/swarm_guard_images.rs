//! An archive of images on its way through the guard: no panic, and what is sent on is read as it was written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use swarm_guard::fuzz::images;

fuzz_target!(|data: &[u8]| {
    if let Some(sent) = images(data) {
        assert_eq!(images(&sent).as_ref(), Some(&sent));
    }
});
