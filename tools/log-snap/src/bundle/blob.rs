//! A blob in the making: content in, hash and independent zstd frames out.

use std::io::{self, Write};

use super::entry::Blob;

/// Content of one frame.
pub const FRAME: usize = 1 << 20;
/// On log text as small as level 3, and nearly twice as fast.
const LEVEL: i32 = 1;

/// Takes content; frames go to `file` as they fill.
pub struct Builder<W> {
    file: W,
    content_hash: blake3::Hasher,
    file_hash: blake3::Hasher,
    open: Vec<u8>,
    frames: Vec<u64>,
    bytes: u64,
    file_bytes: u64,
}

impl<W: Write> Builder<W> {
    pub fn new(file: W) -> Self {
        Self {
            file,
            content_hash: blake3::Hasher::new(),
            file_hash: blake3::Hasher::new(),
            open: Vec::new(),
            frames: Vec::new(),
            bytes: 0,
            file_bytes: 0,
        }
    }

    pub fn push(&mut self, mut content: &[u8]) -> io::Result<()> {
        self.bytes += content.len() as u64;
        while !content.is_empty() {
            let (now, later) = content.split_at(content.len().min(FRAME - self.open.len()));
            self.open.extend_from_slice(now);
            content = later;
            if self.open.len() == FRAME {
                self.frame()?;
            }
        }
        Ok(())
    }

    fn frame(&mut self) -> io::Result<()> {
        self.frames.push(self.file_bytes);
        self.content_hash.update(&self.open);
        let packed = zstd::bulk::compress(&self.open, LEVEL)?;
        self.file_hash.update(&packed);
        self.file_bytes += packed.len() as u64;
        self.file.write_all(&packed)?;
        self.open.clear();
        Ok(())
    }

    /// The blob's index line and its file; `None` if nothing was pushed.
    pub fn finish(mut self) -> io::Result<Option<(Blob, W)>> {
        if self.bytes == 0 {
            return Ok(None);
        }
        if !self.open.is_empty() {
            self.frame()?;
        }
        let blob = Blob {
            blake3: self.content_hash.finalize().to_hex().to_string(),
            bytes: self.bytes,
            file_blake3: self.file_hash.finalize().to_hex().to_string(),
            file_bytes: self.file_bytes,
            frames: self.frames,
        };
        Ok(Some((blob, self.file)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(parts: &[&[u8]]) -> (Blob, Vec<u8>) {
        let mut builder = Builder::new(Vec::new());
        for part in parts {
            builder.push(part).unwrap();
        }
        builder.finish().unwrap().unwrap()
    }

    #[test]
    fn the_same_content_is_the_same_file() {
        let content: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).take(FRAME * 2 + 7).collect();
        let (one, file) = blob(&[&content]);
        let (two, again) = blob(&[&content[..5], &content[5..FRAME], &content[FRAME..]]);
        assert_eq!((&one, &file), (&two, &again));
        assert_eq!((one.bytes, one.frames.len()), (content.len() as u64, 3));
        assert_eq!(zstd::decode_all(file.as_slice()).unwrap(), content);
    }

    #[test]
    fn a_frame_stands_alone() {
        let content: Vec<u8> = (0..FRAME + 10).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let (blob, file) = blob(&[&content]);
        let second = usize::try_from(blob.frames[1]).unwrap();
        assert_eq!(zstd::decode_all(&file[second..]).unwrap(), &content[FRAME..]);
    }

    #[test]
    fn nothing_is_no_blob() {
        assert!(Builder::new(Vec::new()).finish().unwrap().is_none());
    }
}
