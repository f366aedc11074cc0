//! Stores leases as config objects in the swarm's Raft store, and renews and ends them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lib_common::docker::{ApiError, ApiResult, Engine, percent_encode};
use lib_common::swarm::nodes::Nodes;
use lib_common::swarm::object::Kind;
use lib_common::{Error, Result};
use serde_json::{Value, json};

use crate::lease::{HOLDER, LABEL, Lease, Query, State, Stored, beginnings, config_name, config_prefix};
use crate::nodes;
use crate::route::swarm::{self, Swarm};
use crate::world::{Lists, World};

/// The swarm's store, or a fake for tests.
pub trait Store {
    /// The leases that a query means, tombstones included.
    async fn find(&self, query: &Query) -> ApiResult<Vec<Stored>>;
    /// Every lease, tombstones included.
    async fn list(&self) -> ApiResult<Vec<Stored>> {
        self.find(&Query::All).await
    }
    /// Names of the configs whose names begin with one of these stacks, in lower case.
    async fn configs_of(&self, stacks: &[String]) -> ApiResult<Vec<String>>;
    /// Stores a lease; `false` if the name is taken.
    async fn create(&self, lease: &Lease) -> ApiResult<bool>;
    /// Replaces exactly the version that was read by `lease` and `state`; `false` if it has changed since or is gone.
    async fn swap(&self, read: &Stored, lease: &Lease, state: State) -> ApiResult<bool>;
    /// Deletes a tombstone. Nothing else may be deleted, because the engine deletes without checking the version.
    async fn delete(&self, tombstone: &Stored) -> ApiResult<()>;
}

impl Store for Engine {
    /// The engine's filters only narrow the answer, since they compare the beginning of names; the query itself decides.
    async fn find(&self, query: &Query) -> ApiResult<Vec<Stored>> {
        let filter = match query {
            Query::All => json!({"label": [LABEL]}),
            Query::Label(label) => json!({"name": [config_name(label)]}),
            Query::Meeting(labels) => {
                let beginnings = labels.iter().flat_map(|label| beginnings(label)).map(config_name);
                let names: BTreeSet<String> =
                    beginnings.chain(labels.iter().map(|label| config_prefix(label))).collect();
                json!({"name": names})
            }
            Query::Holder(holder) => json!({"label": [format!("{HOLDER}={holder}")]}),
        };
        let configs = self.get(&format!("/configs?filters={}", percent_encode(filter.to_string()))).await?;
        let leases = configs.as_array().into_iter().flatten().filter_map(Stored::parse);
        Ok(leases.filter(|stored| query.means(&stored.lease)).collect())
    }

    async fn configs_of(&self, stacks: &[String]) -> ApiResult<Vec<String>> {
        let filter = json!({"name": stacks}).to_string();
        let found = self.get(&format!("/configs?filters={}", percent_encode(filter))).await?;
        let names =
            found.as_array().into_iter().flatten().filter_map(|config| config["Spec"]["Name"].as_str());
        Ok(names.map(str::to_lowercase).collect())
    }

    async fn create(&self, lease: &Lease) -> ApiResult<bool> {
        self.create_config(lease.spec()).await
    }

    async fn swap(&self, read: &Stored, lease: &Lease, state: State) -> ApiResult<bool> {
        let path = format!("/configs/{}/update?version={}", read.config_id, read.version);
        match self.post(&path, Some(&read.updated_spec(lease, state))).await {
            Ok(_) => Ok(true),
            Err(e) if e.is_out_of_sequence() || e.is_missing() => Ok(false),
            Err(e) => Err(e),
        }
    }

    async fn delete(&self, tombstone: &Stored) -> ApiResult<()> {
        self.remove(Kind::Config, &tombstone.config_id).await
    }
}

/// Which of the swarm's configs are read before a name is chosen.
#[derive(Debug, PartialEq, Eq)]
pub enum Scope {
    Everything,
    /// For random names: those conflict with one of the possibly thousands of leases only by chance, and such a lease is
    /// found when the new one is stored. Other configs can conflict only if their names have one of these beginnings.
    Near {
        beginnings: BTreeSet<String>,
        holder: String,
    },
}

