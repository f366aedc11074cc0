//! Finds the files that a log was rotated into. `NAME.1` is the newest of them; compressed ones end with `.gz`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Driver;
use super::log_file::LogFile;

/// Highest number of a rotated file that is looked for.
const MOST: u32 = 1000;
/// How often opening the files is repeated because a rotation came in between.
const TRIES: u32 = 50;
/// How long a rotation is waited for before the next try. It only renames a few files.
const MOMENT: Duration = Duration::from_millis(2);

/// Lists the rotated files, oldest first. It returns `None` while a rotation is renaming them: a number is missing
/// then.
fn list(path: &Path) -> Option<Vec<PathBuf>> {
    let numbered = |number: u32| {
        let name = |end: &str| PathBuf::from(format!("{}.{number}{end}", path.display()));
        // While a file is being compressed both forms exist, and only the plain one is complete.
        [name(""), name(".gz")].into_iter().find(|path| path.exists())
    };
    let mut files: Vec<PathBuf> = (1..MOST).map_while(numbered).collect();
    let next = u32::try_from(files.len()).unwrap_or(MOST) + 2;
    files.reverse();
    numbered(next).is_none().then_some(files)
}

/// Opens all files of a log: the rotated ones, oldest first, and the current one.
///
/// A rotation may come between listing and opening. The result is consistent if no number was missing, all files could
/// be opened, and the current file still has its name afterwards; otherwise it is tried again.
pub(super) fn all(path: &Path, driver: Driver) -> io::Result<(Vec<LogFile>, LogFile)> {
    let mut tries = 0;
    loop {
        tries += 1;
        let current = LogFile::open(path)?;
        let listed = list(path);
        let whole = listed.is_some();
        let older: io::Result<Vec<LogFile>> =
            listed.unwrap_or_default().iter().map(|path| LogFile::open(path)).collect();
        let same = fs::metadata(path).is_ok_and(|now| Some(now.ino()) == current.inode);
        match older {
            Ok(older) if (whole && same) || tries >= TRIES => {
                return Ok((without(older, &current, driver), current));
            }
            Err(e) if tries >= TRIES => return Err(e),
            _ => std::thread::sleep(MOMENT),
        }
    }
}

/// Removes the current file from the list of older ones. It is among them if it was renamed (and perhaps compressed)
/// after it was opened.
fn without(mut older: Vec<LogFile>, current: &LogFile, driver: Driver) -> Vec<LogFile> {
    let Some(newest) = older.last() else { return older };
    let is_current = match newest.inode {
        Some(inode) => Some(inode) == current.inode,
        None => newest.first(driver).is_some_and(|first| Some(first) == current.first(driver)),
    };
    if is_current {
        older.pop();
    }
    older
}

/// The files that came after `known`, oldest first; `None` if there are none. The flag is true if `known` itself is not
/// among the rotated files any more: files between it and the oldest one may then be lost too.
pub(super) fn after(
    path: &Path,
    known: &LogFile,
    driver: Driver,
) -> io::Result<Option<(Vec<LogFile>, bool)>> {
    let (older, current) = all(path, driver)?;
    if current.inode == known.inode {
        return Ok(None);
    }
    let is_known = |file: &LogFile| match file.inode {
        Some(inode) => Some(inode) == known.inode,
        None => known.identity.is_some() && file.first(driver) == known.identity,
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
        let mut current = LogFile::open(&path).unwrap();
        assert!(list(&path).is_none(), "no .1, but a .2: a rotation is under way");
        fs::rename(&path, name(".1")).unwrap();
        fs::write(&path, line(3)).unwrap();
        let open =
            || list(&path).unwrap().iter().map(|path| LogFile::open(path).unwrap()).collect::<Vec<_>>();
        assert_eq!(without(open(), &current, Driver::Json).len(), 1, "it is .1 by its inode");
        compress(&name(".1"), &name(".1.gz"));
        assert_eq!(without(open(), &current, Driver::Json).len(), 1, "it is .1.gz by its first record");
        let now = LogFile::open(&path).unwrap();
        assert_eq!(without(open(), &now, Driver::Json).len(), 2);
        let (newer, lost) = after(&path, &current, Driver::Json).unwrap().unwrap();
        assert_eq!((newer.len(), lost), (3, true), "nothing was read of it yet: it is not known again");
        current.identity = current.first(Driver::Json);
        let (newer, lost) = after(&path, &current, Driver::Json).unwrap().unwrap();
        assert_eq!((newer.len(), lost), (1, false));
    }
}
