//! Writes a bundle under a temporary name, syncs it to disk and then renames it. So a bundle is either absent or
//! complete, even after a crash.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use lib_common::ledger::{folder_of, make_private_dir};
use lib_common::{Error, Result};
use tempfile::{NamedTempFile, TempDir};

use super::blob::Builder;
use super::entry::{Blob, End, Entry};
use super::{BLOBS, INDEX};

/// A bundle that is being written. If it is dropped before [`Writer::finish`], its folder is removed.
pub struct Writer {
    out: PathBuf,
    folder: TempDir,
    /// A lock on the folder that this process holds as long as it lives. A later process that gets the lock knows that
    /// the writer is dead, and removes the folder.
    _lock: File,
    index: BufWriter<File>,
    hasher: blake3::Hasher,
    blobs: BTreeMap<String, Blob>,
}

impl Writer {
    /// Starts a bundle that will get the name `out`. Fails early if `out` exists, or if its parent folder cannot be
    /// written. Removes what killed processes left of earlier attempts.
    pub fn create(out: &Path) -> Result<Self> {
        let fail = |e: io::Error| error(out, e);
        if fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) || out.is_file() {
            return Err(Error::cannot("starting the bundle", "exists already")
                .on(out.display())
                .hint("evidence is never overwritten: give another --out"));
        }
        let name = out.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let parent = folder_of(out).to_owned();
        make_private_dir(&parent).map_err(fail)?;
        let prefix = format!(".tmp-{name}-");
        remove_leftovers(&parent, &prefix).map_err(fail)?;
        let private = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix(&prefix).permissions(private).tempdir_in(&parent);
        let folder = folder.map_err(fail)?;
        let lock = File::open(folder.path()).map_err(fail)?;
        lock.lock().map_err(fail)?;
        let index = BufWriter::new(create(&folder.path().join(INDEX)).map_err(fail)?);
        let (hasher, blobs) = (blake3::Hasher::new(), BTreeMap::new());
        Ok(Self { out: out.to_owned(), folder, _lock: lock, index, hasher, blobs })
    }

    /// Adds a line to the index.
    pub fn entry(&mut self, entry: &Entry) -> Result<()> {
        let line = line(entry).map_err(|e| error(&self.out, e))?;
        self.line(&line)
    }

    /// Adds a line, which ends with its line feed, as it is.
    pub fn line(&mut self, line: &[u8]) -> Result<()> {
        self.hasher.update(line);
        self.index.write_all(line).map_err(|e| error(&self.out, e))
    }

    /// Starts a blob. When it is filled, pass it to [`Writer::blob`].
    pub fn builder(&self) -> Result<Builder<NamedTempFile>> {
        let file = NamedTempFile::new_in(self.folder.path()).map_err(|e| error(&self.out, e))?;
        Ok(Builder::new(file))
    }

    /// Stores a blob, unless one with the same content is already stored. Returns its hash; `None` if it is empty.
    pub fn blob(&mut self, blob: Builder<NamedTempFile>) -> Result<Option<String>> {
        let fail = |e: io::Error| error(&self.out, e);
        let Some((blob, file)) = blob.finish().map_err(fail)? else { return Ok(None) };
        let hash = blob.blake3.clone();
        if !self.blobs.contains_key(&hash) {
            let path = path_of(self.folder.path(), &blob);
            make_private_dir(path.parent().unwrap_or(self.folder.path())).map_err(fail)?;
            file.as_file().sync_all().map_err(fail)?;
            file.persist_noclobber(&path).map_err(|e| fail(e.error))?;
            self.entry(&Entry::Blob(blob.clone()))?;
            self.blobs.insert(hash.clone(), blob);
        }
        Ok(Some(hash))
    }

    /// Everything that was written so far, as a reader will see it: the index, and the decompressed content of each
    /// blob.
    pub fn contents(&mut self) -> Result<impl Iterator<Item = Result<Box<dyn Read>>> + '_> {
        self.index.flush().map_err(|e| error(&self.out, e))?;
        let this = &*self;
        let open = move |path: PathBuf| File::open(&path).map_err(|e| error(&this.out, e));
        let index = open(this.folder.path().join(INDEX)).map(|file| Box::new(file) as Box<dyn Read>);
        let blobs = this.blobs.values().map(move |blob| {
            let file = open(path_of(this.folder.path(), blob))?;
            let content = zstd::stream::read::Decoder::new(file).map_err(|e| error(&this.out, e))?;
            Ok(Box::new(content) as Box<dyn Read>)
        });
        Ok([index].into_iter().chain(blobs))
    }

    /// Writes the last line, syncs everything to disk and gives the bundle its name. Returns the root hash.
    pub fn finish(mut self, end: End) -> Result<String> {
        let fail = |e: io::Error| error(&self.out, e);
        let root = root_hash(self.hasher.clone(), &end).map_err(fail)?;
        let last = line(&Entry::End(End { blake3: root.clone(), ..end })).map_err(fail)?;
        self.index.write_all(&last).and_then(|()| self.index.flush()).map_err(fail)?;
        self.index.get_ref().sync_all().map_err(fail)?;
        sync_folders(self.folder.path()).map_err(fail)?;
        fs::rename(self.folder.path(), &self.out).map_err(fail)?;
        // The folder has its new name now, so `TempDir` must not try to remove the old one.
        let _ = self.folder.keep();
        let parent = folder_of(&self.out);
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(fail)?;
        Ok(root)
    }
}

