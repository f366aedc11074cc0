//! Decides what an `<error>` means. Most writers use it for a test that raised something other than a failed assertion, which is
//! a red of the test, and GitLab and Jenkins count it as one. Some write it where the test could not run at all. Those
//! are known by what they write there:
//!
//! - pytest (`_pytest/junitxml.py`): `failed on setup with`, `failed on teardown with`, `collection failure`; before 6.0
//!   `test setup failure` and `test teardown failure`. A worker of xdist that crashed did so while it ran the test.
//! - nextest (`reporter/aggregator/junit.rs`): the type `execution failure`.
//! - jest-junit (`buildJsonResults.js`): `Test suite failed to run`.
//! - go-junit-report (`junit/junit.go`): `Build error`, `Runtime error`.
//! - `JUnitFormatter` of Elixir: `Invalid module`.
//! - unittest-xml-reporting: the class and the names that unittest makes up for a module or a fixture that failed.
//! - `JUnit` 4 and 5 below Surefire: no name, or `initializationError`, where the class could not be set up.

use crate::record::run::TestOutcome;

/// An `<error>` and where it stands.
pub struct Raised<'a> {
    pub class: &'a str,
    pub name: &'a str,
    pub kind: &'a str,
    /// The message, else the text.
    pub message: &'a str,
}

const MESSAGES: [&str; 9] = [
    "failed on setup with",
    "failed on teardown with",
    "test setup failure",
    "test teardown failure",
    COLLECTION,
    "Test suite failed to run",
    "Build error",
    "Runtime error",
    "Invalid module",
];

const COLLECTION: &str = "collection failure";

impl Raised<'_> {
    /// `Fail`, or `Error` where the test could not run.
    pub fn outcome(&self) -> TestOutcome {
        let message = self.message.trim_start_matches(['●', ' ', '\n']);
        let crashed = message.contains("crashed while running");
        let never_ran = MESSAGES.iter().any(|start| message.starts_with(start)) && !crashed
            || self.kind == "execution failure"
            || self.class.ends_with("._FailedTest")
            || self.name.starts_with("setUpClass (")
            || self.name.starts_with("setUpModule (")
            || self.name.starts_with("tearDownClass (")
            || self.name.starts_with("tearDownModule (")
            || self.name.is_empty()
            || self.name == "initializationError";
        if never_ran { TestOutcome::Error } else { TestOutcome::Fail }
    }

    /// Pytest could not read a file of tests: what the session lacks, nobody knows.
    pub fn is_collection(&self) -> bool {
        self.message.trim_start().starts_with(COLLECTION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_is_red_and_a_set_up_is_none() {
        let of = |class, name, kind, message| Raised { class, name, kind, message }.outcome();
        let java = "java.net.ConnectException";
        assert_eq!(of("IT", "t", java, "connect refused"), TestOutcome::Fail);
        assert_eq!(of("IT", "", java, "connect refused"), TestOutcome::Error);
        assert_eq!(of("t", "t", "", "failed on setup with \"x\""), TestOutcome::Error);
        let crashed = "failed on setup with \"worker 'gw0' crashed while running 't.py::t'\"";
        assert_eq!(of("t", "t", "", crashed), TestOutcome::Fail);
        assert_eq!(of("", "t.js", "", "  ● Test suite failed to run\n"), TestOutcome::Error);
        assert_eq!(of("k::b", "t", "execution failure", ""), TestOutcome::Error);
        assert_eq!(of("unittest.loader._FailedTest", "t", "ImportError", "no module"), TestOutcome::Error);
    }
}
