//! Typed calls for objects of our own: they create configs and services, remove the objects of a run, and read what the
//! engine says of itself. The compiler checks that the engine understands the fields that we send.
//!
//! Updates are not among them. A compare-and-swap must send back the spec that was read, with the fields of newer
//! engines that bollard's models lack; and the version that it compares is a `u64`, which bollard narrows.

use std::future::Future;

use bollard::errors::Error;
use bollard::models::{ConfigSpec, ServiceSpec, SystemInfo};
use bollard::query_parameters::{RemoveContainerOptions, RemoveVolumeOptions};

use super::{ApiError, ApiResult, Engine};
use crate::swarm::object::Kind;

impl Engine {
    /// What the engine says of itself (`GET /info`).
    pub async fn info(&self) -> ApiResult<SystemInfo> {
        self.call(self.typed.info()).await
    }

    /// Creates a config. Returns false if the name is taken.
    pub async fn create_config(&self, spec: ConfigSpec) -> ApiResult<bool> {
        match self.call(self.typed.create_config(spec)).await {
            Ok(_) => Ok(true),
            Err(e) if e.status == 409 => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Creates a service and returns its id. The engine asks no registry for the image's digest: since API 1.30 it
    /// leaves that to clients.
    pub async fn create_service(&self, spec: ServiceSpec) -> ApiResult<String> {
        let made = self.call(self.typed.create_service(spec, None)).await?;
        Ok(made.id.unwrap_or_default())
    }

    /// Removes an object; a container is killed, and its anonymous volumes are removed with it. It is no error if the
    /// object does not exist any more.
    pub async fn remove(&self, kind: Kind, id: &str) -> ApiResult<()> {
        let docker = &self.typed;
        let container = RemoveContainerOptions { force: true, v: true, link: false };
        let removed = match kind {
            Kind::Service => self.call(docker.delete_service(id)).await,
            Kind::Container => self.call(docker.remove_container(id, Some(container))).await,
            Kind::Network => self.call(docker.remove_network(id)).await,
            Kind::Config => self.call(docker.delete_config(id)).await,
            Kind::Secret => self.call(docker.delete_secret(id)).await,
            Kind::Volume => self.call(docker.remove_volume(id, None::<RemoveVolumeOptions>)).await,
        };
        removed.or_else(|e| if e.is_missing() { Ok(()) } else { Err(e) })
    }

    /// Waits for a typed call and for the whole of its answer, at most until the connection's deadline.
    async fn call<T>(&self, call: impl Future<Output = Result<T, Error>>) -> ApiResult<T> {
        Box::pin(self.transport.within(async { call.await.map_err(ApiError::from) })).await
    }
}
