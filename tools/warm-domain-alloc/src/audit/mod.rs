//! What already collides on this swarm: one record per finding.

mod names;
mod networks;
mod routes;

use lib_common::docker::Engine;
use lib_common::emit::Emitter;
use lib_common::record::domain::DomainAudited;
use lib_common::redact::Redactor;
use lib_common::swarm::nodes::Nodes;
use lib_common::text::Text;
use lib_common::{Exit, Io, Result};

use crate::lease::Stored;
use crate::route::swarm::Swarm;
use crate::store::{self, Look, Store, fail};
use crate::world::World;

/// Everything that is looked at.
pub struct Scene<'a> {
    pub swarm: &'a Swarm,
    pub world: &'a World,
    pub leases: &'a [Stored],
    /// Base domain whose stacks should have leases.
    pub base: Option<&'a str>,
}

/// One thing that collides or is about to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub breaks: bool,
    pub kind: &'static str,
    pub what: String,
    pub objects: Vec<String>,
    pub remedy: &'static str,
}

/// Looks and prints; the answer is no when something breaks.
pub async fn run(
    engine: &Engine,
    nodes: &Nodes,
    base: Option<&str>,
    io: &mut Io<'_>,
    emitter: &mut Emitter,
) -> Result<Exit> {
    let leases = engine.list().await.map_err(fail("listing the leases", "the swarm"))?;
    let world = store::world(engine, nodes, &Look::Everything).await?;
    let swarm = store::swarm(engine).await?;
    let found = findings(&Scene { swarm: &swarm, world: &world, leases: &leases, base });
    let mut redactor = Redactor::new::<&str>(&[]);
    let mut text = |text: &str| Text(redactor.line(text.as_bytes()).into_owned());
    let breaks = found.iter().any(|finding| finding.breaks);
    for finding in found {
        let record = DomainAudited {
            kind: finding.kind.to_owned(),
            breaks: finding.breaks,
            what: text(&finding.what),
            objects: finding.objects.iter().map(|object| text(object)).collect(),
            remedy: Some(finding.remedy.to_owned()),
        };
        emitter.emit(io, &record)?;
    }
    Ok(if breaks { Exit::No } else { Exit::Done })
}

/// What breaks first, the rest behind it.
pub fn findings(scene: &Scene) -> Vec<Finding> {
    let mut all = routes::findings(scene.swarm);
    all.extend(networks::findings(scene.swarm));
    all.extend(names::findings(scene));
    all.sort_by(|a, b| b.breaks.cmp(&a.breaks).then_with(|| a.cmp(b)));
    all.dedup();
    all
}

/// Every word that findings carry, for the manual's test.
#[cfg(test)]
const KINDS: [&str; 12] = [
    "router-duplicate",
    "backend-shared",
    "rule-invalid",
    "rule-overlap",
    "alias-shared",
    "alias-answered-by-strangers",
    "name-near-limit",
    "name-over-limit",
    "lease-without-stack",
    "stack-without-lease",
    "network-near-full",
    "network-full",
];

#[cfg(test)]
mod tests;
