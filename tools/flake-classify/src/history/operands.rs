//! Finds the files that are read, each of them once, however many paths lead to it.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lib_common::foreign::Odd;
use lib_common::junit::{below, is_xml};

/// A path of the command line that is read.
pub struct Operand<'a> {
    pub path: &'a Path,
    /// The files below it, where it is a folder that one run wrote.
    pub files: Option<Vec<PathBuf>>,
}

/// Device and inode, which identify a file whatever its path is.
type Id = (u64, u64);

/// The paths without those that lead to the same file or folder as another one; of a link (`latest`) and what it points
/// to, the link is left out. With `of_files`, a folder stands for the `*.xml` files below it. Links to folders in it are
/// not followed, because they lead to other runs or upwards. A link to a file is followed if no other path leads there.
pub fn distinct<'a>(paths: &'a [PathBuf], of_files: bool, odd: &mut Odd) -> Vec<Operand<'a>> {
    let mut seen: HashSet<Id> = HashSet::new();
    let mut kept = vec![false; paths.len()];
    for links in [false, true] {
        for (at, path) in paths.iter().enumerate().filter(|(_, path)| is_link(path) == links) {
            // A path that does not exist becomes an error when it is read.
            kept[at] = id(path).is_none_or(|id| seen.insert(id));
        }
    }
    let again = paths.iter().zip(&kept).filter(|(_, kept)| !**kept);
    again.for_each(|(path, _)| told(odd, "path to what was read already", path));
    let kept = paths.iter().zip(kept).filter(|(_, kept)| *kept).map(|(path, _)| path.as_path());
    let mut operands: Vec<(Operand, Vec<PathBuf>)> = kept
        .map(|path| {
            if !of_files || !path.is_dir() {
                return (Operand { path, files: None }, vec![]);
            }
            let found = below(path);
            let new = found.files.into_iter().filter(|file| id(file).is_none_or(|id| seen.insert(id)));
            (Operand { path, files: Some(new.collect()) }, found.links)
        })
        .collect();
    for (operand, links) in &mut operands {
        for link in links.drain(..) {
            let is_new = link.is_file() && is_xml(&link) && id(&link).is_some_and(|id| seen.insert(id));
            match operand.files.as_mut().filter(|_| is_new) {
                Some(files) => files.push(link),
                None => told(odd, "link that is not followed", &link),
            }
        }
        operand.files.iter_mut().for_each(|files| files.sort());
    }
    operands.into_iter().map(|(operand, _)| operand).collect()
}

fn told(odd: &mut Odd, what: &'static str, path: &Path) {
    odd.note(what, path.display(), "");
}

/// Whether the path is a link; `latest/` is one, too.
fn is_link(path: &Path) -> bool {
    let plain: PathBuf = path.components().collect();
    fs::symlink_metadata(plain).is_ok_and(|about| about.is_symlink())
}

fn id(path: &Path) -> Option<Id> {
    fs::metadata(path).ok().map(|about| (about.dev(), about.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_run_is_read_once_and_links_upwards_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for night in ["n1", "n2"] {
            fs::create_dir(at(night)).unwrap();
            fs::write(at(night).join("j.xml"), "x").unwrap();
            symlink("..", at(night).join("up")).unwrap();
        }
        fs::write(at("store"), "x").unwrap();
        symlink("n2", at("a-latest")).unwrap();
        symlink("../n2/j.xml", at("n1/last.xml")).unwrap();
        symlink("../store", at("n1/k.xml")).unwrap();
        fs::hard_link(at("n1/j.xml"), at("n2/same.xml")).unwrap();
        let paths = [at("a-latest/"), at("n1"), at("n2"), at("gone")];
        let mut odd = Odd::default();
        let operands = distinct(&paths, true, &mut odd);
        let read: Vec<(&Path, usize)> =
            operands.iter().map(|o| (o.path, o.files.as_ref().map_or(0, Vec::len))).collect();
        assert_eq!(read, [(paths[1].as_path(), 2), (paths[2].as_path(), 1), (paths[3].as_path(), 0)]);
        let said: Vec<String> = odd.lines().collect();
        assert!(said[0].starts_with("passed over: 3 of 'link that is not followed'"), "{said:?}");
        assert!(said[1].contains("a-latest"), "{said:?}");
    }
}
