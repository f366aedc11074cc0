//! A pseudo-terminal for commands that want one (abra does).
//!
//! Nobody sits at it. So it does not echo, it answers the first reads with end of file, and it does not add carriage
//! returns to line feeds: the logs look like those of a pipe.

use std::fs::{File, OpenOptions};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, Winsize, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe;

/// The size when standard error is no terminal whose size could be copied; wide enough for abra's tables.
const SIZE: Winsize = Winsize { ws_row: 50, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 };

/// Each Control-D ends one read of a program that asks its user something; 16 is more than any harness asks.
const ENDS_OF_FILE: [u8; 16] = [4; 16];

/// Our end of the terminal. It reads like a pipe, except that its end comes as an error.
pub struct Pty(pipe::Receiver);

/// Opens a terminal; returns our end and the command's. Close the command's end here once the command has it: otherwise
/// reading our end never ends.
pub fn open() -> io::Result<(Pty, File)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let name = ptsname(&ours, Vec::new())?;
    let path =
        std::path::Path::new(std::ffi::OsStr::new(name.to_str().map_err(io::Error::other)?)).to_owned();
    let theirs = {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = i32::try_from(OFlags::NOCTTY.bits()).unwrap_or_default();
        OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?
    };
    let mut modes = tcgetattr(&theirs)?;
    modes.local_modes.remove(LocalModes::ECHO);
    modes.output_modes.remove(OutputModes::OPOST);
    tcsetattr(&theirs, OptionalActions::Now, &modes)?;
    tcsetwinsize(&theirs, tcgetwinsize(io::stderr()).unwrap_or(SIZE))?;
    rustix::io::write(&ours, &ENDS_OF_FILE)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((Pty(pipe::Receiver::from_owned_fd_unchecked(ours)?), theirs))
}

impl AsyncRead for Pty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.0).poll_read(cx, to) {
            // Linux returns EIO once the last process has closed the other end: that is the end of file.
            Poll::Ready(Err(e)) if e.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}
