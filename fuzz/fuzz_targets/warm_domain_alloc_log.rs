//! Any bytes of a service's log become lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warm_domain_alloc::fuzz;

fuzz_target!(|data: &[u8]| {
    fuzz::log_lines(data);
});
