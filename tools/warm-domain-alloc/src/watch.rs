//! Keeps what was read of the swarm up to date during a batch of grants, by the engine's events.

use lib_common::Result;
use lib_common::docker::Engine;
use lib_common::swarm::event::{Events, Wanted};
use lib_common::swarm::nodes::Nodes;
use lib_common::swarm::object::Kind;
use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender, error::TryRecvError};

use crate::store::{self, Scope};
use crate::world::World;

/// The kinds whose events are followed. Configs are left out, since every lease of anybody would make an event; they are
/// asked for by name when a lease is stored.
const KINDS: [Kind; 5] = [Kind::Service, Kind::Network, Kind::Volume, Kind::Secret, Kind::Container];

/// Brings a snapshot of the swarm up to date.
pub trait Refresh {
    async fn refresh(&mut self, world: &mut World) -> Result<()>;
}

/// Does nothing, for a snapshot that is used only once.
impl Refresh for () {
    async fn refresh(&mut self, _: &mut World) -> Result<()> {
        Ok(())
    }
}

/// Events since the snapshot.
pub struct Watch<'a> {
    /// The events; closed when the stream breaks.
    told: UnboundedReceiver<Value>,
    engine: &'a Engine,
    nodes: &'a Nodes,
    scope: &'a Scope,
}

impl<'a> Watch<'a> {
    /// Starts to listen. Call it before the snapshot is read, so that no change is missed in between.
    pub async fn start(engine: &'a Engine, nodes: &'a Nodes, scope: &'a Scope) -> Result<Self> {
        let wanted = Wanted { kinds: &KINDS, actions: &["create", "update"], ..Wanted::default() };
        let events = Events::open(engine, &wanted).await;
        let events = events.map_err(store::fail("listening to events", "the engine"))?;
        let (tell, told) = mpsc::unbounded_channel();
        tokio::spawn(listen(events, tell));
        Ok(Self { told, engine, nodes, scope })
    }
}

impl Refresh for Watch<'_> {
    /// Applies the events that have come; if the stream broke, reads the swarm anew.
    async fn refresh(&mut self, world: &mut World) -> Result<()> {
        loop {
            match self.told.try_recv() {
                Ok(event) => apply(world, &event, self.engine).await?,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => {
                    // The stream broke off and may have missed events: listen again, and read everything again.
                    *self = Self::start(self.engine, self.nodes, self.scope).await?;
                    let extra = std::mem::take(&mut world.extra);
                    let mut leases = std::mem::take(&mut world.leases);
                    *world = store::world(self.engine, self.nodes, self.scope).await?;
                    world.add_extra(extra);
                    // Keep the leases that this process has granted meanwhile.
                    leases.retain(|lease| !world.leases.contains(lease));
                    for lease in &leases {
                        world.add_lease(lease);
                    }
                    return Ok(());
                }
            }
        }
    }
}

async fn listen(mut events: Events, tell: UnboundedSender<Value>) {
    while let Ok(Some(event)) = events.next().await {
        if tell.send(event).is_err() {
            return;
        }
    }
}

async fn apply(world: &mut World, event: &Value, engine: &Engine) -> Result<()> {
    let actor = &event["Actor"];
    let id = actor["ID"].as_str().unwrap_or_default();
    let attributes = &actor["Attributes"];
    let mut inspect = None;
    match event["Type"].as_str().unwrap_or_default() {
        "service" => inspect = Some(format!("/services/{id}")),
        "network" => inspect = Some(format!("/networks/{id}")),
        "volume" => world.add(Kind::Volume, &actor["ID"]),
        "secret" => world.add(Kind::Secret, &attributes["name"]),
        "container" => world.add_container(attributes, &attributes["name"]),
        _ => {}
    }
    let Some(path) = inspect else { return Ok(()) };
    match engine.get(&path).await {
        Ok(object) if path.starts_with("/services") => world.add_service(&object),
        Ok(object) => world.add_network(&object),
        // Ignore an object that has been removed again.
        Err(e) if e.is_missing() => {}
        Err(e) => return Err(e.into_error("looking at what is new", &path)),
    }
    Ok(())
}
