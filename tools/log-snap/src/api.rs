//! The part of the engine's API that this tool uses, as a trait that tests implement too: whole JSON answers, and
//! bodies that are read as they arrive.

use std::future::Future;

use hyper::Response;
use hyper::body::Incoming;
use lib_common::docker::{ApiResult, Engine};
use serde_json::Value;

/// A connection to an engine, or a fake one in tests.
pub trait Api: Clone + Send + Sync + 'static {
    type Body: Body;

    /// Sends `GET path` and parses the answer as JSON, all within the connection's deadline.
    fn get(&self, path: &str) -> impl Future<Output = ApiResult<Value>> + Send;

    /// Sends `GET path` and returns the body unread. The deadline covers only the head of the answer, because the
    /// body of a log or of the events may take as long as the recording.
    fn open(&self, path: &str) -> impl Future<Output = ApiResult<Self::Body>> + Send;
}

/// A body that is read as it arrives.
pub trait Body: Send + 'static {
    /// The next bytes; `None` at the end of the body. Dropping the future loses no bytes, so it can be used in
    /// `select!`.
    fn chunk(&mut self) -> impl Future<Output = ApiResult<Option<Vec<u8>>>> + Send;
}

impl Api for Engine {
    type Body = Response<Incoming>;

    async fn get(&self, path: &str) -> ApiResult<Value> {
        Engine::get(self, path).await
    }

    async fn open(&self, path: &str) -> ApiResult<Self::Body> {
        self.stream(path).await
    }
}

impl Body for Response<Incoming> {
    async fn chunk(&mut self) -> ApiResult<Option<Vec<u8>>> {
        Ok(Engine::chunk(self).await?.map(|bytes| bytes.to_vec()))
    }
}
