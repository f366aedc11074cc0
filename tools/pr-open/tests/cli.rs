//! Runs the binary: as a pipe stage, against a `dir:` forge, against a fake Gitea, and with `scripts/review-ci`.

// Clippy's exception for tests covers `#[test]` functions only, not their helpers.
#![allow(clippy::unwrap_used)]

#[path = "cli/contract.rs"]
mod contract;
#[path = "cli/dir.rs"]
mod dir;
#[path = "cli/fake.rs"]
mod fake;
#[path = "cli/fixture.rs"]
mod fixture;
#[path = "cli/http.rs"]
mod http;
#[path = "cli/pipe.rs"]
mod pipe;
#[path = "cli/review_ci.rs"]
mod review_ci;
