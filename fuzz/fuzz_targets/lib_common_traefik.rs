//! Any router rule is judged, and a host that it names is one that it takes. Any label's key is read.
#![no_main]

use lib_common::swarm::traefik::rule::{Hit, hit, hosts, problem};
use lib_common::swarm::traefik::Label;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    for host in hosts(data) {
        assert!(hit(data, &host) != Hit::No || data.contains("!") || data.contains("&&"));
    }
    let _ = problem(data);
    let _ = Label::parse(data).map(|label| label.element().is_some());
});
