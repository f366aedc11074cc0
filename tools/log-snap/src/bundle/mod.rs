//! The bundle: a folder of `index.jsonl` and content-addressed blobs.
//!
//! - `index.jsonl`: one object a line, its `kind` first; the first is `snap`, the last is `end`.
//! - `blobs/AA/HASH.zst`: HASH is the BLAKE3 of the *uncompressed* content, AA its first two digits. The
//!   content is compressed as independent zstd frames of 1 MiB of text each, so that an offset can be sought
//!   (`frames` lists where they start). No time of capture is in a blob: equal logs are equal blobs.
//! - The root hash is the BLAKE3 of `index.jsonl` with an empty `blake3` in its last line, where it then
//!   stands: `sed '$s/"blake3":"[0-9a-f]*"/"blake3":""/' index.jsonl | b3sum`. Every blob object carries the
//!   hash of its file too, so the root covers every byte of the bundle.

pub mod blob;
pub mod cat;
pub mod entry;
pub mod merge;
pub mod read;
pub mod verify;
pub mod write;

pub const INDEX: &str = "index.jsonl";
pub const BLOBS: &str = "blobs";
/// Raised when a field's meaning changes; new fields and kinds do not raise it.
pub const SCHEMA: u32 = 1;
