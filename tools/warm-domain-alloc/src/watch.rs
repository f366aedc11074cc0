//! Keeps a snapshot of the swarm current by the engine's events, within one batch of grants.

use lib_common::Result;
use lib_common::docker::{Engine, percent_encode};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender, error::TryRecvError};

use crate::nodes::Nodes;
use crate::store::{self, Look};
use crate::world::{Kind, World};

/// Configs are asked for by name when a lease is stored: the leases of everybody else would be events too.
const KINDS: [&str; 5] = ["service", "network", "volume", "secret", "container"];

/// What keeps a snapshot current between two looks at it.
pub trait Refresh {
    async fn refresh(&mut self, world: &mut World) -> Result<()>;
}

/// A snapshot that is used once needs nothing.
impl Refresh for () {
    async fn refresh(&mut self, _: &mut World) -> Result<()> {
        Ok(())
    }
}

/// Events since the snapshot.
pub struct Watch<'a> {
    /// Closed when the stream breaks.
    told: UnboundedReceiver<Value>,
    engine: &'a Engine,
    nodes: &'a Nodes,
    look: &'a Look,
}

impl<'a> Watch<'a> {
    /// Starts to listen: before the snapshot is read, so that nothing falls between.
    pub async fn start(engine: &'a Engine, nodes: &'a Nodes, look: &'a Look) -> Result<Self> {
        let filters = json!({"type": KINDS, "event": ["create", "update"]}).to_string();
        let path = format!("/events?filters={}", percent_encode(filters));
        let stream = engine.stream(&path).await.map_err(store::fail("listening to events", "the engine"))?;
        let (tell, told) = mpsc::unbounded_channel();
        tokio::spawn(listen(stream, tell));
        Ok(Self { told, engine, nodes, look })
    }
}

impl Refresh for Watch<'_> {
    /// Applies what was told; reads the swarm anew where the stream broke.
    async fn refresh(&mut self, world: &mut World) -> Result<()> {
        loop {
            match self.told.try_recv() {
                Ok(event) => apply(world, &event, self.engine).await?,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => {
                    *self = Self::start(self.engine, self.nodes, self.look).await?;
                    let extra = std::mem::take(&mut world.extra);
                    let mut leases = std::mem::take(&mut world.leases);
                    *world = store::world(self.engine, self.nodes, self.look).await?;
                    world.add_extra(extra);
                    // What was granted since is not in doubt.
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

async fn listen(mut stream: hyper::Response<hyper::body::Incoming>, tell: UnboundedSender<Value>) {
    let mut rest = Vec::new();
    while let Ok(Some(chunk)) = Engine::chunk(&mut stream).await {
        rest.extend_from_slice(&chunk);
        for event in events(&mut rest) {
            if tell.send(event).is_err() {
                return;
            }
        }
    }
}

/// Takes the whole lines out of `bytes`.
pub fn events(bytes: &mut Vec<u8>) -> Vec<Value> {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let whole: Vec<u8> = bytes.drain(..end).collect();
    whole.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
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
        // Gone again.
        Err(e) if e.is_missing() => {}
        Err(e) => return Err(e.into_error("looking at what is new", &path)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_lines_are_events_and_the_rest_waits() {
        let mut bytes = b"{\"Type\":\"a\"}\nno\n{\"Type\":".to_vec();
        assert_eq!(events(&mut bytes), [json!({"Type": "a"})]);
        assert_eq!(bytes, b"{\"Type\":");
        bytes.extend_from_slice(b"\"b\"}\n");
        assert_eq!(events(&mut bytes), [json!({"Type": "b"})]);
        assert!(bytes.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(mut bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = events(&mut bytes);
            prop_assert!(!bytes.contains(&b'\n'));
        }
    }
}
