//! What `pr-open` relies on, asked of a forge over HTTP: of the test forge always, and of the real one that
//! `REDFIX_TEST_FORGE=URL` names, with the token of an administrator in the file that `REDFIX_TEST_FORGE_TOKEN` names. So the
//! test forge is held against the same rules as a real one. On a real forge each rule makes two users and a repository of
//! its own, and removes them.

// Clippy's exception for tests covers `#[test]` functions only, not their helpers; the fake has more than is used here.
#![allow(clippy::unwrap_used, dead_code)]

#[path = "cli/contract.rs"]
mod contract;
#[path = "cli/fake/mod.rs"]
mod fake;
#[path = "cli/fixture.rs"]
mod fixture;
#[path = "forge_contract/ground.rs"]
mod ground;
#[path = "forge_contract/rules.rs"]
mod rules;
#[path = "forge_contract/story.rs"]
mod story;
#[path = "forge_contract/wire.rs"]
mod wire;

use std::io::Write as _;

use ground::Ground;

/// The rule holds on the test forge, and on the real one where there is one.
fn everywhere(rule: impl Fn(&Ground)) {
    rule(&Ground::of_the_test_forge());
    if let Ok(url) = std::env::var("REDFIX_TEST_FORGE") {
        rule(&Ground::of_a_real_forge(&url));
        return;
    }
    // Straight to the process's standard error: the test runner swallows what is printed.
    let _ = writeln!(std::io::stderr(), "no real forge was asked: REDFIX_TEST_FORGE names none");
}
