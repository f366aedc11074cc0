//! A fake forge with a repository, a fix and a token, to run `pr-open` against. A test must assert every request; one
//! that no assertion covers fails the test at its end.

use std::process::Command;

use crate::fake::Fake;
pub use crate::fake::TOKEN;
use crate::fixture::{Ran, World, bin, ledger, run};

pub const BRANCH: &str = "fix/mumble/readiness";
/// What a run that opens one asks first.
pub const LOOK: &str = "token repo base list past";
pub const QUICK: [&str; 8] =
    ["--testme", "--wait", "--poll", "20ms", "--settle", "60ms", "--first-wait", "400ms"];

/// Runs with a ledger that supports the fix, and asserts that the token does not show.
pub fn run_hiding(command: Command) -> Ran {
    let ran = run(command, &ledger());
    assert!(!ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN), "the token shows");
    ran
}

pub struct Forge {
    pub world: World,
    pub fake: Fake,
}

impl Forge {
    pub fn new() -> Self {
        let world = World::new();
        let fake = Fake::new(world.bare());
        std::fs::write(world.path("token"), format!("{TOKEN}\n")).unwrap();
        Self { world, fake }
    }

    /// A forge with one open pull request of ours.
    pub fn opened() -> Self {
        let forge = Self::new();
        forge.run(&[]).opened();
        forge.asks(&format!("{LOOK} create list"));
        forge
    }

    pub fn run(&self, extra: &[&str]) -> Ran {
        self.run_at(&self.fake.url, extra)
    }

    pub fn run_at(&self, url: &str, extra: &[&str]) -> Ran {
        run_hiding(self.command(url, extra))
    }

    /// The command with git on local files; `git_http.rs` tests git over HTTP.
    pub fn command(&self, url: &str, extra: &[&str]) -> Command {
        let mut command = bin();
        command.arg("--fix").arg(self.world.fix_dir("readiness")).args(["--forge", url, "--repo", "o/n"]);
        // A comment needs no repository.
        if !extra.contains(&"--comment") {
            command.arg("--git-url").arg(format!("file://{}", self.world.bare().display()));
        }
        command.arg("--token-file").arg(self.world.path("token")).args(extra);
        // Nobody else is at it, unless a test says so.
        if !extra.contains(&"--grace") {
            command.args(["--grace", "0s"]);
        }
        command
    }

    /// The address of a pull request, as the forge gives it to who asked there.
    pub fn link(&self, number: u64) -> String {
        format!("{}/o/n/pulls/{number}", self.fake.url)
    }

    /// Another patch, as somebody mends the fix.
    pub fn mend(&self) {
        self.world.fix("readiness", &[("mumble/lifecycle", "one\ntwo\nreally ready\nthree\n")]);
    }

    /// The whole set of requests since the last call, in their order.
    #[track_caller]
    pub fn asks(&self, words: &str) {
        assert_eq!(self.fake.asked(), words);
    }

    pub fn head(&self) -> String {
        self.world.branch(BRANCH)
    }

    pub fn bodies(&self) -> Vec<String> {
        let state = self.fake.state();
        state.comments.iter().map(|comment| comment["body"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.fake.asked(), "", "requests that no assertion covers");
        }
    }
}
