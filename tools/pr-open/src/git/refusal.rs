//! Explains a failed git call: what it means, and what to do about it.

use lib_common::{Error, Result};

use super::run::Output;

/// Texts which show that the server is away, so that trying again helps.
const AWAY: [&str; 8] = [
    "Could not resolve host",
    "Failed to connect",
    "Connection refused",
    "Connection reset",
    "timed out",
    "returned error: 429",
    "returned error: 502",
    "returned error: 503",
];

/// Texts which show that the server does not accept our token.
const STRANGER: [&str; 3] = ["Authentication failed", "could not read Username", "returned error: 401"];
const STRANGER_HINT: &str = "is the token of --token-file valid, with the scope write:repository?";

/// Other texts, and what to do; the first that matches counts.
const HINTS: [(&str, &str); 6] = [
    ("returned error: 403", "the token needs the scope write:repository, its user write access"),
    ("returned error: 404", "is the name right, and may the token read it?"),
    ("returned error: 413", "the patch, or the owner's quota, is too large for the forge"),
    ("quota", "the owner's quota is used up: free space, or have it raised"),
    ("archived", "the repository is archived: unarchive it, or choose another one"),
    ("dubious ownership", "git config --global --add safe.directory FOLDER"),
];

/// Texts which show that a rule of the server refused the push, so that trying again does not help.
const FORBIDDEN: [&str; 3] = ["protected branch", "pre-receive hook declined", "hook declined"];

/// `Ok` if the call succeeded; else an error of one line.
pub fn check(output: &Output, doing: &str, object: &str) -> Result<()> {
    if output.ok {
        return Ok(());
    }
    let error = of(&output.stderr, doing);
    Err(if object.is_empty() { error } else { error.on(object) })
}

fn of(stderr: &str, doing: &str) -> Error {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let cause = lines.join("; ");
    let cause = if cause.is_empty() { "git failed and does not say why".to_owned() } else { cause };
    let says = |signs: &[&str]| signs.iter().any(|sign| cause.contains(sign));
    if says(&AWAY) {
        return Error::again(doing, cause);
    }
    if says(&FORBIDDEN) {
        return Error::no(doing, cause)
            .hint("a rule of the repository protects it: may the bot push to fix/*?");
    }
    if says(&STRANGER) {
        return Error::cannot(doing, cause).hint(STRANGER_HINT);
    }
    let hint = HINTS.iter().find(|(sign, _)| cause.contains(sign)).map(|(_, hint)| *hint);
    let error = Error::cannot(doing, cause);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// The error for a patch that no longer applies.
pub fn stale(applied: &Output, base: &str) -> Error {
    let cause = applied.stderr.lines().next().unwrap_or("git gives no reason").to_owned();
    Error::cannot("applying the patch", cause).on(base).hint("make it again from the base's newest commit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_to_do() {
        for (stderr, code, word) in [
            ("fatal: unable to access 'x': Failed to connect", 75, ""),
            ("error: RPC failed; HTTP 503; The requested URL returned error: 503", 75, ""),
            ("remote: Gitea: Not allowed to push to protected branch main", 1, "may the bot push"),
            ("fatal: Authentication failed for 'x'", 2, "--token-file"),
            ("fatal: could not read Username for 'x': terminal prompts disabled", 2, "write:repository"),
            ("The requested URL returned error: 403", 2, "write access"),
            ("remote: quota exceeded", 2, "quota"),
            ("fatal: detected dubious ownership in repository", 2, "safe.directory"),
            ("boom", 2, ""),
            ("", 2, ""),
        ] {
            let error = of(stderr, "pushing");
            assert_eq!(error.exit().code(), code, "{stderr}");
            assert!(
                error.hint_text().unwrap_or_default().contains(word),
                "{stderr}: {:?}",
                error.hint_text()
            );
        }
    }
}
