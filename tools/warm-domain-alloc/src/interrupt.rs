//! Handles Ctrl-C during a grant: finishes the step in progress and undoes it, within a bound.
//!
//! A separate thread waits for the signals, so that the process ends even if a write blocks on a full pipe.

use std::io::Write as _;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use lib_common::{Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Longest time from the first signal to the end.
const BOUND: Duration = Duration::from_secs(15);

/// Whether a signal came, and which grants are in progress. Cheap to clone.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Inner>);

#[derive(Default)]
struct Inner {
    signal: AtomicI32,
    pending: Mutex<Vec<String>>,
}

impl Interrupt {
    /// Catches SIGINT and SIGTERM from now on.
    pub fn watch() -> Result<Self> {
        let interrupt = Self::default();
        let (ready, is_ready) = mpsc::channel();
        let shared = interrupt.clone();
        let fail = |cause: String| Error::cannot("waiting for signals", cause);
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || shared.wait(&ready))
            .map_err(|e| fail(e.to_string()))?;
        is_ready.recv().map_err(|e| fail(e.to_string()))?.map_err(fail)?;
        Ok(interrupt)
    }

    /// The signal that came, if one did.
    pub fn signal(&self) -> Option<i32> {
        Some(self.0.signal.load(Ordering::Relaxed)).filter(|number| *number != 0)
    }

    /// Fails once a signal has come.
    pub fn check(&self) -> Result<()> {
        match self.signal() {
            Some(number) => Err(Error::again("leasing a domain", format!("ended by signal {number}"))),
            None => Ok(()),
        }
    }

    /// Notes a lease that may exist from now on and is not printed yet.
    pub fn add_pending(&self, lease: &impl ToString) {
        self.pending().push(lease.to_string());
    }

    /// Forgets a lease, because it is printed or gone.
    pub fn remove_pending(&self, lease: &impl ToString) {
        let name = lease.to_string();
        self.pending().retain(|pending| *pending != name);
    }

    fn pending(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, ready: &mpsc::Sender<std::result::Result<(), String>>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let _ = match runtime {
            Err(e) => ready.send(Err(e.to_string())),
            Ok(runtime) => runtime.block_on(async {
                match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
                    (Ok(mut int), Ok(mut term)) => {
                        let _ = ready.send(Ok(()));
                        self.serve(&mut int, &mut term).await;
                        Ok(())
                    }
                    (Err(e), _) | (_, Err(e)) => ready.send(Err(e.to_string())),
                }
            }),
        };
    }

    async fn serve(&self, int: &mut Signal, term: &mut Signal) {
        let number = next(int, term).await;
        self.0.signal.store(number, Ordering::Relaxed);
        say("interrupted: undoing grants that are not printed yet; interrupt again to skip that");
        // Meanwhile the main thread undoes the pending grants and ends the process. The lines below are reached only when that
        // takes too long or a second signal comes.
        let _ = tokio::time::timeout(BOUND, next(int, term)).await;
        for lease in self.pending().iter() {
            say(&format!("undoing a grant: {lease}: not finished, so the lease may still be held"));
        }
        std::process::exit(128 + number);
    }
}

async fn next(int: &mut Signal, term: &mut Signal) -> i32 {
    tokio::select! {
        _ = int.recv() => SignalKind::interrupt().as_raw_value(),
        _ = term.recv() => SignalKind::terminate().as_raw_value(),
    }
}

fn say(message: &str) {
    // Ignore the error: if standard error is gone there is nobody to report to.
    let _ = writeln!(std::io::stderr(), "warm-domain-alloc: {message}");
}
