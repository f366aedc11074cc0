//! The exclusive slot: one permanent config object in the swarm's own store. Its labels change only by
//! compare-and-swap; it is never deleted, because a deletion has no version check.
//!
//! A waiter takes a slot over when its version has not moved for the TTL on the waiter's own monotonic
//! clock; on one host a `flock` tells sooner that the holder is dead. The labels carry the holder's intent
//! (the stacks that it is about to create), so that whoever takes over can finish its teardown.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::models::ConfigSpec;
use bollard::query_parameters::UpdateConfigOptions;
use lib_common::docker::{ApiError, ApiResult, Engine};
use lib_common::{Error, Result};
use serde_json::Value;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::proc;

const NAME: &str = "redfix-slot-0";
const DATA: &str = "cmVkZml4IHNsb3Q="; // "redfix slot": a config needs at least one byte

type Labels = HashMap<String, String>;

/// Who holds a slot and what for, as its labels say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    pub holder: String,
    pub boot_id: String,
    pub nonce: String,
    pub attempt: String,
    /// Stacks that may exist because of this holder.
    pub stacks: Vec<String>,
}

impl Holding {
    fn labels(&self) -> Labels {
        let pairs = [
            ("redfix.slot", "0"),
            ("redfix.slot.state", "held"),
            ("redfix.slot.holder", &self.holder),
            ("redfix.slot.boot", &self.boot_id),
            ("redfix.slot.nonce", &self.nonce),
            ("redfix.slot.attempt", &self.attempt),
            ("redfix.slot.stacks", &self.stacks.join(",")),
        ];
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// `None`: the slot is free.
    fn parse(labels: &Value) -> Option<Self> {
        let text = |key: &str| labels[format!("redfix.slot.{key}")].as_str().unwrap_or_default().to_owned();
        let stacks = text("stacks").split(',').filter(|s| !s.is_empty()).map(ToOwned::to_owned).collect();
        (text("state") == "held").then(|| Self {
            holder: text("holder"),
            boot_id: text("boot"),
            nonce: text("nonce"),
            attempt: text("attempt"),
            stacks,
        })
    }
}

/// A held slot. Give it back with [`Slot::release`]; one that is dropped is taken over after the TTL, or at
/// once on this host.
pub struct Slot {
    engine: Engine,
    state: Arc<Mutex<State>>,
    beat: JoinHandle<()>,
    lost: watch::Receiver<bool>,
    _lock: File,
}

struct State {
    id: String,
    holding: Holding,
}

/// What taking the slot brought to light.
pub struct Taken {
    pub slot: Slot,
    /// What a dead holder had begun: tear it down before anything else.
    pub inherited: Vec<String>,
}

impl Slot {
    /// Waits at most `wait` for the slot. `tell` is called when the wait begins, with the holder.
    pub async fn take(
        engine: &Engine,
        attempt: &str,
        wait: Duration,
        ttl: Duration,
        mut tell: impl FnMut(&str),
    ) -> Result<Taken> {
        let doing = "taking the slot";
        let until = Instant::now() + wait;
        let lock = open_lock(engine).await?;
        let mut watched: Option<(u64, Instant)> = None;
        loop {
            let (id, version, holding) = look(engine).await.map_err(|e| e.into_error(doing, NAME))?;
            // The lock of this host: whoever has it is the only one here that may hold the slot.
            let local = lock.try_lock().is_ok();
            let dead = holding.as_ref().is_none_or(|held| local && held.boot_id == proc::boot_id());
            let seen = watched.get_or_insert((version, Instant::now()));
            if seen.0 != version {
                *seen = (version, Instant::now());
            }
            if local && (dead || seen.1.elapsed() >= ttl) {
                let inherited = holding.as_ref().map(|held| held.stacks.clone()).unwrap_or_default();
                let mine = Holding {
                    holder: format!("{}@{}", std::process::id(), hostname()),
                    boot_id: proc::boot_id(),
                    nonce: lib_common::new_id(),
                    attempt: attempt.to_owned(),
                    // Until they are gone they are ours to tear down, should we die too.
                    stacks: inherited.clone(),
                };
                match swap(engine, &id, version, mine.labels()).await {
                    Ok(()) => return Ok(Taken { slot: Self::hold(engine, id, mine, ttl, lock), inherited }),
                    Err(e) if e.is_out_of_sequence() => {}
                    Err(e) => return Err(e.into_error(doing, NAME)),
                }
            }
            if local {
                lock.unlock().map_err(|e| Error::cannot(doing, e).on("the lock file"))?;
            }
            let holder = holding.map_or_else(
                || "another process".to_owned(),
                |held| format!("{} for {}", held.holder, held.attempt),
            );
            tell(&holder);
            if Instant::now() >= until {
                return Err(Error::again(doing, format!("held by {holder}"))
                    .on(NAME)
                    .hint("wait longer with --wait"));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    fn hold(engine: &Engine, id: String, holding: Holding, ttl: Duration, lock: File) -> Self {
        let state = Arc::new(Mutex::new(State { id, holding }));
        let (taken, lost) = watch::channel(false);
        let beat = tokio::spawn(beat(engine.clone(), Arc::clone(&state), ttl, taken));
        Self { engine: engine.clone(), state, beat, lost, _lock: lock }
    }

    /// Turns true when somebody else took the slot, or the engine was away for too long.
    pub fn lost(&self) -> watch::Receiver<bool> {
        self.lost.clone()
    }

    /// Records the stacks that are about to exist; none: everything is torn down.
    pub async fn intend(&self, stacks: &[String]) -> Result<()> {
        let mut state = self.state.lock().await;
        state.holding.stacks = stacks.to_vec();
        renew(&self.engine, &state).await.map_err(|e| e.into_error("recording what will be created", NAME))
    }

    /// Whether everything that was intended is torn down.
    pub async fn intends_nothing(&self) -> bool {
        self.state.lock().await.holding.stacks.is_empty()
    }

    /// Frees the slot.
    pub async fn release(self) -> Result<()> {
        self.beat.abort();
        let state = self.state.lock().await;
        let free =
            Labels::from([("redfix.slot".into(), "0".into()), ("redfix.slot.state".into(), "free".into())]);
        let outcome = change(&self.engine, &state, free).await;
        outcome.map_err(|e| e.into_error("freeing the slot", NAME))
    }
}

/// Renews the labels at a third of the TTL, so that two missed beats are survived.
async fn beat(engine: Engine, state: Arc<Mutex<State>>, ttl: Duration, taken: watch::Sender<bool>) {
    let mut last = Instant::now();
    loop {
        tokio::time::sleep(ttl / 3).await;
        let state = state.lock().await;
        match renew(&engine, &state).await {
            Ok(()) => last = Instant::now(),
            Err(e) if e.is_out_of_sequence() || e.is_missing() || last.elapsed() > ttl * 2 / 3 => {
                let _ = taken.send(true);
                return;
            }
            Err(_) => {}
        }
    }
}

async fn renew(engine: &Engine, state: &State) -> ApiResult<()> {
    change(engine, state, state.holding.labels()).await
}

/// Compare-and-swap, as long as the slot still carries our nonce.
async fn change(engine: &Engine, state: &State, labels: Labels) -> ApiResult<()> {
    let (id, version, holding) = look(engine).await?;
    if id != state.id || holding.is_none_or(|held| held.nonce != state.holding.nonce) {
        return Err(ApiError {
            status: 500,
            message: "update out of sequence: the slot is somebody else's now".into(),
        });
    }
    swap(engine, &id, version, labels).await
}

/// Id, version and holder of the slot; makes it when it is not there yet.
async fn look(engine: &Engine) -> ApiResult<(String, u64, Option<Holding>)> {
    loop {
        match engine.get(&format!("/configs/{NAME}")).await {
            Ok(config) => {
                let id = config["ID"].as_str().unwrap_or_default().to_owned();
                let version = config["Version"]["Index"].as_u64().unwrap_or_default();
                return Ok((id, version, Holding::parse(&config["Spec"]["Labels"])));
            }
            Err(e) if e.is_missing() => {
                let labels = Labels::from([("redfix.slot".into(), "0".into())]);
                let made = engine.typed().create_config(spec(labels)).await.map_err(ApiError::from);
                if let Err(e) = made.map(|_| ()) {
                    // 409: another process was faster.
                    if e.status != 409 {
                        return Err(e);
                    }
                }
            }
            Err(e) => return Err(e),
        }
    }
}

async fn swap(engine: &Engine, id: &str, version: u64, labels: Labels) -> ApiResult<()> {
    let options = UpdateConfigOptions { version: i64::try_from(version).unwrap_or(i64::MAX) };
    engine.typed().update_config(id, spec(labels), options).await.map_err(ApiError::from)
}

fn spec(labels: Labels) -> ConfigSpec {
    ConfigSpec { name: Some(NAME.into()), labels: Some(labels), data: Some(DATA.into()), templating: None }
}

/// One lock file per swarm; never inherited by children, so that a surviving child cannot keep it held.
async fn open_lock(engine: &Engine) -> Result<File> {
    let info = engine.require_manager().await?;
    let swarm = info["Swarm"]["Cluster"]["ID"].as_str().unwrap_or("unknown").to_owned();
    let folder = ["/run/lock", "/tmp"].into_iter().find(|dir| PathBuf::from(dir).is_dir()).unwrap_or(".");
    let path = format!("{folder}/redfix-{swarm}-slot-0.lock");
    let open = || {
        use std::os::unix::fs::OpenOptionsExt;
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o666).open(&path)
    };
    // A lock needs no more than reading, and the file may be another user's.
    File::open(&path)
        .or_else(|_| open())
        .map_err(|e| Error::cannot("opening the slot's lock file", e).on(path.clone()))
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_carry_the_intent() {
        let holding = Holding {
            holder: "1@h".into(),
            boot_id: "b".into(),
            nonce: "n".into(),
            attempt: "a".into(),
            stacks: vec!["x".into(), "y".into()],
        };
        let labels = serde_json::to_value(holding.labels()).unwrap();
        assert_eq!(Holding::parse(&labels), Some(holding));
        assert_eq!(Holding::parse(&serde_json::json!({"redfix.slot.state": "free"})), None);
        assert_eq!(Holding::parse(&Value::Null), None);
    }
}
