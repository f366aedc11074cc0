//! The redactor: no known value survives, and any split gives the same.
#![no_main]

use std::sync::LazyLock;

use lib_common::redact::Redactor;
use libfuzzer_sys::fuzz_target;

static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(&["s3cr3t/Zebra+42"]));

fuzz_target!(|data: &[u8]| {
    let Some((&cut, rest)) = data.split_first() else { return };
    let cut = usize::from(cut).min(rest.len());
    let whole = REDACTOR.fork().text(rest);
    assert!(!REDACTOR.leaks(&whole));
    let (mut fork, mut out) = (REDACTOR.fork(), Vec::new());
    fork.push(&rest[..cut], &mut out);
    fork.push(&rest[cut..], &mut out);
    fork.finish(&mut out);
    assert_eq!(out, whole);
});
