//! What a harness writes into run.json: any bytes are read, and what is wrong is named.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let (report, wrong) = swarm_isolate::parse_report(text);
    // A short commit never counts.
    assert!(report.reference.is_none_or(|reference| reference.commit.len() >= 40));
    assert!(wrong.iter().all(|each| each.starts_with("run.json")));
});
