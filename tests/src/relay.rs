//! Copies a connection's bytes in both directions between a tool and the engine's socket, and passes on the end of each
//! direction separately, because docker's attach and exec close only one of them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;

/// A connection whose two directions two threads can copy.
pub trait Connection: Read + Write + Send + Sized + 'static {
    /// # Errors
    /// When there is no descriptor left.
    fn twin(&self) -> io::Result<Self>;
    /// # Errors
    /// When the other end has closed the connection already.
    fn close(&self, how: Shutdown) -> io::Result<()>;
}

impl Connection for TcpStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
    }

    fn close(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }
}

impl Connection for UnixStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
    }

    fn close(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }
}

/// Starts two threads that copy both directions until each has ended.
///
/// # Panics
/// When no file descriptor is left.
pub fn join(client: impl Connection, engine: UnixStream) {
    let (mut up, mut down) = (client.twin().expect("a descriptor"), client);
    let (mut to, mut from) = (engine.twin().expect("a descriptor"), engine);
    std::thread::spawn(move || {
        let _ = io::copy(&mut up, &mut to);
        let _ = to.close(Shutdown::Write);
    });
    std::thread::spawn(move || {
        let _ = io::copy(&mut from, &mut down);
        let _ = down.close(Shutdown::Both);
    });
}
