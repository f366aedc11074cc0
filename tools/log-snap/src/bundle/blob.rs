//! Builds a blob: takes content, hashes it and compresses it into independent zstd frames.

use std::io::{self, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::entry::Blob;

/// Bytes of content in one frame. A reader that wants an offset decompresses at most one frame before it.
pub const FRAME: usize = 1 << 20;
/// zstd level. On log text level 1 compresses as well as level 3, and is nearly twice as fast.
const LEVEL: i32 = 1;

/// Takes content and writes it to `file` frame by frame. As soon as the first frame is full, a thread hashes,
/// compresses and writes the frames, while the caller redacts the next one. Most blobs are smaller than a frame and
/// need no thread.
pub struct Builder<W> {
    open: Vec<u8>,
    state: State<W>,
}

enum State<W> {
    /// No frame was full yet: there is no thread.
    Here(Box<Packer<W>>),
    /// A thread takes the frames from the channel, and returns the packer when the channel closes.
    Beside(SyncSender<Vec<u8>>, JoinHandle<io::Result<Box<Packer<W>>>>),
    /// The packer was taken out: it is on its way into the thread, or the thread has ended.
    Moving,
}

/// Hashes, compresses and writes frames.
struct Packer<W> {
    file: W,
    content_hash: blake3::Hasher,
    file_hash: blake3::Hasher,
    frames: Vec<u64>,
    bytes: u64,
    file_bytes: u64,
}

impl<W: Write> Packer<W> {
    fn frame(&mut self, content: &[u8]) -> io::Result<()> {
        self.frames.push(self.file_bytes);
        self.bytes += content.len() as u64;
        self.content_hash.update(content);
        let packed = zstd::bulk::compress(content, LEVEL)?;
        self.file_hash.update(&packed);
        self.file_bytes += packed.len() as u64;
        self.file.write_all(&packed)
    }
}

impl<W: Write + Send + 'static> Builder<W> {
    pub fn new(file: W) -> Self {
        let packer = Packer {
            file,
            content_hash: blake3::Hasher::new(),
            file_hash: blake3::Hasher::new(),
            frames: Vec::new(),
            bytes: 0,
            file_bytes: 0,
        };
        Self { open: Vec::new(), state: State::Here(Box::new(packer)) }
    }

    pub fn push(&mut self, mut content: &[u8]) -> io::Result<()> {
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
        let content = std::mem::take(&mut self.open);
        if matches!(self.state, State::Here(_))
            && let State::Here(packer) = std::mem::replace(&mut self.state, State::Moving)
        {
            self.state = beside(packer);
        }
        let State::Beside(frames, _) = &self.state else { return Err(gone()) };
        if frames.send(content).is_err() {
            // The thread has ended early, with an error: this returns it.
            self.packer()?;
        }
        Ok(())
    }

    /// Takes the packer back. If there is a thread, waits for it to write what it has.
    fn packer(&mut self) -> io::Result<Box<Packer<W>>> {
        match std::mem::replace(&mut self.state, State::Moving) {
            State::Here(packer) => Ok(packer),
            State::Beside(frames, thread) => {
                drop(frames);
                thread.join().map_err(|_| gone())?
            }
            State::Moving => Err(gone()),
        }
    }

    /// Writes the last frame. Returns the blob's index line and its file; `None` if nothing was pushed.
    pub fn finish(mut self) -> io::Result<Option<(Blob, W)>> {
        let mut packer = self.packer()?;
        if !self.open.is_empty() {
            packer.frame(&self.open)?;
        }
        let blob = Blob {
            blake3: packer.content_hash.finalize().to_hex().to_string(),
            bytes: packer.bytes,
            file_blake3: packer.file_hash.finalize().to_hex().to_string(),
            file_bytes: packer.file_bytes,
            frames: packer.frames,
        };
        Ok((blob.bytes > 0).then_some((blob, packer.file)))
    }
}

/// Moves the packer to a thread. One frame may wait in the channel; the next `push` then blocks, which bounds the
/// memory.
fn beside<W: Write + Send + 'static>(mut packer: Box<Packer<W>>) -> State<W> {
    let (frames, work) = sync_channel::<Vec<u8>>(1);
    let thread = std::thread::spawn(move || {
        for content in work {
            packer.frame(&content)?;
        }
        Ok(packer)
    });
    State::Beside(frames, thread)
}

fn gone() -> io::Error {
    io::Error::other("the thread that compresses the blob has ended unexpectedly")
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
    fn a_disk_that_fills_is_told() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut builder = Builder::new(Full);
        let content = vec![7; FRAME];
        let told = (0..20).find_map(|_| builder.push(&content).err()).unwrap();
        assert_eq!(told.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn nothing_is_no_blob() {
        assert!(Builder::new(Vec::new()).finish().unwrap().is_none());
    }
}
