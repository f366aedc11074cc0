//! Accepts connections for as long as the guarded work goes on.

use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lib_common::{Error, Result};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use crate::serve;
use crate::shared::Shared;
use crate::socket::Socket;

/// Serves whoever connects until `work` is done, then cuts every connection and removes the socket.
pub async fn until<T>(
    work: impl Future<Output = Result<T>>,
    socket: Socket,
    shared: &Arc<Shared>,
) -> Result<T> {
    let cannot = |e| Error::cannot("listening", e).on(socket.path().display());
    let listener = socket.listener.try_clone().and_then(UnixListener::from_std).map_err(cannot)?;
    tokio::select! {
        done = work => done,
        never = accept(&listener, shared) => match never {},
    }
}

/// Most connections at the same time; further ones wait. Without end they would keep others from the engine.
const MOST: usize = 256;

async fn accept(listener: &UnixListener, shared: &Arc<Shared>) -> std::convert::Infallible {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST => match accepted {
                Ok((stream, _)) => drop(connections.spawn(speak(stream, Arc::clone(shared)))),
                // Most likely the process is out of descriptors (EMFILE). Pause: connections that end free some.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn speak(stream: UnixStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| serve::serve(Arc::clone(&shared), request));
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // Ignore errors: a client that goes away ends only its own connection.
    let _ = connection.with_upgrades().await;
}
