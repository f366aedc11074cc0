//! The format of a bundle: a folder with `index.jsonl` and content-addressed blobs.
//!
//! - `index.jsonl` has one object per line, with `kind` as its first field. The first line is `snap`, the last `end`.
//! - `blobs/AA/HASH.zst`: HASH is the BLAKE3 of the *uncompressed* content, AA its first two digits. The content is
//!   compressed as independent zstd frames of 1 MiB of content each, so that a reader can seek to an offset (`frames`
//!   in the blob's index line lists where they start). A blob holds no time of capture, so equal logs are equal blobs.
//! - The root hash is the `blake3` in the last line of `index.jsonl`: the BLAKE3 of the index with that field empty,
//!   `sed '$s/"blake3":"[0-9a-f]*"/"blake3":""/' index.jsonl | b3sum`. The index line of each blob carries the hash of
//!   its file, so the root hash covers every byte of the bundle.

pub mod blob;
pub mod cat;
pub mod entry;
pub mod merge;
pub mod read;
pub mod verify;
pub mod write;

pub const INDEX: &str = "index.jsonl";
pub const BLOBS: &str = "blobs";
/// Version of the index format. It is raised when the meaning of a field changes, not for new fields and kinds.
pub const SCHEMA: u32 = 1;
