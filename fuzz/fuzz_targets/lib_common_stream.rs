//! Any bytes as a record stream: whole lines come out as they went in, and every known record is told or warned about.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lib_common::cli::ReadArg;
use lib_common::diag::Diag;
use lib_common::stream::{Reader, Torn};

fuzz_target!(|bytes: &[u8]| {
    let reading = ReadArg { lenient: true, max_line: 1 << 20 };
    let diag = Diag::to_writer("fuzz", Box::new(std::io::sink()));
    let mut reader = Reader::new(bytes, "fuzz", &reading, Torn::SetAside);
    let mut passed = Vec::new();
    while let Ok(Some(line)) = reader.next_line(&diag) {
        let _ = line.keys();
        let _ = reader.known(&line, &diag);
        passed.extend(line.raw);
    }
    assert!(bytes.starts_with(&passed), "what is passed on is what came");
});
