//! Reads an archive of images, as `docker save` writes it, and writes it anew. The owner may give every name in the
//! copy, and the copy holds nothing that was not checked here.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::{Component, Path};

use serde_json::Value;
use tar::{Archive, Builder, Entry, EntryType, Header};

use crate::json;
use crate::refusal::Refusal;

const MANIFEST: &str = "manifest.json";
/// Files that name images in other formats. They are left out: with a manifest the engine does not need them.
const OTHER_NAMES: [&str; 3] = ["repositories", "index.json", "oci-layout"];
/// The keys that an image may have in the manifest. Others are refused, since the engine matches keys without case.
const KEYS: [&str; 5] = ["Config", "RepoTags", "Layers", "Parent", "LayerSources"];
/// Largest `manifest.json` that is read into memory; real ones have a few KiB.
const MAX_MANIFEST: u64 = 16 << 20;
const REMEDY: &str = "save the images with 'docker save', under names of your own";

/// Copies the archive. `own` refuses names that the owner may not give to an image.
///
/// # Errors
/// Why the archive may not be loaded, or that it could not be read or written.
pub fn copy(
    from: impl Read,
    to: impl Write,
    own: impl Fn(&str) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let (mut archive, mut copied) = (Archive::new(from), Builder::new(to));
    let (mut seen, mut folders) = (BTreeSet::new(), BTreeSet::new());
    for entry in archive.entries().map_err(|e| unread(&e))? {
        let mut entry = entry.map_err(|e| unread(&e))?;
        let path = plain_path(&entry)?;
        let parents = Path::new(&path).ancestors().skip(1).filter_map(Path::to_str);
        if parents.into_iter().any(|parent| seen.contains(parent)) {
            return Err(refused(&format!("{path}, which lies below a file")));
        }
        let is_folder = entry.header().entry_type() == EntryType::Directory;
        // A folder may occur twice. Nothing else may, or a later entry could replace one that was checked.
        if path.is_empty() || (is_folder && !seen.contains(&path)) {
            folders.insert(path);
            continue;
        }
        if folders.contains(&path) || !seen.insert(path.clone()) {
            return Err(refused(&format!("two entries {path}")));
        }
        match entry.header().entry_type() {
            EntryType::Regular if path == MANIFEST => {
                let manifest = manifest(&mut entry, &own)?;
                append(&mut copied, &path, manifest.len() as u64, manifest.as_bytes())?;
            }
            EntryType::Regular if OTHER_NAMES.contains(&path.as_str()) => {}
            EntryType::Regular => {
                let size = entry.size();
                append(&mut copied, &path, size, &mut entry)?;
            }
            EntryType::Symlink => link(&mut copied, &path, &entry)?,
            other => return Err(refused(&format!("{path}, of type {other:?}"))),
        }
    }
    if !seen.contains(MANIFEST) {
        return Err(refused(&format!("no {MANIFEST}")));
    }
    copied.into_inner().and_then(|mut to| to.flush()).map_err(|e| unwritten(&e))
}

/// The path without `./` and without a slash at its end; `..` and absolute paths are refused.
fn plain_path(entry: &Entry<impl Read>) -> Result<String, Refusal> {
    let bytes = entry.path_bytes();
    let odd = || refused(&format!("the path '{}'", String::from_utf8_lossy(&bytes)));
    let path = std::str::from_utf8(&bytes).map_err(|_| odd())?;
    let mut parts = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str().unwrap_or_default()),
            Component::CurDir => {}
            _ => return Err(odd()),
        }
    }
    Ok(parts.join("/"))
}

/// The manifest as it is sent on. Every image in it has names, and the owner may give all of them.
fn manifest(entry: &mut impl Read, own: &impl Fn(&str) -> Result<(), Refusal>) -> Result<String, Refusal> {
    let mut text = Vec::new();
    entry.take(MAX_MANIFEST + 1).read_to_end(&mut text).map_err(|e| unread(&e))?;
    if text.len() as u64 > MAX_MANIFEST {
        return Err(refused(&format!("{MANIFEST} of more than {} MiB", MAX_MANIFEST >> 20)));
    }
    let value = json::parse(&text).map_err(|e| refused(&format!("{MANIFEST}: {e}")))?;
    let images = value.as_array().ok_or_else(|| refused(&format!("a {MANIFEST} that is no list")))?;
    for image in images {
        let keys = image.as_object().ok_or_else(|| refused(&format!("{MANIFEST}: no object")))?;
        if let Some(key) = keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(refused(&format!("{MANIFEST} with '{key}'")));
        }
        let names = image["RepoTags"].as_array().map_or(&[][..], Vec::as_slice);
        let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
        match names {
            Some(names) if !names.is_empty() => names.into_iter().try_for_each(own)?,
            // Nobody could tell whose image it is.
            _ => return Err(refused("an image without a name")),
        }
    }
    Ok(value.to_string())
}

/// Copies a link, if it leads to another layer: older clients save a layer that two images share that way.
fn link(copied: &mut Builder<impl Write>, path: &str, entry: &Entry<impl Read>) -> Result<(), Refusal> {
    let target = entry.link_name_bytes().unwrap_or_default();
    let target = String::from_utf8_lossy(&target).into_owned();
    let id = target.strip_prefix("../").and_then(|rest| rest.strip_suffix("/layer.tar"));
    let is_layer = id.is_some_and(|id| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if !is_layer || path.matches('/').count() != 1 || !path.ends_with("/layer.tar") {
        return Err(refused(&format!("{path}, a link to '{target}'")));
    }
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    header.set_mode(0o644);
    copied.append_link(&mut header, path, &target).map_err(|e| unwritten(&e))
}

fn append(copied: &mut Builder<impl Write>, path: &str, size: u64, data: impl Read) -> Result<(), Refusal> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o644);
    let mut data = Whole { data, left: size };
    copied.append_data(&mut header, path, &mut data).map_err(|e| unwritten(&e))
}

/// Data of a known length. If it ends early that is an error; the tar writer would fill the rest with zeros.
struct Whole<R> {
    data: R,
    left: u64,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.data.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        if read == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends in the middle"));
        }
        Ok(read)
    }
}

fn refused(what: &str) -> Refusal {
    Refusal::new("image", format!("an archive with {what}")).remedy(REMEDY)
}

fn unread(e: &io::Error) -> Refusal {
    Refusal::new("image", format!("the archive is no plain tar: {e}"))
        .remedy("send it uncompressed, as 'docker save' writes it")
}

fn unwritten(e: &io::Error) -> Refusal {
    Refusal::new("image", format!("the archive could not be copied: {e}")).remedy("is there room in TMPDIR?")
}

#[cfg(test)]
mod tests;
