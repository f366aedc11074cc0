//! Reads the index of a bundle, and its blobs as streams.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use lib_common::{Error, Result};

use super::blob::FRAME;
use super::entry::{Blob, Snap, Step, Stream, Task, Timeline};
use super::write::path_of;
use super::{INDEX, SCHEMA};

/// The parts of an index that the subcommands read.
pub struct Bundle {
    pub folder: PathBuf,
    pub snap: Option<Snap>,
    pub tasks: Vec<Task>,
    /// Every state of each task, by the task's id.
    pub timelines: BTreeMap<String, Vec<Step>>,
    pub streams: Vec<Stream>,
    pub blobs: Vec<Blob>,
}

impl Bundle {
    /// Reads the index of the bundle in `folder`. Lines of other kinds are skipped.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(INDEX);
        let fail =
            |cause: &dyn std::fmt::Display| Error::cannot("reading the bundle", cause).on(path.display());
        let index = File::open(&path).map_err(|e| fail(&e).hint("a bundle is a folder with index.jsonl"))?;
        let mut bundle = Self {
            folder: folder.to_owned(),
            snap: None,
            tasks: Vec::new(),
            timelines: BTreeMap::new(),
            streams: Vec::new(),
            blobs: Vec::new(),
        };
        for (number, line) in BufReader::new(index).lines().enumerate() {
            let line = line.map_err(|e| fail(&e))?;
            let bad = |cause: &dyn std::fmt::Display| fail(&format!("line {}: {cause}", number + 1));
            let value: Value = serde_json::from_str(&line).map_err(|e| bad(&e))?;
            let kind = value["kind"].as_str().unwrap_or_default().to_owned();
            match kind.as_str() {
                "snap" if value["schema"].as_u64() > Some(SCHEMA.into()) => {
                    return Err(bad(&"a newer log-snap wrote this bundle").hint("update log-snap"));
                }
                "snap" => bundle.snap = Some(typed(value).map_err(|e| bad(&e))?),
                "task" => bundle.tasks.push(typed(value).map_err(|e| bad(&e))?),
                "timeline" => {
                    let timeline: Timeline = typed(value).map_err(|e| bad(&e))?;
                    bundle.timelines.insert(timeline.task, timeline.steps);
                }
                "stream" => bundle.streams.push(typed(value).map_err(|e| bad(&e))?),
                "blob" => bundle.blobs.push(typed(value).map_err(|e| bad(&e))?),
                _ => {}
            }
        }
        Ok(bundle)
    }

    /// The content of a blob. It is decompressed as the caller reads it.
    pub fn content(&self, hash: &str) -> Result<impl BufRead + use<>> {
        self.content_at(hash, 0)
    }

    /// The content of a blob from `offset` on. Reading starts with the frame that holds the offset.
    pub fn content_at(&self, hash: &str, offset: u64) -> Result<impl BufRead + use<>> {
        let doing = "reading a blob";
        let blob = self.blobs.iter().find(|blob| blob.blake3 == hash);
        let blob = blob.ok_or_else(|| Error::cannot(doing, "the index has no such blob").on(hash))?;
        let path = path_of(&self.folder, blob);
        let fail = |e| Error::cannot(doing, e).on(path.display());
        let mut file = File::open(&path).map_err(fail)?;
        let offset = offset.min(blob.bytes);
        let frame = usize::try_from(offset / FRAME as u64)
            .unwrap_or(usize::MAX)
            .min(blob.frames.len().saturating_sub(1));
        file.seek(SeekFrom::Start(blob.frames.get(frame).copied().unwrap_or(0))).map_err(fail)?;
        let content = zstd::stream::read::Decoder::new(file).map_err(fail)?;
        // A damaged or hostile file may decompress to any size. At most one byte more than the index says is read, so
        // that `verify` notices the difference.
        let skipped = (frame * FRAME) as u64;
        let mut content = BufReader::new(content.take(blob.bytes.saturating_add(1) - skipped));
        std::io::copy(&mut content.by_ref().take(offset - skipped), &mut std::io::sink()).map_err(fail)?;
        Ok(content)
    }
}

fn typed<T: DeserializeOwned>(value: Value) -> serde_json::Result<T> {
    serde_json::from_value(value)
}
