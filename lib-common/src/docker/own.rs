//! Typed calls on what is our own: configs and services that we make, objects of a run that we remove, and what an engine
//! says of itself. The models say at compile time what the engine understands.
//!
//! Not among them: updates. A compare-and-swap repeats the spec that was read, byte for byte where a newer engine has
//! fields that the models lack, and its version is a `u64` that bollard narrows.

use std::future::Future;

use bollard::errors::Error;
use bollard::models::{ConfigSpec, ServiceSpec, SystemInfo};
use bollard::query_parameters::{RemoveContainerOptions, RemoveVolumeOptions};

use super::{ApiError, ApiResult, Engine};
use crate::swarm::object::Kind;

impl Engine {
    /// What the engine says of itself.
    pub async fn info(&self) -> ApiResult<SystemInfo> {
        self.call(self.typed.info()).await
    }

    /// Creates a config; false: the name is taken.
    pub async fn create_config(&self, spec: ConfigSpec) -> ApiResult<bool> {
        match self.call(self.typed.create_config(spec)).await {
            Ok(_) => Ok(true),
            Err(e) if e.status == 409 => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Creates a service, whose id is returned. No registry is asked.
    pub async fn create_service(&self, spec: ServiceSpec) -> ApiResult<String> {
        let made = self.call(self.typed.create_service(spec, None)).await?;
        Ok(made.id.unwrap_or_default())
    }

    /// Removes an object, a container with its anonymous volumes and by force; one that is gone already is success.
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

    /// Within the connection's deadline, the answer's body included.
    async fn call<T>(&self, call: impl Future<Output = Result<T, Error>>) -> ApiResult<T> {
        Box::pin(self.transport.within(async { call.await.map_err(ApiError::from) })).await
    }
}
