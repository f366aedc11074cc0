//! Gives the engine the very folder that the guard looked at.
//!
//! The engine resolves the source of a bind mount again, each time a container starts. By then the path may lead anywhere.
//! So the guard opens the path, looks where that led, and mounts what it opened at a place below a folder that only root
//! may write, in the engine's own mount namespace. The request names that place instead.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, mkdirat, openat};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change,
    move_mount, open_tree, unmount,
};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use crate::peer;

/// Holds one folder for each guard, in the engine's mount namespace.
const BASE: &str = "/run/swarm-guard";
/// Most files and folders that one guard mounts.
const MOST: usize = 1000;
/// How many of them are kept whether they are used or not.
const NEW: usize = 100;

/// The mounts of one guard. They are made when they are needed, and gone when this is dropped.
pub struct Stage {
    /// The engine's socket; `None` where the engine is reached over TCP.
    engine: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    place: Option<Place>,
    /// Where what the engine may mount is, by device and inode.
    given: HashMap<(u64, u64), Given>,
    /// How many there have been.
    count: usize,
}

/// One file or folder that the engine may mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Where it was when it was opened, without symbolic links.
    pub real: PathBuf,
    /// Where the engine finds it.
    pub mount: PathBuf,
    number: usize,
}

/// The folder that holds the mounts.
struct Place {
    /// The engine's mount namespace.
    namespace: OwnedFd,
    folder: PathBuf,
    /// Locked for as long as this guard lives.
    _lock: File,
}

impl Stage {
    pub fn new(engine: Option<&Path>) -> Self {
        Self { engine: engine.map(ToOwned::to_owned), state: Mutex::default() }
    }

    /// What the engine was given under this path.
    pub fn given(&self, mount: &Path) -> Option<Given> {
        self.state().given.values().find(|given| given.mount == mount).cloned()
    }

    /// Mounts what was opened where the engine finds it; twice the same is mounted once.
    pub fn give(&self, opened: &Opened) -> io::Result<Given> {
        let meta = fstat(&opened.file)?;
        let mut state = self.state();
        if let Some(given) = state.given.get(&(meta.st_dev, meta.st_ino)) {
            return Ok(given.clone());
        }
        if state.given.len() >= MOST {
            return Err(io::Error::other(format!("more than {MOST} files and folders")));
        }
        let place = match state.place.take() {
            Some(place) => place,
            None => self.make()?,
        };
        let number = state.count;
        state.count += 1;
        let mount = place.folder.join(number.to_string());
        let is_folder = FileType::from_raw_mode(meta.st_mode) == FileType::Directory;
        let mounted = place.mount(&opened.file, &mount, is_folder);
        state.place = Some(place);
        mounted?;
        let given = Given { real: opened.real.clone(), mount, number };
        state.given.insert((meta.st_dev, meta.st_ino), given.clone());
        Ok(given)
    }

    pub fn is_full(&self) -> bool {
        self.state().given.len() >= MOST
    }

    /// Takes away what is not `used` by a container or service, and not so new that its request may be under way.
    pub fn forget(&self, used: &BTreeSet<String>) {
        let mut state = self.state();
        let State { place, given, count } = &mut *state;
        let Some(place) = place else { return };
        let is_needed =
            |one: &Given| one.number + NEW >= *count || used.contains(&*one.mount.to_string_lossy());
        let gone: Vec<PathBuf> =
            given.values().filter(|one| !is_needed(one)).map(|one| one.mount.clone()).collect();
        given.retain(|_, one| is_needed(one));
        let _ = within(&place.namespace, || {
            for mount in &gone {
                let _ = unmount(mount, UnmountFlags::DETACH);
                let _ = fs::remove_dir(mount).or_else(|_| fs::remove_file(mount));
            }
            Ok(())
        });
    }

    fn make(&self) -> io::Result<Place> {
        let engine =
            self.engine.as_ref().ok_or_else(|| io::Error::other("the engine is not on this machine"))?;
        let namespace: OwnedFd = File::open(format!("/proc/{}/ns/mnt", peer::process(engine)?))?.into();
        let (folder, lock) = within(&namespace, || {
            sweep();
            begin()
        })?;
        Ok(Place { namespace, folder, _lock: lock })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(place) = self.state().place.take() {
            let _ = within(&place.namespace, || {
                end(&place.folder);
                Ok(())
            });
        }
    }
}

impl Place {
    fn mount(&self, source: &OwnedFd, target: &Path, is_folder: bool) -> io::Result<()> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH
            | OpenTreeFlags::AT_RECURSIVE;
        let tree = open_tree(source, "", flags)?;
        // Else the end of this mount would end those that lie in the original, too.
        make_private(&tree)?;
        within(&self.namespace, || {
            if is_folder {
                DirBuilder::new().mode(0o700).create(target)?;
            } else {
                File::create_new(target)?;
            }
            move_mount(&tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
            Ok(())
        })
    }
}

/// Does the work in a mount namespace, on a thread of its own: all others stay where they are.
fn within<T: Send>(namespace: &OwnedFd, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let thread = || {
        enter(namespace)?;
        work()
    };
    std::thread::scope(|scope| {
        scope
            .spawn(thread)
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that mounts has died")))
    })
}

#[allow(unsafe_code)]
fn enter(namespace: &OwnedFd) -> io::Result<()> {
    // SAFETY: root and working folder alone are unshared, and no descriptor table that another thread could look into.
    unsafe { unshare_unsafe(UnshareFlags::FS) }?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?;
    Ok(())
}

