//! Any bytes as a bundle's index: it is read, verified and its blobs looked for, and none of them outside of it.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use log_snap::bundle::{read::Bundle, verify::verify};

fuzz_target!(|bytes: &[u8]| {
    let folder = std::path::Path::new("/dev/shm").join(format!("redfix-fuzz-{}.snap", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("index.jsonl"), bytes).unwrap();
    let _ = verify(&folder);
    if let Ok(bundle) = Bundle::open(&folder) {
        for stream in bundle.streams.iter().take(8) {
            let content = stream.text.as_ref().map(|hash| bundle.content(hash));
            if let Some(Ok(mut content)) = content {
                let _ = content.read(&mut [0; 64]);
            }
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
});
