//! Stores slots as config objects in the swarm's Raft store. They change only by compare-and-swap, and are never
//! deleted, because the engine deletes without checking the version.

use lib_common::docker::{ApiResult, Engine, filters};
use serde_json::json;

use super::labels::{LABEL, Labels, Place, SlotRead, spec};
use super::wake::Wake;

/// The swarm's store, or a fake for tests.
pub trait Store: Clone + Send + Sync + 'static {
    /// Reads all slots and the marker at once.
    fn list(&self) -> impl Future<Output = ApiResult<Vec<SlotRead>>> + Send;
    /// Creates a slot, unless it exists already.
    fn create(&self, place: Place, labels: &Labels) -> impl Future<Output = ApiResult<()>> + Send;
    /// Replaces the labels of exactly the version that was read; `false` if it has changed since or is gone.
    fn swap(&self, read: &SlotRead, labels: &Labels) -> impl Future<Output = ApiResult<bool>> + Send;
    /// Wakes when something may have changed. Events may be missed, so callers poll as well.
    fn wake(&self) -> Wake {
        Wake::never()
    }
}

impl Store for Engine {
    async fn list(&self) -> ApiResult<Vec<SlotRead>> {
        let configs = self.get(&format!("/configs?{}", filters(&[("label", LABEL)]))).await?;
        Ok(configs.as_array().into_iter().flatten().filter_map(SlotRead::parse).collect())
    }

    async fn create(&self, place: Place, labels: &Labels) -> ApiResult<()> {
        self.create_config(spec(place, labels)).await.map(drop)
    }

    async fn swap(&self, read: &SlotRead, labels: &Labels) -> ApiResult<bool> {
        let path = format!("/configs/{}/update?version={}", read.config_id, read.version);
        match self.post(&path, Some(&json!(spec(read.place, labels)))).await {
            Ok(_) => Ok(true),
            Err(e) if e.is_out_of_sequence() || e.is_missing() => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn wake(&self) -> Wake {
        Wake::on_config_events(self.clone())
    }
}

#[cfg(test)]
pub mod fake {
    //! A store in memory that behaves like the engine's.

    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    pub struct Fake {
        pub slots: Arc<Mutex<Vec<SlotRead>>>,
        /// While true, every call fails as if the engine were away.
        pub away: Arc<Mutex<bool>>,
    }

    impl Fake {
        pub fn now(&self) -> Vec<SlotRead> {
            self.slots.lock().unwrap().clone()
        }

        fn answer(&self) -> ApiResult<()> {
            if *self.away.lock().unwrap() {
                return Err(lib_common::docker::ApiError { status: 0, message: "no answer".into() });
            }
            Ok(())
        }

        fn read(place: Place, id: &str, version: u64, labels: &Labels) -> SlotRead {
            let spec = spec(place, labels);
            SlotRead::parse(&json!({"ID": id, "Version": {"Index": version}, "Spec": spec})).unwrap()
        }
    }

    impl Store for Fake {
        async fn list(&self) -> ApiResult<Vec<SlotRead>> {
            tokio::time::sleep(std::time::Duration::from_millis(3)).await;
            self.answer().map(|()| self.now())
        }

        async fn create(&self, place: Place, labels: &Labels) -> ApiResult<()> {
            self.answer()?;
            let mut slots = self.slots.lock().unwrap();
            if slots.iter().all(|seen| seen.place != place) {
                slots.push(Self::read(place, &place.config(), 1, labels));
            }
            Ok(())
        }

        async fn swap(&self, read: &SlotRead, labels: &Labels) -> ApiResult<bool> {
            tokio::time::sleep(std::time::Duration::from_millis(3)).await;
            self.answer()?;
            let mut slots = self.slots.lock().unwrap();
            let found =
                slots.iter_mut().find(|seen| seen.place == read.place && seen.version == read.version);
            let Some(seen) = found else { return Ok(false) };
            *seen = Self::read(read.place, &read.config_id, read.version + 1, labels);
            Ok(true)
        }
    }
}