/// The path of a blob's file in the bundle.
#[must_use]
pub fn path_of(bundle: &Path, blob: &Blob) -> PathBuf {
    let shard = blob.blake3.get(..2).unwrap_or_default();
    bundle.join(BLOBS).join(shard).join(format!("{}.zst", blob.blake3))
}

/// The root hash of an index. `before` was fed with all its lines but the last one, which is `end`.
pub fn root_hash(mut before: blake3::Hasher, end: &End) -> io::Result<String> {
    before.update(&line(&Entry::End(End { blake3: String::new(), ..end.clone() }))?);
    Ok(before.finalize().to_hex().to_string())
}

/// An index line in the form in which it is written.
pub fn line(entry: &Entry) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(line)
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Syncs the folders of the bundle. Syncing a file does not make its name durable; syncing its folder does.
fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}

/// Removes unfinished folders whose writer is dead, which shows in that nobody holds their lock.
fn remove_leftovers(parent: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) && entry.file_type()?.is_dir() {
            let folder = File::open(entry.path())?;
            if folder.try_lock().is_ok() {
                fs::remove_dir_all(entry.path())?;
            }
        }
    }
    Ok(())
}

fn error(out: &Path, cause: io::Error) -> Error {
    Error::cannot("writing the bundle", cause).on(out.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::entry::Gap;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn absent_or_whole() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("deep/snap");
        let mut writer = Writer::create(&out).unwrap();
        writer.entry(&Entry::Gap(Gap { what: "x".into() })).unwrap();
        assert!(!out.exists());
        drop(writer);
        assert_eq!(names(&dir.path().join("deep")), [""; 0]);
        let mut writer = Writer::create(&out).unwrap();
        let mut blob = writer.builder().unwrap();
        blob.push(b"text\n").unwrap();
        writer.blob(blob).unwrap();
        let root = writer.finish(End::default()).unwrap();
        assert_eq!(names(&dir.path().join("deep")), ["snap"]);
        assert_eq!(names(&out), ["blobs", "index.jsonl"]);
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o700);
        let index = fs::read_to_string(out.join(INDEX)).unwrap();
        assert!(index.ends_with(&format!("\"blake3\":\"{root}\"}}\n")), "{index}");
        let without = index.replace(&root, "");
        assert_eq!(blake3::hash(without.as_bytes()).to_hex().as_str(), root);
        assert!(Writer::create(&out).is_err(), "never overwritten");
    }

    #[test]
    fn a_dead_ones_leftovers_go_and_a_living_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("snap");
        fs::create_dir_all(dir.path().join(".tmp-snap-dead/blobs")).unwrap();
        fs::create_dir_all(dir.path().join(".tmp-other-dead")).unwrap();
        let first = Writer::create(&out).unwrap();
        assert_eq!(names(dir.path()).len(), 2, "{:?}", names(dir.path()));
        let second = Writer::create(&out).unwrap();
        assert!(first.folder.path().exists() && second.folder.path().exists());
    }

    #[test]
    fn an_empty_folder_may_be_there() {
        let dir = tempfile::tempdir().unwrap();
        Writer::create(dir.path()).unwrap().finish(End::default()).unwrap();
        assert_eq!(names(dir.path()), ["index.jsonl"]);
    }
}
