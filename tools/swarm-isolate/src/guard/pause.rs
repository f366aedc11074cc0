//! A pause shorter than a millisecond, which is the runtime's own finest: a timer of the kernel's.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::net::unix::pipe::Receiver;

/// Not armed at first: then nobody waits.
pub struct Pause {
    /// Read like a pipe in which eight bytes lie once it is over.
    timer: Receiver,
    is_armed: bool,
}

impl Pause {
    /// Within a runtime.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { timer: Receiver::from_owned_fd_unchecked(timer)?, is_armed: false })
    }

    /// From now on; below a second.
    pub fn arm(&mut self, pause: Duration) -> io::Result<()> {
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Timespec { tv_sec: 0, tv_nsec: pause.subsec_nanos().into() };
        let once = Itimerspec { it_interval: never, it_value: value };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        self.is_armed = true;
        Ok(())
    }

    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.is_armed {
            ready!(self.timer.poll_read_ready(context))?;
            match self.timer.try_read(&mut [0; 8]) {
                Ok(_) => self.is_armed = false,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_over_when_its_time_is_and_not_before() {
        let mut pause = Pause::new().unwrap();
        std::future::poll_fn(|context| pause.poll(context)).await.unwrap();
        for _ in 0..2 {
            let started = std::time::Instant::now();
            pause.arm(Duration::from_micros(700)).unwrap();
            std::future::poll_fn(|context| pause.poll(context)).await.unwrap();
            assert!(started.elapsed() >= Duration::from_micros(700));
        }
    }
}
