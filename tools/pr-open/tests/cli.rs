//! Tests of the binary: as a pipe stage, with a `dir:` forge, with a fake Gitea, and with `ground/review-ci`.

// Clippy allows `unwrap` in `#[test]` functions only, not in their helpers.
#![allow(clippy::unwrap_used)]

#[path = "cli/branch.rs"]
mod branch;
#[path = "cli/campaign.rs"]
mod campaign;
#[path = "cli/certificate.rs"]
mod certificate;
#[path = "cli/ci.rs"]
mod ci;
#[path = "cli/contract.rs"]
mod contract;
#[path = "cli/dir.rs"]
mod dir;
#[path = "cli/fake/mod.rs"]
mod fake;
#[path = "cli/fixture.rs"]
mod fixture;
#[path = "cli/forge.rs"]
mod forge;
#[path = "cli/git_http.rs"]
mod git_http;
#[path = "cli/note.rs"]
mod note;
#[path = "cli/one.rs"]
mod one;
#[path = "cli/open.rs"]
mod open;
#[path = "cli/pipe.rs"]
mod pipe;
#[path = "cli/real.rs"]
mod real;
#[path = "cli/refusals.rs"]
mod refusals;
#[path = "cli/review_ci.rs"]
mod review_ci;
#[path = "cli/secrets.rs"]
mod secrets;
#[path = "cli/self_check.rs"]
mod self_check;
#[path = "cli/traps_ask.rs"]
mod traps_ask;
#[path = "cli/traps_open.rs"]
mod traps_open;
