//! Handles SIGINT, SIGTERM and SIGHUP: the first one asks for an orderly end, a second one ends the process at once.

use std::io::Write;

use lib_common::{Error, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Holds the number of the signal that asked us to stop, once one did.
pub type Stop = watch::Receiver<Option<i32>>;

/// Handles signals from now on.
pub fn listen() -> Result<Stop> {
    let (send, stop) = watch::channel(None);
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let number = kind.as_raw_value();
        let mut stream = signal(kind).map_err(|e| Error::cannot("listening for signals", e))?;
        let send = send.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                let again = send.borrow().is_some();
                say(again);
                if again {
                    std::process::exit(128 + number);
                }
                let _ = send.send(Some(number));
            }
        });
    }
    Ok(stop)
}

fn say(again: bool) {
    let message = if again {
        "swarm-isolate: not waiting for the teardown; 'swarm-isolate reap' finishes it"
    } else {
        "swarm-isolate: stopping, tearing down; once more to leave at once"
    };
    let _ = writeln!(std::io::stderr(), "{message}");
}
