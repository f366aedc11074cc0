//! The files that a log was rotated into: `NAME.1` is the newest of them, `.gz` where it is compressed.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Kind;
use super::source::{Source, identity_of};

const MOST: u32 = 1000;
/// How often a rotation may come between listing and opening.
const TRIES: u32 = 5;

/// The rotated files that are there, oldest first.
fn list(path: &Path) -> Vec<PathBuf> {
    let numbered = |number: u32| {
        let name = |end: &str| PathBuf::from(format!("{}.{number}{end}", path.display()));
        // While it is being compressed both are there, and the plain one is whole.
        [name(""), name(".gz")].into_iter().find(|path| path.exists())
    };
    let mut files: Vec<PathBuf> = (1..MOST).map_while(numbered).collect();
    files.reverse();
    files
}

/// A rotated file: its name when it was opened, and what was opened.
type Older = (PathBuf, Source);

/// All files of a log: the rotated ones, oldest first, and the current one.
pub(super) fn all(path: &Path) -> io::Result<(Vec<Older>, Source)> {
    let mut tries = 0;
    loop {
        tries += 1;
        let current = Source::open(path)?;
        let open = |path: PathBuf| Source::open(&path).map(|source| (path, source));
        let older: io::Result<Vec<Older>> = list(path).into_iter().map(open).collect();
        let same = fs::metadata(path).is_ok_and(|now| Some(now.ino()) == current.inode);
        match older {
            Ok(mut older) if same || tries >= TRIES => {
                // The current one may have been renamed since it was opened.
                older.retain(|(_, file)| file.inode.is_none() || file.inode != current.inode);
                return Ok((older, current));
            }
            Err(e) if tries >= TRIES => return Err(e),
            _ => {}
        }
    }
}

/// The files that came after `known`, oldest first; true where it is not among the older ones any more, so
/// that others may be gone too. `None`: nothing came after it.
pub(super) fn after(path: &Path, known: &Source, kind: Kind) -> io::Result<Option<(Vec<Source>, bool)>> {
    let (older, current) = all(path)?;
    if current.inode == known.inode {
        return Ok(None);
    }
    let is_known = |(path, file): &Older| match file.inode {
        Some(inode) => Some(inode) == known.inode,
        None => known.identity.is_some() && identity_of(path, kind) == known.identity,
    };
    let place = older.iter().position(is_known);
    let newer = older.into_iter().skip(place.map_or(0, |place| place + 1)).map(|(_, file)| file);
    Ok(Some((newer.chain([current]).collect(), place.is_none())))
}
