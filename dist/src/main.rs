//! dist FOLDER: writes the shell completions of every command below FOLDER.

use std::io;
use std::path::PathBuf;

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| io::Error::other("dist: which folder?"))?;
    dist::write(&PathBuf::from(folder))
}
