//! `--allow stack=PATTERN`: a pattern that is accepted does not admit everybody, and an owner is admitted.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: (&str, &str)| {
    let (text, name) = input;
    if let Ok(pattern) = text.parse::<lib_common::pattern::Pattern>() {
        assert!(!pattern.matches("") && !pattern.matches("\u{1}"));
        if let Some(owner) = pattern.owner(name) {
            assert!(pattern.matches(owner) && name.starts_with(owner));
        }
    }
});
