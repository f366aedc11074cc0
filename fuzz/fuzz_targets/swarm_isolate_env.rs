//! `--env VAR=VALUE`: what is accepted changes nothing that keeps the run apart.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(mapping) = text.parse::<swarm_isolate::Mapping>() {
        assert!(!mapping.variable.starts_with("REDFIX_") && !mapping.variable.starts_with("DOCKER_"));
    }
});
