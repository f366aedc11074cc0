//! What this tool needs of an engine: whole JSON answers, and bodies that are read as they come.

use std::future::Future;

use hyper::Response;
use hyper::body::Incoming;
use lib_common::docker::{ApiResult, Engine};
use serde_json::Value;

/// An engine, or a fake one in tests.
pub trait Api: Clone + Send + Sync + 'static {
    type Body: Body;

    /// `GET` as JSON, within the connection's deadline.
    fn get(&self, path: &str) -> impl Future<Output = ApiResult<Value>> + Send;

    /// `GET` whose body comes over time; the deadline covers only the answer's head.
    fn open(&self, path: &str) -> impl Future<Output = ApiResult<Self::Body>> + Send;
}

/// A body that is read as it comes. `chunk` may be cancelled without loss; `None` is the end.
pub trait Body: Send + 'static {
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
