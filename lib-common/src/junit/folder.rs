//! The `JUnit` files below a folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Names, Test, parse};

/// What a folder holds; both lists are in the order of the paths.
#[derive(Debug, Default)]
pub struct Below {
    /// Its regular `*.xml` files, at any depth.
    pub files: Vec<PathBuf>,
    /// Its symbolic links. They are not followed, because one may lead anywhere, e.g. to a folder above.
    pub links: Vec<PathBuf>,
}

/// Looks through `folder` without following a link.
#[must_use]
pub fn below(folder: &Path) -> Below {
    let mut found = Below::default();
    find(folder, &mut found);
    found.files.sort();
    found.links.sort();
    found
}

fn find(folder: &Path, found: &mut Below) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        if kind.is_dir() {
            find(&path, found);
        } else if kind.is_symlink() {
            found.links.push(path);
        // A named pipe is left out because reading it would block.
        } else if kind.is_file() && is_xml(&path) {
            found.files.push(path);
        }
    }
}

#[must_use]
pub fn is_xml(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("xml"))
}

/// The report's path below the folder. The attempts that Bazel repeated (`test_attempts/attempt_1.xml` beside `test.xml`)
/// count as one report.
#[must_use]
pub fn report_name(folder: &Path, file: &Path) -> String {
    let path = file.strip_prefix(folder).unwrap_or(file).display().to_string();
    match path.rfind("test_attempts/attempt_") {
        Some(at) => format!("{}test.xml", &path[..at]),
        None => path,
    }
}

/// Every test in the `*.xml` files below `folder`, which are those of one run, and a sentence for each file that was no
/// `JUnit` file and for what was odd.
#[must_use]
pub fn read(folder: &Path) -> (Vec<Test>, Vec<String>) {
    let (mut tests, mut notes, mut odd) = (Vec::new(), Vec::new(), crate::foreign::Odd::default());
    for file in below(folder).files {
        let read = fs::read(&file).map_err(|e| e.to_string());
        match read.and_then(|bytes| parse(&bytes).map_err(|bad| bad.to_string())) {
            Ok(report) => {
                odd.merge(report.odd.within(file.display()));
                let name = report_name(folder, &file);
                tests.extend(report.tests.into_iter().map(|mut test| {
                    test.place.report.clone_from(&name);
                    test
                }));
            }
            Err(cause) => notes.push(format!("not a JUnit file: {}: {cause}", file.display())),
        }
    }
    let mut names = Names::default();
    names.learn(tests.iter().map(|test| &test.place));
    for test in &mut tests {
        test.id = names.id(&test.place);
    }
    notes.extend(odd.lines());
    (tests, notes)
}
