//! Any list of domains is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warm_domain_alloc::fuzz;

fuzz_target!(|data: &str| {
    fuzz::targets(data);
});