impl Scope {
    /// The path that lists these configs. The engine's filter is case-sensitive, but its names are unique without
    /// regard to case, so all spellings are asked for.
    fn configs(&self) -> String {
        let Self::Near { beginnings, .. } = self else { return "/configs".into() };
        let names: BTreeSet<String> = beginnings.iter().flat_map(|beginning| cases(beginning)).collect();
        format!("/configs?filters={}", percent_encode(json!({"name": names}).to_string()))
    }
}

/// The first three characters in every mixture of cases, at most eight; more characters would give too many.
fn cases(beginning: &str) -> Vec<String> {
    beginning.chars().take(3).fold(vec![String::new()], |all, c| {
        let both = BTreeSet::from([c.to_ascii_lowercase(), c.to_ascii_uppercase()]);
        all.iter().flat_map(|start| both.iter().map(move |c| format!("{start}{c}"))).collect()
    })
}

/// Everything on the swarm that a name can collide with.
pub async fn world(engine: &Engine, nodes: &Nodes, scope: &Scope) -> Result<World> {
    let get = async |path: &str| -> Result<Value> {
        Box::pin(engine.get(path)).await.map_err(|e| e.into_error("listing what is on the swarm", path))
    };
    let path = scope.configs();
    let leases = async {
        let Scope::Near { holder, .. } = scope else { return Ok(Vec::new()) };
        engine.find(&Query::Holder(holder.clone())).await.map_err(fail("listing leases", holder))
    };
    let (services, tasks, networks, volumes, secrets, configs, containers, leases) = tokio::try_join!(
        get("/services"),
        get("/tasks"),
        get("/networks"),
        get("/volumes"),
        get("/secrets"),
        get(&path),
        get("/containers/json?all=1"),
        leases,
    )?;
    let doing = "listing what is on the swarm's nodes";
    let more_volumes = nodes::get(nodes, "/volumes").await.map_err(|e| e.into_error(doing, "/volumes"))?;
    let more_containers = nodes::get(nodes, "/containers/json?all=1")
        .await
        .map_err(|e| e.into_error(doing, "/containers/json"))?;
    let mut world = World::new(&Lists {
        services,
        tasks,
        networks,
        volumes,
        secrets,
        configs,
        containers,
        more_volumes,
        more_containers,
    });
    for stored in leases.iter().filter(|stored| stored.is_held()) {
        world.add_lease(&stored.lease);
    }
    Ok(world)
}

/// The services, tasks, networks, nodes and configs that routing depends on.
pub async fn swarm(engine: &Engine) -> Result<Swarm> {
    let get = async |path: &str| -> Result<Value> {
        Box::pin(engine.get(path)).await.map_err(|e| e.into_error("listing what is on the swarm", path))
    };
    let (services, tasks, networks, nodes, configs) =
        tokio::try_join!(get("/services"), get("/tasks"), get("/networks"), get("/nodes"), get("/configs"))?;
    Ok(Swarm::new(&swarm::Lists { services, tasks, networks, nodes, configs }))
}

/// How often a compare-and-swap that lost a race is tried; each loss means that another process made progress.
const TRIES: usize = 20;

/// The leases that are held. Deletes tombstones, which dead processes have left.
pub async fn held(store: &impl Store) -> ApiResult<Vec<Stored>> {
    held_of(store, &Query::All).await
}

/// The held leases that a query means. Deletes tombstones, too.
pub async fn held_of(store: &impl Store, query: &Query) -> ApiResult<Vec<Stored>> {
    let (held, tombstones): (Vec<_>, Vec<_>) =
        store.find(query).await?.into_iter().partition(Stored::is_held);
    for tombstone in &tombstones {
        store.delete(tombstone).await?;
    }
    Ok(held)
}

