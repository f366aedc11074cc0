//! One request to the guard: no panic, and no container with a way to the host. Line 1: `METHOD TARGET`; then the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use swarm_guard::fuzz::decide;

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (line, body) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let Some((method, target)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(' ')) else { return };
    let Some(sent) = decide(method, target, body) else { return };
    let Ok(sent) = serde_json::from_str::<Value>(&sent) else { return };
    let host = &sent["HostConfig"];
    assert_ne!(host["Privileged"], true);
    assert_ne!(host["NetworkMode"], "host");
    assert_ne!(host["PidMode"], "host");
});
