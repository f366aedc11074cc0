//! What is about to leave, looked through for secrets: git's history forgets nothing. Pure.

use lib_common::redact::Redactor;
use lib_common::{Error, Result};

/// Begins a commit's message in what [`crate::git::Work::published`] gives.
pub const COMMIT: u8 = 1;
/// Ends it.
pub const DIFF: u8 = 2;

/// Refuses (exit 1) what holds a secret: one of `secrets` in any form, or a text that says of itself that it is one.
pub struct Guard<'a> {
    secrets: &'a [String],
}

impl<'a> Guard<'a> {
    /// `secrets`: known values.
    #[must_use]
    pub fn new(secrets: &'a [String]) -> Self {
        Self { secrets }
    }

    /// A text of a person's, found at `place`.
    pub fn text(&self, place: &str, text: &[u8]) -> Result<()> {
        let mut redactor = Redactor::new(self.secrets);
        let Some(line) = redactor.next_suspect(text, 0) else { return Ok(()) };
        let mut at = line.start;
        while let Some(line) = redactor.next_suspect(text, at) {
            redactor.line(&text[line.clone()]);
            if let Some(rule) = redactor.counts().keys().next() {
                let number = text[..line.start].split(|byte| *byte == b'\n').count();
                return Err(Error::no("looking for secrets", format!("it holds a secret ({rule})"))
                    .on(format!("{place} line {number}"))
                    .hint("nothing was pushed or sent; take it out"));
            }
            at = line.end;
        }
        Ok(())
    }

    /// Commits with their messages and what they add, as [`crate::git::Work::published`] gives them.
    pub fn commits(&self, log: &[u8]) -> Result<()> {
        for commit in log.split(|byte| *byte == COMMIT).filter(|commit| !commit.is_empty()) {
            let end = commit.iter().position(|byte| *byte == DIFF).unwrap_or(commit.len());
            self.text("the commit's message", &commit[..end])?;
            self.patch(&commit[end..])?;
        }
        Ok(())
    }

    /// The lines that a diff adds, and the names of its files.
    pub fn patch(&self, diff: &[u8]) -> Result<()> {
        let mut file = String::from("the patch");
        let mut added = Vec::new();
        for line in diff.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b"diff --git ") || line.starts_with(b"+++ ") {
                self.text(&file, &added)?;
                added.clear();
            }
            if let Some(name) = line.strip_prefix(b"+++ ") {
                let name = String::from_utf8_lossy(name).trim().trim_start_matches("b/").to_owned();
                self.text("a file's name", name.as_bytes())?;
                file = format!("the patch, what it adds to {name},");
            } else if let Some(text) = line.strip_prefix(b"+") {
                added.extend_from_slice(text);
            }
        }
        self.text(&file, &added)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef-t0ken";

    fn refused(check: impl Fn(&Guard) -> Result<()>) -> String {
        let secrets = [TOKEN.to_owned()];
        let error = check(&Guard::new(&secrets)).unwrap_err();
        assert_eq!(error.exit().code(), 1);
        let text = format!("{error} {}", error.hint_text().unwrap_or_default());
        assert!(!text.contains(TOKEN) && !text.contains("s3cretvalue"), "{text}");
        text
    }

    #[test]
    fn a_secret_is_refused_with_its_place() {
        let text = refused(|guard| guard.text("the title", format!("a\nuse {TOKEN}").as_bytes()));
        assert!(text.contains("the title line 2: it holds a secret (exact)"), "{text}");
        let basic = base64_of(TOKEN);
        refused(|guard| guard.text("the text", format!("Authorization: Basic {basic}").as_bytes()));
        let diff =
            format!("diff --git a/m/f b/m/f\n--- a/m/f\n+++ b/m/f\n@@ -1 +1,2 @@\n-old\n+new\n+{TOKEN}\n");
        let text = refused(|guard| guard.patch(diff.as_bytes()));
        assert!(text.contains("m/f, line 2"), "{text}");
        refused(|guard| guard.commits(format!("\u{1}Ann\nfix {TOKEN}\u{2}\n").as_bytes()));
        refused(|guard| guard.commits(format!("\u{1}Ann\nfix\u{2}\n{diff}").as_bytes()));
        refused(|guard| guard.text("the text", b"POSTGRES_PASSWORD=s3cretvalue9"));
    }

    #[test]
    fn what_is_taken_away_or_harmless_passes() {
        let secrets = [TOKEN.to_owned()];
        let guard = Guard::new(&secrets);
        let diff = format!(
            "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-{TOKEN}\n+SECRET_FILE=/run/secrets/db\n"
        );
        guard.patch(diff.as_bytes()).unwrap();
        guard.text("the title", b"wait until the password is set").unwrap();
    }

    /// The fixes of the proving ground are what people propose every day.
    #[test]
    fn our_own_fixes_pass() {
        let rows = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ground/rows");
        let folders = |path: &std::path::Path| -> Vec<_> {
            std::fs::read_dir(path).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
        };
        let mut seen = 0;
        for fix in folders(&rows).iter().flat_map(|row| folders(&row.join("fixes"))) {
            let patch = std::fs::read(fix.join("patch")).unwrap();
            Guard::new(&[]).patch(&patch).unwrap_or_else(|error| panic!("{}: {error}", fix.display()));
            seen += 1;
        }
        assert!(seen >= 5, "{seen} fixes");
    }

    fn base64_of(text: &str) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("redfix:{text}"))
    }
}
