//! The state that all connections of one guard share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lib_common::docker::Engine;
use tokio::sync::{RwLock, Semaphore};

use crate::bypass::Sightings;
use crate::facts::Known;
use crate::forward::Pool;
use crate::policy::Policy;
use crate::secrets::Secrets;
use crate::stage::Stage;
use crate::tell::Teller;

/// How many large JSON bodies are held at the same time.
const LARGE_BODIES: usize = 4;

pub struct Shared {
    pub engine: Engine,
    pub policy: Arc<Policy>,
    pub secrets: Secrets,
    pub teller: Teller,
    pub pool: Pool,
    /// What the engine may mount of the host.
    pub stage: Stage,
    /// Held for reading while the engine creates an object; the end of the guard waits for it by taking it for writing.
    pub creating: RwLock<()>,
    /// The turns of large JSON bodies: a body takes many times its bytes in memory.
    pub large_bodies: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub struct State {
    pub known: Known,
    pub sightings: Sightings,
    pub requests: u64,
    pub refused: u64,
}

impl Shared {
    pub fn new(engine: Engine, policy: Policy, secrets: Secrets, teller: Teller) -> Arc<Self> {
        let state = State { known: Known::of_owner(&policy.owner), ..State::default() };
        Arc::new(Self {
            stage: Stage::new(engine.endpoint().socket()),
            engine,
            policy: Arc::new(policy),
            secrets,
            teller,
            pool: Pool::default(),
            creating: RwLock::default(),
            large_bodies: Semaphore::new(LARGE_BODIES),
            state: Mutex::new(state),
        })
    }

    /// Locks the state. Never hold the guard across an await: all connections would wait.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
