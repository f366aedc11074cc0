//! Reads numbers and words in the attributes of a `JUnit` file.

use crate::record::run::TestOutcome;

/// Seconds as milliseconds. Thousands and decimals as any locale writes them (`1,201.5`, `0,16`, `1.201,5`; a lone comma
/// is a decimal one), with or without an `s`. Negative and absurd values become 0; `None` if it is no number.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim().trim_end_matches(['s', ' ']);
    let seconds: f64 = match (text.rfind(','), text.rfind('.')) {
        (None, _) => text.parse(),
        (Some(comma), Some(point)) if comma < point => text.replace(',', "").parse(),
        (Some(_), None) if text.matches(',').count() > 1 => text.replace(',', "").parse(),
        (Some(_), _) => text.replace('.', "").replace(',', ".").parse(),
    }
    .ok()?;
    let sane = seconds.is_finite() && (0.0..1e9).contains(&seconds);
    Some(if sane { (seconds * 1000.0).round() as u64 } else { 0 })
}

/// The outcome that a `status` or `result` of a test means, `None` if the word is not known. GitLab and Jenkins ignore
/// both, but googletest, ctest and others tell only there that a test was not run.
pub fn status(word: &str) -> Option<TestOutcome> {
    let plain = word.to_ascii_lowercase().replace(['_', '-', ' '], "");
    Some(match plain.as_str() {
        "run" | "completed" | "complete" | "executed" | "finished" | "pass" | "passed" | "ok" | "success"
        | "successful" | "succeeded" | "fixed" | "true" | "" => TestOutcome::Pass,
        "notrun" | "notexecuted" | "skip" | "skipped" | "suppressed" | "disabled" | "ignore" | "ignored"
        | "pending" | "todo" | "excluded" | "filtered" | "notimplemented" | "xfail" | "xfailed" => {
            TestOutcome::Skip
        }
        "fail" | "failed" | "failure" | "error" | "errored" | "broken" | "timeout" | "timedout"
        | "crashed" | "regression" | "false" => TestOutcome::Fail,
        _ => return None,
    })
}

/// `true` or `1`, as `disabled="true"`.
pub fn is_true(text: &str) -> bool {
    matches!(text.trim().to_ascii_lowercase().as_str(), "true" | "1" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_locale() {
        for (text, ms) in [
            ("1.25", 1250),
            ("1,201.5", 1_201_500),
            ("1.201,5", 1_201_500),
            ("1,234,567", 1_234_567_000),
            ("0,16", 160),
            (" 2 s ", 2000),
            ("1e400", 0),
            ("-1", 0),
            ("NaN", 0),
        ] {
            assert_eq!(milliseconds(text), Some(ms), "{text}");
        }
        for odd in ["", "<<computed>>", "1:02"] {
            assert_eq!(milliseconds(odd), None, "{odd}");
        }
    }

    #[test]
    fn words() {
        assert_eq!(status("NotRun"), Some(TestOutcome::Skip));
        assert_eq!(status("timed_out"), Some(TestOutcome::Fail));
        assert_eq!(status("run"), Some(TestOutcome::Pass));
        assert_eq!(status("maybe"), None);
        assert!(is_true("True") && !is_true("0"));
    }
}
