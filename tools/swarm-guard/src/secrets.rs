//! Passes the values of secrets to the process that captures logs, so that it can redact them. The engine never returns
//! a secret's value, so the guard writes it to a pipe before the engine gets it.
//!
//! Each secret is one line, `{"name":"...","value_base64":"..."}`.

use std::io;

use lib_common::cli::Place;
use lib_common::{Error, Result};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::Sender;
use tokio::sync::Mutex;

/// The pipe, if there is one.
pub struct Secrets(Option<Mutex<Sender>>);

impl Secrets {
    /// Takes over the inherited descriptor and marks it close-on-exec, so that the command does not inherit it. Must be
    /// called within a tokio runtime.
    pub fn open(descriptor: Option<u32>) -> Result<Self> {
        let Some(number) = descriptor else { return Ok(Self(None)) };
        let pipe = Place::Descriptor(number).take().and_then(Sender::from_file);
        let cannot = |e| Error::cannot("opening the pipe for secrets", e).on(format!("descriptor {number}"));
        Ok(Self(Some(Mutex::new(pipe.map_err(cannot)?))))
    }

    /// Returns when the line is in the pipe.
    pub async fn tell(&self, name: &str, value_base64: &str) -> io::Result<()> {
        let Some(pipe) = &self.0 else { return Ok(()) };
        let line = json!({"name": name, "value_base64": value_base64});
        pipe.lock().await.write_all(format!("{line}\n").as_bytes()).await
    }
}
