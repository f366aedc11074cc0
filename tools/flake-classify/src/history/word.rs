//! Reads words for outcomes, times and numbers as other systems write them. Pure.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use lib_common::foreign::Odd;
use lib_common::record::run::TestOutcome;

/// The word is none of those that are known for an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown;

/// The outcome that a word means; `None` is `unver`. Upper and lower case, blanks, `_` and `-` make no difference.
///
/// The words are those that test runners and CIs use: conclusions of GitHub's check runs, statuses of GitLab's jobs,
/// Jenkins' `Result` and `CaseResult.Status`, Woodpecker's `StatusValue`, Buildkite, `CircleCI`, Azure's `TestOutcome`,
/// Zuul, Bazel's `TestStatus`, pytest, Playwright, `NUnit`. A run that was stopped, waits, or could not start is `unver`.
pub fn outcome(word: &str) -> Result<Option<TestOutcome>, Unknown> {
    let plain = word.trim().to_ascii_lowercase().replace(['_', '-', ' '], "");
    Ok(match plain.as_str() {
        "pass"
        | "passed"
        | "passing"
        | "ok"
        | "success"
        | "successful"
        | "succeeded"
        | "green"
        | "xpass"
        | "xpassed"
        | "true"
        | "fixed"
        | "expected"
        | "complete"
        | "completed"
        | "succeededwithissues" => Some(TestOutcome::Pass),
        "fail" | "failed" | "failing" | "failure" | "red" | "timeout" | "timedout" | "false" | "notok"
        | "regression" | "unstable" | "partiallysucceeded" | "flaky" | "unexpected" | "crash" | "crashed"
        | "rerun" => Some(TestOutcome::Fail),
        "error" | "errored" | "broken" => Some(TestOutcome::Error),
        "skip" | "skipped" | "ignored" | "disabled" | "xfail" | "xfailed" | "na" | "n/a" | "neutral"
        | "notapplicable" | "notrun" | "notexecuted" | "notbuilt" | "notimpacted" | "manual" | "todo"
        | "suppressed" | "excluded" | "explicit" | "deselected" => Some(TestOutcome::Skip),
        ""
        | "unver"
        | "missing"
        | "unknown"
        | "none"
        | "null"
        | "nostatus"
        | "aborted"
        | "cancelled"
        | "canceled"
        | "cancelling"
        | "canceling"
        | "killed"
        | "interrupted"
        | "stopped"
        | "terminated"
        | "terminatedunknown"
        | "toolhaltedbeforetesting"
        | "abandoned"
        | "expired"
        | "stale"
        | "incomplete"
        | "inconclusive"
        | "blocked"
        | "declined"
        | "unauthorized"
        | "actionrequired"
        | "onhold"
        | "pending"
        | "paused"
        | "queued"
        | "waiting"
        | "waitingforresource"
        | "waitingondependencies"
        | "requested"
        | "created"
        | "scheduled"
        | "preparing"
        | "triggered"
        | "received"
        | "started"
        | "running"
        | "inprogress"
        | "startupfailure"
        | "infrastructurefail"
        | "nodefailure"
        | "postfailure"
        | "mergerfailure"
        | "retrylimit"
        | "diskfull"
        | "configerror"
        | "remotefailure"
        | "failedtobuild"
        | "notests" => None,
        _ => return Err(Unknown),
    })
}

/// As [`outcome`], but an unknown word is `unver` and is counted in `odd`.
pub fn outcome_or_odd(word: &str, place: &str, odd: &mut Odd) -> Option<TestOutcome> {
    outcome(word).unwrap_or_else(|Unknown| {
        odd.note("outcome that is no word known, taken as unver", place, word);
        None
    })
}

