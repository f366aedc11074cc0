//! Any bytes of the event stream become events; no whole line is left.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warm_domain_alloc::fuzz;

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    fuzz::events(&mut bytes);
    assert!(!bytes.contains(&b'\n'));
});
