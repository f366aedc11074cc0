//! Any bytes as a ledger that a dead writer left: they are all kept, in the ledger or beside it, and a record can be added.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use lib_common::diag::Diag;
use lib_common::ledger::Ledger;

fuzz_target!(|bytes: &[u8]| {
    let folder = std::path::Path::new("/dev/shm").join(format!("redfix-fuzz-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let (path, torn) = (folder.join("l"), folder.join("l.torn"));
    fs::write(&path, bytes).unwrap();
    let diag = Diag::to_writer("fuzz", Box::new(std::io::sink()));
    let Ok(mut ledger) = Ledger::open(&path, &diag) else { return };
    let kept = [fs::read(&path).unwrap(), fs::read(&torn).unwrap_or_default()].concat();
    assert_eq!(kept.iter().filter(|b| **b != b'\n').count(), bytes.iter().filter(|b| **b != b'\n').count());
    ledger.append_new(b"{\"type\":\"x.y\"}").unwrap();
    let text = fs::read(&path).unwrap();
    assert!(text.ends_with(b"\n") && text.split(|b| *b == b'\n').any(|line| line == b"{\"type\":\"x.y\"}"));
    fs::remove_dir_all(&folder).unwrap();
});
