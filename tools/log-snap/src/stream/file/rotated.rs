//! The files that a log was rotated into: `NAME.1` is the newest of them, `.gz` where it is compressed.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Kind;
use super::source::Source;

const MOST: u32 = 1000;
/// How often a rotation may come between listing and opening, and how long one is waited for.
const TRIES: u32 = 50;
const MOMENT: Duration = Duration::from_millis(2);

/// The rotated files that are there, oldest first; `None` while a rotation renames them: there is a gap.
fn list(path: &Path) -> Option<Vec<PathBuf>> {
    let numbered = |number: u32| {
        let name = |end: &str| PathBuf::from(format!("{}.{number}{end}", path.display()));
        // While it is being compressed both are there, and the plain one is whole.
        [name(""), name(".gz")].into_iter().find(|path| path.exists())
    };
    let mut files: Vec<PathBuf> = (1..MOST).map_while(numbered).collect();
    let next = u32::try_from(files.len()).unwrap_or(MOST) + 2;
    files.reverse();
    numbered(next).is_none().then_some(files)
}

/// All files of a log: the rotated ones, oldest first, and the current one.
pub(super) fn all(path: &Path, kind: Kind) -> io::Result<(Vec<Source>, Source)> {
    let mut tries = 0;
    loop {
        tries += 1;
        let current = Source::open(path)?;
        let listed = list(path);
        let whole = listed.is_some();
        let older: io::Result<Vec<Source>> =
            listed.unwrap_or_default().iter().map(|path| Source::open(path)).collect();
        let same = fs::metadata(path).is_ok_and(|now| Some(now.ino()) == current.inode);
        match older {
            Ok(older) if (whole && same) || tries >= TRIES => {
                return Ok((without(older, &current, kind), current));
            }
            Err(e) if tries >= TRIES => return Err(e),
            _ => std::thread::sleep(MOMENT),
        }
    }
}

/// The older files without the current one, which may have been renamed since it was opened, and compressed, too.
fn without(mut older: Vec<Source>, current: &Source, kind: Kind) -> Vec<Source> {
    let Some(newest) = older.last() else { return older };
    let is_current = match newest.inode {
        Some(inode) => Some(inode) == current.inode,
        None => newest.first(kind).is_some_and(|first| Some(first) == current.first(kind)),
    };
    if is_current {
        older.pop();
    }
    older
}

/// The files that came after `known`, oldest first; true where it is not among the older ones any more, so
/// that others may be gone too. `None`: nothing came after it.
pub(super) fn after(path: &Path, known: &Source, kind: Kind) -> io::Result<Option<(Vec<Source>, bool)>> {
    let (older, current) = all(path, kind)?;
    if current.inode == known.inode {
        return Ok(None);
    }
    let is_known = |file: &Source| match file.inode {
        Some(inode) => Some(inode) == known.inode,
        None => known.identity.is_some() && file.first(kind) == known.identity,
    };
    let place = older.iter().position(is_known);
    let newer = older.into_iter().skip(place.map_or(0, |place| place + 1));
    Ok(Some((newer.chain([current]).collect(), place.is_none())))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn compress(from: &Path, to: &Path) {
        let mut encoder =
            flate2::write::GzEncoder::new(fs::File::create(to).unwrap(), flate2::Compression::fast());
        encoder.write_all(&fs::read(from).unwrap()).unwrap();
        encoder.finish().unwrap();
        fs::remove_file(from).unwrap();
    }

    fn line(number: u32) -> String {
        format!(
            "{{\"log\":\"{number}\\n\",\"stream\":\"stdout\",\"time\":\"2026-06-17T23:18:0{number}.1Z\"}}\n"
        )
    }

    #[test]
    fn a_current_file_that_was_renamed_and_compressed_meanwhile_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let name = |end: &str| PathBuf::from(format!("{}{end}", path.display()));
        fs::write(name(".2"), line(1)).unwrap();
        fs::write(&path, line(2)).unwrap();
        let mut current = Source::open(&path).unwrap();
        assert!(list(&path).is_none(), "no .1, but a .2: a rotation is under way");
        fs::rename(&path, name(".1")).unwrap();
        fs::write(&path, line(3)).unwrap();
        let open = || list(&path).unwrap().iter().map(|path| Source::open(path).unwrap()).collect::<Vec<_>>();
        assert_eq!(without(open(), &current, Kind::Json).len(), 1, "it is .1 by its inode");
        compress(&name(".1"), &name(".1.gz"));
        assert_eq!(without(open(), &current, Kind::Json).len(), 1, "it is .1.gz by its first record");
        let now = Source::open(&path).unwrap();
        assert_eq!(without(open(), &now, Kind::Json).len(), 2);
        let (newer, lost) = after(&path, &current, Kind::Json).unwrap().unwrap();
        assert_eq!((newer.len(), lost), (3, true), "nothing was read of it yet: it is not known again");
        current.identity = current.first(Kind::Json);
        let (newer, lost) = after(&path, &current, Kind::Json).unwrap().unwrap();
        assert_eq!((newer.len(), lost), (1, false));
    }
}
