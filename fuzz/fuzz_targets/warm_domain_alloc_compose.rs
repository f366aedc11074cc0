//! Any text is a compose file or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warm_domain_alloc::fuzz;

fuzz_target!(|data: &str| {
    fuzz::compose(data);
});
