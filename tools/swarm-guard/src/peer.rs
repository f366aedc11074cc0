//! The process behind a socket.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::net::sockopt::socket_peercred;

/// The process that listens at the engine's socket. Its namespaces are the engine's.
pub fn process(socket: &Path) -> io::Result<i32> {
    Ok(socket_peercred(UnixStream::connect(socket)?)?.pid.as_raw_nonzero().get())
}
