//! `--check CMD`: a command that decides the outcome from recorded state, for harnesses that always exit 0. No I/O.

use std::process::ExitStatus;

/// The check's verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    Pass,
    /// The check said no; with the last line that it printed.
    Fail(String),
    /// The check could not decide, with the reason.
    Undecided(String),
}

/// Interprets the check's exit status, `None` for a time-out; `said` is its redacted output.
pub fn judge(status: Option<ExitStatus>, said: &str) -> Checked {
    let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let with = |what: String| if last.is_empty() { what } else { format!("{what}: {last}") };
    match status.map(|status| status.code()) {
        Some(Some(0)) => Checked::Pass,
        Some(Some(1)) => Checked::Fail(with("the check says no".into())),
        Some(Some(code)) => Checked::Undecided(with(format!("the check could not decide (exit {code})"))),
        Some(None) => Checked::Undecided(with("the check died by a signal".into())),
        None => Checked::Undecided(with("the check did not end in time".into())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn only_0_and_1_are_answers() {
        let exit = |code: i32| Some(ExitStatus::from_raw(code << 8));
        assert_eq!(judge(exit(0), "x"), Checked::Pass);
        assert_eq!(
            judge(exit(1), "a\nnot promoted\n\n"),
            Checked::Fail("the check says no: not promoted".into())
        );
        for status in [exit(2), exit(127), Some(ExitStatus::from_raw(9)), None] {
            assert!(matches!(judge(status, ""), Checked::Undecided(_)), "{status:?}");
        }
    }
}
