//! Updates the state files (`--state-dir`): it replaces its own sections between markers, and keeps what people wrote
//! around them.

pub mod journal;
pub mod pages;
mod section;

use std::io::Write;
use std::path::Path;

use lib_common::ledger::folder_of;
use lib_common::{Error, Result};

use crate::report::Report;

const DOING: &str = "keeping a state file";

/// Updates the five files in `folder`. Each is replaced by a rename, so that it is never half written. `journal` has a
/// line for each thing that happened, oldest first.
pub fn keep(folder: &Path, report: &Report, journal: &[String]) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::cannot(DOING, e).on(folder.display()))?;
    let replace = [
        ("STATUS-redfix.md", "status", pages::status(report)),
        ("BACKLOG-redfix.md", "backlog", pages::backlog(report)),
        ("REVIEW-redfix.md", "review", pages::review(report)),
        ("DECISIONS.md", "canon-exceptions", pages::exceptions(report)),
    ];
    for (name, section, content) in replace {
        rewrite(&folder.join(name), section, |_| content)?;
    }
    rewrite(&folder.join("JOURNAL-redfix.md"), "journal", |before| journal::grown(before, journal))
}

/// Replaces one section of a file by what `change` makes of it. If that changes nothing, the file is not touched.
fn rewrite(path: &Path, name: &str, change: impl FnOnce(&str) -> String) -> Result<()> {
    let fail = |e: std::io::Error| Error::cannot(DOING, e).on(path.display());
    let before = match std::fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        other => other.map_err(fail)?,
    };
    let section = section::find(&before, name).map_err(|cause| {
        Error::cannot(DOING, cause)
            .on(path.display())
            .hint("mend the markers by hand, or remove both: the section is then added at the end")
    })?;
    let after = section::replaced(&before, name, section.clone(), &change(&before[section.unwrap_or(0..0)]));
    if after == before {
        return Ok(());
    }
    let folder = folder_of(path);
    let mut file =
        tempfile::Builder::new().permissions(permissions(path)).tempfile_in(folder).map_err(fail)?;
    file.write_all(after.as_bytes()).map_err(fail)?;
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

/// The permissions of the file, or for a new file 0644, because people are to read it. (A temporary file has 0600.)
fn permissions(path: &Path) -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).map_or_else(|_| PermissionsExt::from_mode(0o644), |meta| meta.permissions())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_and_the_files_mode_stay() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("X.md");
        rewrite(&path, "x", |before| format!("{before}one\n")).unwrap();
        let mine = format!("# Mine\r\n\n{}\nlast words", std::fs::read_to_string(&path).unwrap());
        std::fs::write(&path, mine).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        rewrite(&path, "x", |before| format!("{before}two\n")).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("# Mine\r\n\n<!-- redfix:begin x -->\none\ntwo\n<!-- redfix:end x -->\n"),
            "{text}"
        );
        assert!(text.ends_with("\nlast words"), "{text}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_marker_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("X.md");
        std::fs::write(&path, "<!-- redfix:begin x -->\nmine\n").unwrap();
        let error = rewrite(&path, "x", |_| "lost\n".into()).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("X.md"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "<!-- redfix:begin x -->\nmine\n");
    }
}
