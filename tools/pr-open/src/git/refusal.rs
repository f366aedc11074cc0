//! Explains a failed git call: what it means, and what to do about it.

use lib_common::{Error, Result};

use super::run::Output;

/// Signs that the other side is away, or has trouble of its own, rather than unwilling. The forge's hook that does not
/// reach its forge says the same as one that refuses, but for its first words.
const AWAY: [&str; 24] = [
    "Could not resolve host",
    "Failed to connect",
    "Couldn't connect",
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "timed out",
    "Empty reply from server",
    "transfer closed with",
    "early EOF",
    "unexpected disconnect",
    "the remote end hung up unexpectedly",
    "Recv failure",
    "returned error: 408",
    "returned error: 429",
    "returned error: 5",
    "HTTP 5",
    "Internal Server Connection Error",
    "Internal Server Error",
    "cannot lock ref",
    "failed to update ref",
    "couldn't find remote ref",
    "not our ref",
    "Another git process seems to be running",
];

/// Signs that the two ends do not trust each other.
const UNTRUSTED: [&str; 4] =
    ["SSL certificate problem", "certificate verification failed", "SSL: no alternative", "SSL: certificate"];

/// Signs that the other side does not know us, and what to do.
const STRANGER: [&str; 3] = ["Authentication failed", "could not read Username", "returned error: 401"];
const STRANGER_HINT: &str = "is the token of --token-file valid, with the scope write:repository?";

/// Other signs, and what to do. The first that fits counts.
const HINTS: [(&str, &str); 14] = [
    ("archived", "the repository is archived: unarchive it, or choose another one"),
    ("mirror repository", "it is a pull mirror, which takes no pushes: turn it into a normal repository"),
    ("pack exceeds maximum allowed size", TOO_LARGE),
    ("returned error: 413", TOO_LARGE),
    ("quota", "the owner's quota is used up: free space, or have it raised"),
    ("Interacting with repositories by HTTP", "git over HTTP is switched off: --git-url with ssh"),
    ("returned error: 301", MOVED),
    ("returned error: 302", MOVED),
    ("returned error: 307", MOVED),
    ("returned error: 308", MOVED),
    ("returned error: 403", "the token needs the scope write:repository, its user write access"),
    ("returned error: 404", UNKNOWN),
    ("not found", UNKNOWN),
    ("dubious ownership", "git config --global --add safe.directory FOLDER"),
];
const TOO_LARGE: &str = "the patch is too large for the forge, or the owner's quota is used up";
const MOVED: &str = "the repository or its owner has another name now: give the present one with --repo";
const UNKNOWN: &str =
    "is the name right, and may the token read it? A private repository looks like this, too";

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

/// What to do about a certificate that is not trusted, by git or by the API's client.
pub const UNTRUSTED_HINT: &str = "a file with the certificate of its authority: --ca-file, or REDFIX_CA_FILE";

/// The branch that keeps another one from being made: a name cannot be a branch and a folder of branches at once.
fn in_the_way(cause: &str) -> Option<&str> {
    let (_, rest) = cause.split_once("cannot lock ref")?;
    let (before, _) = rest.split_once("' exists")?;
    before.rsplit_once("refs/heads/").map(|(_, name)| name)
}

fn of(stderr: &str, doing: &str) -> Error {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let cause = lines.join("; ");
    let cause = if cause.is_empty() { "git failed and does not say why".to_owned() } else { cause };
    let says = |signs: &[&str]| signs.iter().any(|sign| cause.contains(sign));
    if says(&UNTRUSTED) {
        return Error::cannot(doing, cause).hint(UNTRUSTED_HINT);
    }
    if let Some(other) = in_the_way(&cause) {
        return Error::cannot(doing, &cause)
            .hint(format!("the branch {other} is in the way: rename or remove it"));
    }
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
            (
                "remote: error: Internal Server Connection Error\n ! [remote rejected] (pre-receive hook declined)",
                75,
                "",
            ),
            ("remote: Internal Server Error Decoding Failed\n (pre-receive hook declined)", 75, ""),
            ("error: RPC failed; HTTP 504 curl 22 The requested URL returned error: 504", 75, ""),
            ("error: RPC failed; curl 52 Empty reply from server", 75, ""),
            (
                "remote: error: cannot lock ref 'refs/heads/x': Unable to create 'x.lock': File exists.",
                75,
                "",
            ),
            (
                "cannot lock ref 'refs/heads/fix/x/y': 'refs/heads/fix' exists; cannot create",
                2,
                "the branch fix is in the way",
            ),
            (
                "fatal: unable to access 'x': SSL certificate problem: unable to get local issuer certificate",
                2,
                "--ca-file",
            ),
            (
                "fatal: unable to access 'x': server certificate verification failed. CAfile: none",
                2,
                "REDFIX_CA_FILE",
            ),
            ("remote: Repository not found\nfatal: repository 'x' not found", 2, "private"),
            ("fatal: unable to access 'x': The requested URL returned error: 301", 2, "another name"),
            ("fatal: unable to access 'x': The requested URL returned error: 307", 2, "another name"),
            ("remote: This repo is archived. You can view\nreturned error: 403", 2, "unarchive"),
            ("remote: mirror repository is read-only\nreturned error: 403", 2, "pull mirror"),
            ("remote: fatal: pack exceeds maximum allowed size\n(unpacker error)", 2, "too large"),
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