/// Whether a host's name is that of a container or a placeholder, so that two such names do not mean two machines:
/// Docker names a container by the first twelve digits of its id, GitLab's Docker executor by runner and project, a
/// deployment of Kubernetes by two hashes; Catch2 writes `tbd`.
pub fn is_no_machine(host: &str) -> bool {
    let host = host.trim().to_ascii_lowercase();
    let is_hex = host.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_pod = || {
        let mut parts = host.rsplit('-');
        let hash = |part: Option<&str>, size: std::ops::RangeInclusive<usize>| {
            part.is_some_and(|part| {
                let of_hash = |byte: u8| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte);
                size.contains(&part.len()) && part.bytes().all(of_hash)
            })
        };
        hash(parts.next(), 5..=5) && hash(parts.next(), 8..=10)
    };
    host.is_empty()
        || matches!(
            host.as_str(),
            "localhost" | "localhost.localdomain" | "buildkitsandbox" | "tbd" | "unknown"
        )
        || is_hex && [12, 64].contains(&host.len())
        || host.starts_with("runner-") && host.contains("-project-")
        || is_pod()
}

/// RFC 3339; a date and time without a zone, which is taken as UTC; RFC 2822, as mocha writes; or seconds or
/// milliseconds since 1970. A time before 1990 counts as none, because several writers put 0 or the year 1 if they know none.
pub fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return epoch(number);
    }
    let text = text.strip_suffix("UTC").unwrap_or(text).trim_end();
    let civil = || TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok();
    let mail = || Some(rfc2822::parse(text).ok()?.timestamp());
    text.parse::<Timestamp>().ok().or_else(civil).or_else(mail).filter(is_sane)
}

fn is_sane(time: &Timestamp) -> bool {
    time.as_second() > 631_152_000
}

/// Seconds since 1970, or milliseconds if the number is so large that seconds would lie beyond the year 5000.
#[allow(clippy::cast_possible_truncation)]
pub fn epoch(number: f64) -> Option<Timestamp> {
    let ms = if number.abs() < 1e11 { number * 1000.0 } else { number };
    let whole = ms.is_finite() && ms.abs() < 1e15;
    whole.then(|| Timestamp::from_millisecond(ms.round() as i64).ok()).flatten().filter(is_sane)
}

/// Seconds as milliseconds. Negative and absurd values, and those that are no number, become 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub fn seconds(seconds: f64) -> u64 {
    if seconds.is_finite() && (0.0..1e9).contains(&seconds) { (seconds * 1000.0).round() as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes() {
        assert_eq!(outcome(" PASSED "), Ok(Some(TestOutcome::Pass)));
        assert_eq!(outcome("timeout"), Ok(Some(TestOutcome::Fail)));
        assert_eq!(outcome(""), Ok(None));
        for (word, meant) in [
            ("timed_out", Some(TestOutcome::Fail)),
            ("REGRESSION", Some(TestOutcome::Fail)),
            ("FIXED", Some(TestOutcome::Pass)),
            ("Not Run", Some(TestOutcome::Skip)),
            ("startup_failure", None),
            ("killed", None),
            ("blocked", None),
        ] {
            assert_eq!(outcome(word), Ok(meant), "{word}");
        }
        assert_eq!(outcome("maybe"), Err(Unknown));
    }

    #[test]
    fn containers_are_no_machines() {
        for name in
            ["4f5e6d7c8b9a", "runner-x1-project-7-concurrent-0", "shop-5d4f8b7c9d-x2x9z", "localhost", ""]
        {
            assert!(is_no_machine(name), "{name}");
        }
        for name in ["ci1", "n1", "fv-az123-456", "build-host-3", "deadbeef", "ip-10-0-0-7"] {
            assert!(!is_no_machine(name), "{name}");
        }
    }

    #[test]
    fn times() {
        let ms = |text| time(text).map(Timestamp::as_millisecond);
        let noon = Some(1_781_697_600_000);
        for text in [
            "2026-06-17T12:00:00Z",
            "2026-06-17T14:00:00+02:00",
            "2026-06-17 12:00:00",
            "2026-06-17T12:00:00.000",
            "20260617T120000Z",
            "2026-06-17T14:00:00+0200",
            "2026-06-17 12:00:00 UTC",
            "Wed, 17 Jun 2026 12:00:00 GMT",
            "1781697600",
            "1781697600.0",
            "1781697600000",
        ] {
            assert_eq!(ms(text), noon, "{text}");
        }
        for bad in ["", "yesterday", "nan", "1e300", "-inf", "0", "0001-01-01T00:00:00Z"] {
            assert_eq!(ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!([seconds(1.25), seconds(-1.0), seconds(f64::NAN), seconds(1e300)], [1250, 0, 0, 0]);
    }
}
