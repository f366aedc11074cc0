//! `log-snap verify`: recomputes every hash of a bundle and names the files that differ.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use lib_common::{Error, Result};

use super::entry::{Blob, End, Entry};
use super::read::Bundle;
use super::write::path_of;
use super::{BLOBS, INDEX, write};

/// What differs, each item starting with the file's name. The list is empty if the bundle is as it was written.
pub fn verify(folder: &Path) -> Result<Vec<String>> {
    let fail = |e: io::Error| Error::cannot("verifying", e).on(folder.display());
    let index = fs::read(folder.join(INDEX)).map_err(fail)?;
    let mut wrong: Vec<String> =
        check_index(&index).err().map(|e| format!("{INDEX}: {e}")).into_iter().collect();
    let bundle = match Bundle::open(folder) {
        Ok(bundle) => bundle,
        Err(e) => {
            wrong.push(format!("{INDEX}: {}", e.cause()));
            return Ok(wrong);
        }
    };
    let mut expected = BTreeSet::from([INDEX.to_owned()]);
    for blob in &bundle.blobs {
        let path = path_of(folder, blob);
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        if let Err(cause) = check_blob(&bundle, blob, &path) {
            wrong.push(format!("{name}: {cause}"));
        }
        expected.insert(name);
    }
    let known: BTreeSet<&str> = bundle.blobs.iter().map(|blob| blob.blake3.as_str()).collect();
    for stream in &bundle.streams {
        for hash in stream.text.iter().chain(&stream.times).filter(|hash| !known.contains(hash.as_str())) {
            wrong.push(format!("{INDEX}: the log of {} needs blob {hash}, which is not there", stream.name));
        }
    }
    let mut found = BTreeSet::new();
    list(folder, "", &mut found).map_err(fail)?;
    wrong.extend(found.difference(&expected).map(|name| format!("{name}: not in the index")));
    Ok(wrong)
}

/// Checks the root hash in the last line. That line must be byte for byte what log-snap writes: the same values in
/// another notation would have the same root hash.
fn check_index(index: &[u8]) -> std::result::Result<(), String> {
    let body = index.strip_suffix(b"\n").ok_or("the index is torn: its last line has no line feed")?;
    let start = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let end: End =
        serde_json::from_slice(&body[start..]).map_err(|e| format!("its last line is no end: {e}"))?;
    let written = write::line(&Entry::End(end.clone())).map_err(|e| e.to_string())?;
    if written != index[start..] {
        return Err("its last line was changed".into());
    }
    let mut before = blake3::Hasher::new();
    before.update(&index[..start]);
    let root = write::root_hash(before, &end).map_err(|e| e.to_string())?;
    if root == end.blake3 {
        Ok(())
    } else {
        Err(format!("its root hash is {root}, its last line says {}", end.blake3))
    }
}

fn check_blob(bundle: &Bundle, blob: &Blob, path: &Path) -> std::result::Result<(), String> {
    let hash = |reader: &mut dyn Read| {
        let mut hasher = blake3::Hasher::new();
        let bytes = io::copy(reader, &mut hasher).map_err(|e| e.to_string())?;
        Ok::<_, String>((hasher.finalize().to_hex().to_string(), bytes))
    };
    let mut file = fs::File::open(path).map_err(|e| e.to_string())?;
    if hash(&mut file)? != (blob.file_blake3.clone(), blob.file_bytes) {
        return Err("the file was changed".into());
    }
    let mut content = bundle.content(&blob.blake3).map_err(|e| e.to_string())?;
    if hash(&mut content)? != (blob.blake3.clone(), blob.bytes) {
        return Err("the content does not have the hash that is its name".into());
    }
    Ok(())
}

/// Lists the files of a bundle. Of a folder that does not belong to one only the name is listed.
fn list(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let ours = name == BLOBS || name.starts_with(&format!("{BLOBS}/"));
        if entry.file_type()?.is_dir() && ours {
            list(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.insert(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::entry::Gap;
    use crate::bundle::write::Writer;

    /// Writes a bundle with one blob; returns the paths of its two files.
    fn bundle(dir: &Path) -> [std::path::PathBuf; 2] {
        let mut writer = Writer::create(&dir.join("snap")).unwrap();
        let mut blob = writer.builder().unwrap();
        blob.push(b"hello\nworld\n").unwrap();
        let hash = writer.blob(blob).unwrap().unwrap();
        writer.entry(&Entry::Gap(Gap { what: "x".into() })).unwrap();
        writer.finish(End { complete: true, ..End::default() }).unwrap();
        let blob = dir.join(format!("snap/blobs/{}/{hash}.zst", &hash[..2]));
        [dir.join("snap/index.jsonl"), blob]
    }

    #[test]
    fn every_flipped_bit_of_every_byte_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let files = bundle(dir.path());
        let snap = dir.path().join("snap");
        assert_eq!(verify(&snap).unwrap(), [""; 0]);
        for file in files {
            let whole = fs::read(&file).unwrap();
            for at in 0..whole.len() {
                let mut broken = whole.clone();
                broken[at] ^= 1 << (at % 8);
                fs::write(&file, &broken).unwrap();
                let name = file.file_name().unwrap().to_string_lossy();
                let wrong = verify(&snap).unwrap();
                assert!(wrong.iter().any(|line| line.contains(&*name)), "{name} byte {at}: {wrong:?}");
            }
            fs::write(&file, &whole).unwrap();
        }
        assert_eq!(verify(&snap).unwrap(), [""; 0]);
    }

    #[test]
    fn missing_and_additional_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let [index, blob] = bundle(dir.path());
        let snap = dir.path().join("snap");
        fs::write(snap.join("extra"), "x").unwrap();
        fs::create_dir(snap.join("folder")).unwrap();
        let wrong = verify(&snap).unwrap();
        assert_eq!(wrong, ["extra: not in the index", "folder: not in the index"]);
        fs::remove_file(blob).unwrap();
        assert!(verify(&snap).unwrap()[0].contains("No such file"));
        let text = fs::read_to_string(&index).unwrap();
        fs::write(&index, &text[..text.len() - 1]).unwrap();
        assert!(verify(&snap).unwrap()[0].contains("torn"));
    }
}
