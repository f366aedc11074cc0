//! What there is to say of one setting. No I/O.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use crate::error::Error;

/// How a setting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Ok,
    /// Not set, and the tool needs it.
    Missing,
    /// Refused by its parser, or what it names is not there or does not answer.
    Wrong,
    /// It could not be tried, because of something that has a finding of its own, or that only other machines can tell.
    Unknown,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
        }
    }
}

/// One setting, in a line for people; below it what to do, where something is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub state: State,
    /// The variable, or what is tried where no variable stands for it.
    pub name: String,
    /// Its value and what was found, without any secret.
    pub value: String,
    pub hint: Option<String>,
}

impl Finding {
    #[must_use]
    pub fn ok(name: &str, value: impl fmt::Display) -> Self {
        Self::new(State::Ok, name, value)
    }

    #[must_use]
    pub fn unknown(name: &str, value: impl fmt::Display) -> Self {
        Self::new(State::Unknown, name, value)
    }

    #[must_use]
    pub fn missing(name: &str, value: impl fmt::Display, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(State::Missing, name, value) }
    }

    #[must_use]
    pub fn wrong(name: &str, value: impl fmt::Display, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(State::Wrong, name, value) }
    }

    /// Wrong for the reason that the error gives, with its hint.
    #[must_use]
    pub fn failed(name: &str, error: &Error) -> Self {
        Self { hint: error.hint_text().map(ToOwned::to_owned), ..Self::new(State::Wrong, name, error) }
    }

    fn new(state: State, name: &str, value: impl fmt::Display) -> Self {
        Self { state, name: name.to_owned(), value: shown(&value.to_string()), hint: None }
    }

    /// Whether it is to be mended.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        matches!(self.state, State::Missing | State::Wrong)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:<8} {:<26} {}", self.state.word(), self.name, self.value)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n{:<36}hint: {hint}", ""))
    }
}

/// A text as people may see it: what an address holds before its `@` may be a password.
#[must_use]
pub fn shown(text: &str) -> String {
    static CREDENTIALS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"://[^/@\s]*@").ok());
    CREDENTIALS
        .as_ref()
        .map_or_else(String::new, |found| found.replace_all(text, "://[REDACTED]@").into_owned())
}

/// What was tried says more of a setting than that it was read; what was refused was never tried.
pub(super) fn merge(read: &[Finding], tried: Vec<Finding>) -> Vec<Finding> {
    let refused = |name: &str| read.iter().any(|finding| finding.is_bad() && finding.name == name);
    let tried: Vec<Finding> = tried.into_iter().filter(|finding| !refused(&finding.name)).collect();
    let more = |name: &str| tried.iter().any(|finding| finding.name == name);
    let read = read.iter().filter(|finding| finding.is_bad() || !more(&finding.name)).cloned();
    read.collect::<Vec<_>>().into_iter().chain(tried).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_people() {
        let wrong = Finding::wrong("REDFIX_CAP", "13: no such cap", "see --cap");
        let lines = wrong.to_string();
        let (first, second) = lines.split_once('\n').unwrap();
        assert_eq!(first, "wrong    REDFIX_CAP                 13: no such cap");
        assert_eq!(second.trim(), "hint: see --cap");
        assert_eq!(second.find("hint"), first.find("13"));
        assert!(!Finding::unknown("X", "").is_bad());
    }

    #[test]
    fn no_password_is_shown() {
        assert_eq!(shown("n=tcp://a:hunter2@h m=tcp://b@i"), "n=tcp://[REDACTED]@h m=tcp://[REDACTED]@i");
        assert_eq!(shown("mail <a@b> https://h/x@y"), "mail <a@b> https://h/x@y");
    }

    #[test]
    fn each_setting_is_told_of_once() {
        let read = vec![Finding::ok("A", "1"), Finding::ok("B", "2"), Finding::wrong("C", "3", "")];
        let tried =
            vec![Finding::ok("A", "tried"), Finding::missing("C", "not set", ""), Finding::ok("D", "4")];
        let all: Vec<String> =
            merge(&read, tried).iter().map(|f| format!("{} {}", f.name, f.value)).collect();
        assert_eq!(all, ["B 2", "C 3", "A tried", "D 4"]);
    }
}