/// `mount_setattr(2)`: mounts of the tree are nobody's peers any more.
#[allow(unsafe_code)]
fn make_private(tree: &OwnedFd) -> io::Result<()> {
    let attributes =
        libc::mount_attr { attr_set: 0, attr_clr: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    // SAFETY: the path is a string that ends, the attributes live until the call returns, and their size is theirs.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes the folder of one guard: a file system of its own, so that no other namespace has to see what is in it.
fn begin() -> io::Result<(PathBuf, File)> {
    DirBuilder::new().mode(0o700).recursive(true).create(BASE)?;
    let base = fs::symlink_metadata(BASE)?;
    if !base.is_dir() || base.uid() != 0 || base.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!("{BASE} is no folder that only root may write")));
    }
    let folder = tempfile::Builder::new().prefix("").tempdir_in(BASE)?.keep();
    let lock = File::create_new(lock_of(&folder))?;
    lock.try_lock()?;
    let options = c"mode=0700,size=1m";
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("swarm-guard", &folder, "tmpfs", flags, Some(options))?;
    Ok((folder, lock))
}

fn end(folder: &Path) {
    // A mount that is gone already is no reason to leave the rest.
    let _ = mount_change(folder, MountPropagationFlags::PRIVATE | MountPropagationFlags::REC);
    let _ = unmount(folder, UnmountFlags::DETACH);
    let _ = fs::remove_dir(folder);
    let _ = fs::remove_file(lock_of(folder));
}

/// Takes away what guards that were killed have left.
fn sweep() {
    for entry in fs::read_dir(BASE).into_iter().flatten().flatten() {
        let lock = entry.path();
        if lock.extension().is_some_and(|it| it == "lock")
            && File::open(&lock).is_ok_and(|file| file.try_lock().is_ok())
        {
            end(&lock.with_extension(""));
        }
    }
}

fn lock_of(folder: &Path) -> PathBuf {
    folder.with_extension("lock")
}

/// A file or folder that was opened, and where it was then.
#[derive(Debug)]
pub struct Opened {
    file: OwnedFd,
    pub real: PathBuf,
}

/// Opens what a path leads to. With `within`, folders that are missing are made, if they come to lie in one of those.
///
/// # Errors
/// The path is not absolute, has a `..` part, leads nowhere, or to what has no path any more.
pub fn open(path: &Path, within: Option<&[PathBuf]>) -> io::Result<Opened> {
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !path.is_absolute() || !plain {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no plain absolute path"));
    }
    let mut missing: Vec<OsString> = Vec::new();
    let mut existing = path.to_owned();
    let found = loop {
        match openat(CWD, &existing, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => break named(file)?,
            Err(e) if within.is_none() || e != rustix::io::Errno::NOENT => return Err(e.into()),
            Err(e) => match existing.file_name() {
                Some(name) => {
                    missing.push(name.to_owned());
                    existing.pop();
                }
                None => return Err(e.into()),
            },
        }
    };
    let allowed = within.unwrap_or_default().iter().any(|folder| found.real.starts_with(folder));
    if missing.is_empty() {
        return Ok(found);
    }
    if !allowed {
        return Err(rustix::io::Errno::NOENT.into());
    }
    let mut file = found.file;
    for name in missing.iter().rev() {
        match mkdirat(&file, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(e) => return Err(e.into()),
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        file = openat(&file, name, flags, Mode::empty())?;
    }
    named(file)
}

/// Where the kernel says that the open file is.
fn named(file: OwnedFd) -> io::Result<Opened> {
    let real = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    // Of what was removed, the kernel adds " (deleted)" to the path.
    let meta = fstat(&file)?;
    let same = fs::symlink_metadata(&real)
        .is_ok_and(|there| (there.dev(), there.ino()) == (meta.st_dev, meta.st_ino));
    if same { Ok(Opened { file, real }) } else { Err(io::Error::from(io::ErrorKind::NotFound)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn real(path: &Path, within: Option<&[PathBuf]>) -> Option<PathBuf> {
        open(path, within).ok().map(|opened| opened.real)
    }

    #[test]
    fn a_path_is_where_it_leads_to() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        symlink("/etc", root.join("out")).unwrap();
        symlink("/nowhere/yet", root.join("later")).unwrap();
        fs::create_dir(root.join("a")).unwrap();
        assert_eq!(real(&root.join("a"), None), Some(root.join("a")));
        assert_eq!(real(&root.join("out"), None), Some("/etc".into()));
        for nothing in ["b", "a/b", "a/../a", "later"] {
            assert_eq!(real(&root.join(nothing), None), None, "{nothing}");
        }
        assert_eq!(real(Path::new("relative"), None), None);
    }

    #[test]
    fn only_what_lies_in_an_allowed_folder_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let [inside, outside] = ["inside", "outside"].map(|name| root.join(name));
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        symlink(&outside, inside.join("link")).unwrap();
        symlink(outside.join("new"), inside.join("dangling")).unwrap();
        let allowed = [inside.clone()];
        assert_eq!(real(&inside.join("x/y"), Some(&allowed)), Some(inside.join("x/y")));
        assert!(inside.join("x/y").is_dir());
        assert_eq!(real(&inside.join("link/z"), Some(&allowed)), None);
        assert_eq!(real(&inside.join("dangling"), Some(&allowed)), None);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "nothing was made out there");
    }

    #[test]
    fn without_an_engine_on_this_machine_nothing_can_be_given() {
        let dir = tempfile::tempdir().unwrap();
        let opened = open(dir.path(), None).unwrap();
        assert!(Stage::new(None).give(&opened).unwrap_err().to_string().contains("not on this machine"));
    }
}
