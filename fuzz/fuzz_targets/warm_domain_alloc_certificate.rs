//! Any bytes are a certificate or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warm_domain_alloc::fuzz;

fuzz_target!(|data: &[u8]| {
    fuzz::certificate(data);
});