/// Renews a lease, with a new time to live if one is given; `None` if it is no longer held.
pub async fn renew(
    store: &impl Store,
    read: &Stored,
    now: Timestamp,
    ttl_ms: Option<u64>,
) -> ApiResult<Option<Lease>> {
    let mut current = Some(read.clone());
    for _ in 0..TRIES {
        let Some(stored) = current else { return Ok(None) };
        let renewed = stored.lease.renewed(now, ttl_ms.unwrap_or(stored.lease.ttl_ms));
        if store.swap(&stored, &renewed, State::Held).await? {
            return Ok(Some(renewed));
        }
        current = again(store, &read.lease).await?;
    }
    Err(busy())
}

/// Ends a lease that was just read, even if it has been renewed since; `None` if it was gone already.
pub async fn end_it(store: &impl Store, read: &Stored) -> ApiResult<Option<Lease>> {
    if end_as_read(store, read).await? { Ok(Some(read.lease.clone())) } else { end(store, &read.lease).await }
}

/// Ends a lease; `None` if it was gone already. It becomes a tombstone by compare-and-swap, which is then deleted:
/// deleting it at once could hit a lease that somebody has just renewed.
pub async fn end(store: &impl Store, lease: &Lease) -> ApiResult<Option<Lease>> {
    for _ in 0..TRIES {
        let Some(stored) = again(store, lease).await? else { return Ok(None) };
        if end_as_read(store, &stored).await? {
            return Ok(Some(stored.lease));
        }
    }
    Err(busy())
}

/// The lease as it is stored now, if it is still held.
async fn again(store: &impl Store, lease: &Lease) -> ApiResult<Option<Stored>> {
    let found = held_of(store, &Query::Label(lease.name().label)).await?;
    Ok(found.into_iter().find(|stored| stored.lease.id == lease.id))
}

/// Ends a lease if it is still exactly as it was read.
pub async fn end_as_read(store: &impl Store, stored: &Stored) -> ApiResult<bool> {
    // Mark it as released before deleting it: a delete has no compare-and-swap, and could remove a renewed lease.
    let ended = store.swap(stored, &stored.lease, State::Released).await?;
    if ended {
        store.delete(stored).await?;
    }
    Ok(ended)
}

fn busy() -> ApiError {
    ApiError { status: 0, message: format!("other processes changed it {TRIES} times in a row") }
}

/// Turns an error of the engine into one of the tool.
pub fn fail(doing: &'static str, object: &str) -> impl FnOnce(ApiError) -> Error {
    move |e| e.into_error(doing, object)
}

#[cfg(test)]
pub mod fake {
    //! A store in memory that behaves like the engine's, and can simulate races and lost answers.

    use super::*;
    use serde_json::json;
    use std::cell::{Cell, RefCell};

    #[derive(Default)]
    pub struct Fake {
        pub configs: RefCell<Vec<Value>>,
        pub index: Cell<u64>,
        /// This lease is stored just before the next create, as by a faster process.
        pub faster: RefCell<Option<Lease>>,
        /// Names of configs that are no leases.
        pub foreign: RefCell<Vec<String>>,
        /// The next create succeeds, but its answer is lost.
        pub lose_answer: Cell<bool>,
    }

    impl Fake {
        pub fn with(leases: &[Lease]) -> Self {
            let fake = Self::default();
            for lease in leases {
                fake.put(lease);
            }
            fake
        }

        pub fn domains(&self) -> Vec<String> {
            let configs = self.configs.borrow();
            configs.iter().filter_map(Stored::parse).filter(Stored::is_held).map(|s| s.lease.domain).collect()
        }

        fn put(&self, lease: &Lease) -> bool {
            let spec = json!(lease.spec());
            if self.configs.borrow().iter().any(|config| config["Spec"]["Name"] == spec["Name"]) {
                return false;
            }
            let index = self.next();
            self.configs.borrow_mut().push(json!({
                "ID": format!("c{index}"), "Version": {"Index": index}, "Spec": spec,
                "CreatedAt": Timestamp::from_second(i64::try_from(index).unwrap()).unwrap().to_string(),
            }));
            true
        }

        fn next(&self) -> u64 {
            self.index.set(self.index.get() + 1);
            self.index.get()
        }
    }

