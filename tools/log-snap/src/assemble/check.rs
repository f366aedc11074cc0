//! The last check before a bundle is published: no known secret may be in it, in any encoding.

use std::io::Read;

use lib_common::{Error, Result};

use crate::bundle::write::Writer;
use crate::clean::Cleaner;

const BLOCK: usize = 256 * 1024;
const DOING: &str = "checking the finished bundle";

/// Fails if anything that was written contains a known secret. The caller then drops the bundle unpublished.
pub fn no_leak(writer: &mut Writer, cleaner: &Cleaner) -> Result<()> {
    for content in writer.contents()? {
        let leaks = holds_secret(&mut content?, cleaner).map_err(|e| Error::cannot(DOING, e))?;
        if leaks {
            return Err(Error::cannot(
                DOING,
                "the bundle still contains a known secret, so nothing of it is kept",
            )
            .hint("this is a bug in log-snap, please report it"));
        }
    }
    Ok(())
}

/// Searches the content block by block. Consecutive blocks overlap by the longest encoded form of a secret (less one
/// byte), so that a secret on the border of two blocks is found too.
fn holds_secret(content: &mut dyn Read, cleaner: &Cleaner) -> std::io::Result<bool> {
    let overlap = cleaner.longest().saturating_sub(1);
    let mut block = Vec::new();
    loop {
        let before = block.len();
        block.resize(before + BLOCK, 0);
        let mut read = before;
        while read < block.len() {
            match content.read(&mut block[read..])? {
                0 => break,
                more => read += more,
            }
        }
        block.truncate(read);
        if cleaner.leaks(&block) {
            return Ok(true);
        }
        if read == before {
            return Ok(false);
        }
        block.drain(..read - overlap.min(read));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lib_common::redact::{Key, Rules};

    #[test]
    fn a_secret_across_blocks_is_found() {
        let cleaner = Cleaner::new(&[b"s3cr3t/Zebra+42".to_vec()], &Key::random(), Rules::builtin());
        for at in [0, BLOCK - 20, BLOCK - 7, BLOCK - 1, BLOCK, 2 * BLOCK - 3] {
            let text = [&vec![b'x'; at][..], b"s3cr3t/Zebra+42", &[b'y'; 40]].concat();
            assert!(holds_secret(&mut text.as_slice(), &cleaner).unwrap(), "{at}");
            assert!(!holds_secret(&mut &text[..at + 14], &cleaner).unwrap(), "{at}");
        }
    }
}
