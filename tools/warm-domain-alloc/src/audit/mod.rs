//! `audit`: reports what already collides on this swarm, one record per finding.

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
use crate::store::{self, Scope, Store, fail};
use crate::world::World;

/// Everything that the audit looks at.
pub struct Scene<'a> {
    pub swarm: &'a Swarm,
    pub world: &'a World,
    pub leases: &'a [Stored],
    /// The base domain below which every stack should have a lease.
    pub base: Option<&'a str>,
}

/// Something that collides or soon will.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub breaks: bool,
    pub kind: &'static str,
    pub what: String,
    pub objects: Vec<String>,
    pub remedy: &'static str,
}

/// Audits and prints the findings; exits 1 when one of them breaks something.
pub async fn run(
    engine: &Engine,
    nodes: &Nodes,
    base: Option<&str>,
    io: &mut Io<'_>,
    emitter: &mut Emitter,
) -> Result<Exit> {
    let leases = engine.list().await.map_err(fail("listing the leases", "the swarm"))?;
    let world = store::world(engine, nodes, &Scope::Everything).await?;
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

/// All findings; those that break something come first.
pub fn findings(scene: &Scene) -> Vec<Finding> {
    let mut all = routes::findings(scene.swarm);
    all.extend(networks::findings(scene.swarm));
    all.extend(names::findings(scene));
    all.sort_by(|a, b| b.breaks.cmp(&a.breaks).then_with(|| a.cmp(b)));
    all.dedup();
    all
}

/// Every kind of finding, for the test that the manual explains them.
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
