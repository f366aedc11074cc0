//! Derives from the arguments which stack is captured, where the bundle goes, and how its path is printed.

use std::path::{Path, PathBuf};

use lib_common::{Error, Result};

use crate::cli::{Capture, Secrecy};
use crate::stream::reader::Limits;

const DOING: &str = "reading arguments";

/// A bundle that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub stack: String,
    pub out: PathBuf,
    pub attempt: Option<String>,
}

/// The bundle of the stack that `--stack` names; `None` without `--stack`.
pub fn named(capture: &Capture) -> Result<Option<Target>> {
    let Some(stack) = capture.stack.as_deref() else { return Ok(None) };
    check_stack(stack)?;
    let target = Target { stack: stack.into(), out: out(capture)?, attempt: capture.attempt.clone() };
    Ok(Some(target))
}

/// The bundle of a run whose `run.finished` was read: a folder below `--out`, named after the attempt.
pub fn of_run(capture: &Capture, stack: &str, attempt: &str) -> Result<Target> {
    check_stack(stack)?;
    // The id comes from a record and becomes part of a path, so it must not lead out of the folder.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if attempt.is_empty() || attempt.starts_with('.') || !attempt.bytes().all(plain) {
        return Err(
            Error::cannot(DOING, "this id cannot be the name of a folder").on(format!("attempt '{attempt}'"))
        );
    }
    Ok(Target { stack: stack.into(), out: out(capture)?.join(attempt), attempt: Some(attempt.into()) })
}

fn out(capture: &Capture) -> Result<PathBuf> {
    let beside = || capture.evidence.as_ref().map(|folder| folder.join("snap"));
    let out = capture.out.clone().or_else(beside).filter(|out| out.file_name().is_some());
    out.ok_or_else(|| {
        Error::cannot(DOING, "no folder is named for the bundle")
            .hint("give --out DIR, or set REDFIX_EVIDENCE")
    })
}

/// Checks that a name consists of what the engine allows in the name of a stack. It becomes part of the engine's
/// filters and of URLs.
fn check_stack(stack: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if stack.is_empty() || !stack.bytes().all(plain) {
        return Err(Error::cannot(DOING, "this cannot be the name of a stack").on(format!("'{stack}'")));
    }
    Ok(())
}

#[must_use]
pub fn limits(capture: &Capture) -> Limits {
    Limits {
        idle: capture.idle,
        stream: capture.max_bytes,
        line: usize::try_from(capture.max_log_line).unwrap_or(usize::MAX),
    }
}

/// Memory that the process needs besides the logs that it holds: its code, the compiled rules, and the frames that
/// are being written.
const BASE: u64 = 28 << 20;

/// Bytes of memory that the held logs may take.
#[must_use]
pub fn budget(capture: &Capture) -> u64 {
    capture.memory.saturating_sub(BASE)
}

/// The file with the key of the pseudonyms. By default it lies beside the ledger, and never in the bundle: whoever has
/// the key could check guesses of a secret against its pseudonym.
#[must_use]
pub fn key_file(secrecy: &Secrecy) -> Option<PathBuf> {
    let beside = || secrecy.relative_to.as_ref().map(|folder| folder.join("redact.key"));
    secrecy.key_file.clone().or_else(beside)
}

/// The path in `log.snapped`: relative to `base` if it lies below it, otherwise as given.
#[must_use]
pub fn printed(out: &Path, base: Option<&Path>) -> String {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let relative = base.and_then(|base| real(out).strip_prefix(real(base)).map(Path::to_owned).ok());
    relative.unwrap_or_else(|| out.to_owned()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Args;
    use clap::Parser as _;

    fn capture(args: &[&str]) -> Capture {
        Args::try_parse_from([&["log-snap"], args].concat()).unwrap().capture
    }

    #[test]
    fn the_bundle_goes_beside_the_evidence() {
        let target = named(&capture(&["--stack", "s", "--evidence", "/e"])).unwrap().unwrap();
        assert_eq!(target.out, Path::new("/e/snap"));
        let target = named(&capture(&["--stack", "s", "--evidence", "/e", "--out", "o"])).unwrap().unwrap();
        assert_eq!(target.out, Path::new("o"));
        assert!(named(&capture(&["--stack", "s"])).unwrap_err().hint_text().unwrap().contains("--out"));
        assert_eq!(named(&capture(&["--out", "o"])).unwrap(), None);
    }

    #[test]
    fn the_key_lies_beside_the_ledger() {
        let key = |args: &[&str]| key_file(&capture(args).secrecy);
        assert_eq!(key(&["--relative-to", "/l"]), Some("/l/redact.key".into()));
        assert_eq!(key(&["--relative-to", "/l", "--key-file", "k"]), Some("k".into()));
        assert_eq!(key(&[]), None);
    }

    #[test]
    fn names_from_records_cannot_lead_elsewhere() {
        let capture = capture(&["--out", "o"]);
        assert_eq!(of_run(&capture, "s", "A1").unwrap().out, Path::new("o/A1"));
        for (stack, attempt) in [("s", "../x"), ("s", ""), ("s", "a/b"), ("s&x=1", "A1"), ("", "A1")] {
            assert!(of_run(&capture, stack, attempt).is_err(), "{stack} {attempt}");
        }
    }

    #[test]
    fn paths_are_relative_to_the_ledger() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("a/snap");
        std::fs::create_dir_all(&out).unwrap();
        assert_eq!(printed(&out, Some(dir.path())), "a/snap");
        assert_eq!(printed(&out, Some(Path::new("/elsewhere"))), out.to_string_lossy());
        assert_eq!(printed(Path::new("x/y"), None), "x/y");
    }
}