    impl Store for Fake {
        async fn find(&self, query: &Query) -> ApiResult<Vec<Stored>> {
            let configs = self.configs.borrow();
            let all = configs.iter().filter_map(Stored::parse);
            Ok(all.filter(|stored| query.means(&stored.lease)).collect())
        }

        async fn configs_of(&self, _: &[String]) -> ApiResult<Vec<String>> {
            Ok(self.foreign.borrow().clone())
        }

        async fn create(&self, lease: &Lease) -> ApiResult<bool> {
            if let Some(faster) = self.faster.take() {
                assert!(self.put(&faster));
            }
            let created = self.put(lease);
            if self.lose_answer.take() {
                return Err(ApiError { status: 0, message: "no answer".into() });
            }
            Ok(created)
        }

        async fn swap(&self, read: &Stored, lease: &Lease, state: State) -> ApiResult<bool> {
            let index = self.next();
            let mut configs = self.configs.borrow_mut();
            let found = configs
                .iter_mut()
                .find(|c| c["ID"] == read.config_id.as_str() && c["Version"]["Index"] == read.version);
            let Some(config) = found else { return Ok(false) };
            config["Spec"] = read.updated_spec(lease, state);
            config["Version"]["Index"] = json!(index);
            Ok(true)
        }

        async fn delete(&self, tombstone: &Stored) -> ApiResult<()> {
            let mut configs = self.configs.borrow_mut();
            let held =
                |c: &Value| c["ID"] == tombstone.config_id.as_str() && Stored::parse(c).unwrap().is_held();
            assert!(!configs.iter().any(held), "only a tombstone may be deleted");
            configs.retain(|config| config["ID"] != tombstone.config_id.as_str());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fake::Fake;
    use super::*;
    use crate::lease::tests::lease;

    #[test]
    fn a_look_at_what_is_near_leaves_out_no_case() {
        let near =
            |beginning: &str| Scope::Near { beginnings: [beginning.into()].into(), holder: "h".into() };
        assert_eq!(cases("a0"), ["A0", "a0"]);
        assert_eq!(cases("canon").len(), 8);
        let listed = near("is").configs();
        assert!(
            ["IS", "Is", "iS", "is"].iter().all(|case| listed.contains(&format!("%22{case}%22"))),
            "{listed}"
        );
        assert_eq!(Scope::Everything.configs(), "/configs");
    }

    #[tokio::test]
    async fn renewing_and_ending() {
        let fake = Fake::with(&[lease("a"), lease("b")]);
        let now = "2027-01-01T00:00:00Z".parse().unwrap();
        let a = lease("a");
        let read = fake.list().await.unwrap();
        let renewed = renew(&fake, &read[0], now, Some(5)).await.unwrap().unwrap();
        assert_eq!((renewed.ttl_ms, renewed.renewed.as_str()), (5, "2027-01-01T00:00:00.000Z"));
        assert_eq!(end(&fake, &a).await.unwrap().unwrap().domain, "a.b");
        assert_eq!(end(&fake, &a).await.unwrap(), None);
        assert_eq!(renew(&fake, &read[0], now, None).await.unwrap(), None);
        assert_eq!(fake.domains(), ["b.b"]);
        assert_eq!(fake.configs.borrow().len(), 1);
    }

    #[tokio::test]
    async fn a_renewal_in_between_keeps_the_lease() {
        let fake = Fake::with(&[lease("a")]);
        let read = fake.list().await.unwrap().remove(0);
        renew(&fake, &read, Timestamp::UNIX_EPOCH, None).await.unwrap();
        assert!(!end_as_read(&fake, &read).await.unwrap());
        assert_eq!(fake.domains(), ["a.b"]);
    }

    #[tokio::test]
    async fn tombstones_of_the_dead_are_deleted() {
        let fake = Fake::with(&[lease("a"), lease("b")]);
        let read = fake.list().await.unwrap().remove(0);
        assert!(fake.swap(&read, &read.lease, State::Released).await.unwrap());
        assert_eq!(held(&fake).await.unwrap().len(), 1);
        assert_eq!(fake.configs.borrow().len(), 1);
    }
}
