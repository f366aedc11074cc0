//! The guard: a socket that speaks the engine's API for one run, and lets it touch nothing but its own.
//!
//! The story of a request: its head is brought into one normal form ([`request`]), found in the allow-list
//! ([`route`]), its body parsed so that it can be read in one way only ([`json`], [`shape`]); the [`rule`] of its
//! kind decides, asking for what it does not know ([`facts`], [`resolve`]); then it is stamped with the run's
//! label and carried to the engine ([`serve`], [`forward`]; an archive of images is read and written anew by [`load`]). Deciding is pure; what is not allowed is refused,
//! with the rule's name and a way out, and recorded ([`report`]). Beside it, the engine's own events show what
//! went around the guard ([`watch`], [`bypass`]).

mod ask;
mod bulk;
mod bypass;
pub mod cli;
mod facts;
mod forward;
pub mod fuzz;
mod json;
mod load;
pub mod mount;
mod pause;
mod policy;
mod report;
mod request;
mod resolve;
mod route;
mod rule;
pub mod secrets;
mod serve;
mod shape;
#[cfg(test)]
mod tests;
mod verdict;
mod watch;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lib_common::docker::{Endpoint, Engine};
use lib_common::{Error, Result};
use tokio::sync::oneshot;

pub use policy::Policy;
pub use report::Report;
use secrets::{Values, Writer};
use serve::Shared;

use crate::command::vocabulary::Vocabulary;
use crate::teardown::calls::Calls;

/// A guard that listens. It has a thread of its own: nothing that the tool does meanwhile holds it up.
pub struct Guard {
    socket: PathBuf,
    /// The engine's socket, where it is one.
    engine: Option<PathBuf>,
    stop: oneshot::Sender<()>,
    done: oneshot::Receiver<Report>,
    _placeholder: Option<mount::Placeholder>,
    /// Private to this user; goes with the guard.
    _folder: tempfile::TempDir,
}

/// Who hears of what passes by.
pub struct Tells {
    /// The companion, of secrets' values.
    pub secrets: Option<Writer>,
    /// Our own redaction, of the same.
    pub vocabulary: Vocabulary,
    /// The comparison of what is not the run's, of calls that change something.
    pub calls: Calls,
}

impl Guard {
    /// Listens from now on; returns when the engine's events are being watched.
    pub async fn start(engine: &Engine, policy: Policy, tells: Tells) -> Result<Self> {
        let doing = "starting the guard";
        let cannot = |e: std::io::Error| Error::cannot(doing, e);
        let folder = tempfile::Builder::new().prefix("redfix-guard-").tempdir().map_err(cannot)?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).map_err(cannot)?;
        let socket = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).map_err(|e| cannot(e).on(socket.display()))?;
        fs::set_permissions(&socket, Permissions::from_mode(0o600)).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;

        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let (tell, done) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let real = engine.clone();
        let work = move || {
            // Whoever waits for the report sees the channel close if this fails.
            if let Ok(report) = runtime.block_on(run(real, policy, tells, listener, ready, stopped)) {
                let _ = tell.send(report);
            }
        };
        std::thread::Builder::new().name("guard".into()).spawn(work).map_err(cannot)?;
        let object = engine.endpoint().to_string();
        tokio::time::timeout(engine.timeout(), is_ready)
            .await
            .ok()
            .and_then(std::result::Result::ok)
            .ok_or_else(|| Error::again(doing, "the engine does not tell its events").on(object))?;
        let path = match engine.endpoint() {
            Endpoint::Unix(path) => Some(path.clone()),
            Endpoint::Tcp(_) => None,
        };
        let placeholder = mount::is_possible().then(mount::Placeholder::at_default).flatten();
        Ok(Self { socket, engine: path, stop, done, _placeholder: placeholder, _folder: folder })
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The engine's own socket, to be covered.
    pub fn engine(&self) -> Option<&Path> {
        self.engine.as_deref()
    }

    /// Ends it and tells what it saw.
    pub async fn stop(self) -> Report {
        let _ = self.stop.send(());
        self.done.await.unwrap_or_else(|_| Report {
            unproved: Some("the guard came to an unexpected end".into()),
            ..Report::default()
        })
    }
}

async fn run(
    engine: Engine,
    policy: Policy,
    tells: Tells,
    listener: UnixListener,
    ready: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
) -> Result<Report> {
    let cannot = |e: std::io::Error| Error::cannot("starting the guard", e);
    let listener = tokio::net::UnixListener::from_std(listener).map_err(cannot)?;
    let shared = Shared::new(engine, policy, Values::new(tells.secrets, tells.vocabulary)?, tells.calls);
    let started = epoch();
    tokio::spawn(watch::follow(Arc::clone(&shared), ready));
    tokio::select! {
        () = accept(&listener, &shared) => {}
        // Dropped or told: both are the end.
        _ = stopped => {}
    }
    Ok(conclude(&shared, started).await)
}

async fn accept(listener: &tokio::net::UnixListener, shared: &Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptors left, most likely: connections that end give some back.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let shared = Arc::clone(shared);
        let service = service_fn(move |request| serve::serve(Arc::clone(&shared), request));
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // A client that goes away in the middle ends its own connection only.
            let _ = connection.with_upgrades().await;
        });
    }
}

/// Waits for creations on their way, then looks once more for what went around the guard.
async fn conclude(shared: &Shared, started: u64) -> Report {
    let patience = shared.engine.timeout();
    let settled = tokio::time::timeout(patience, shared.creating.write()).await.is_ok();
    let looked = watch::last_look(shared, started, epoch() + 1).await;
    let unproved = match looked {
        Ok(()) if settled => None,
        Ok(()) => Some("the engine had not answered every call of the run".to_owned()),
        Err(e) => Some(format!("what went around the guard is not known: {}", e.message)),
    };
    let state = shared.state();
    Report {
        requests: state.requests,
        refused: state.refusals.count,
        refusals: state.refusals.list(),
        unseen: state.sightings.judge(&shared.policy, &state.known),
        note: (!mount::is_possible()).then(|| NOT_COVERED.to_owned()),
        unproved,
    }
}

const NOT_COVERED: &str = "without the right to mount, the guard did not cover the engine's own socket";

fn epoch() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
