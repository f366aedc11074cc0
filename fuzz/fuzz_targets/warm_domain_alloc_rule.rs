//! Any router rule is judged, and a host that it names is one that it takes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warm_domain_alloc::fuzz;

fuzz_target!(|data: &str| {
    for host in fuzz::hosts(data) {
        assert!(fuzz::takes(data, &host) || data.contains("!") || data.contains("&&"));
    }
    let _ = fuzz::problem(data);
});
