//! Any labels are read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warm_domain_alloc::fuzz;

fuzz_target!(|data: &str| {
    let labels =
        data.lines().filter_map(|line| line.split_once("=")).map(|(k, v)| (k.to_owned(), v.to_owned()));
    fuzz::labels(&labels.collect());
});
