//! Any bytes of the event stream become events, and any split of them gives the same.
#![no_main]

use lib_common::swarm::event::Lines;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&cut, rest)) = data.split_first() else { return };
    let (one, two) = rest.split_at(usize::from(cut).min(rest.len()));
    let mut lines = Lines::default();
    let halves = [lines.push(one), lines.push(two)].concat();
    assert_eq!(Lines::default().push(rest), halves);
});
