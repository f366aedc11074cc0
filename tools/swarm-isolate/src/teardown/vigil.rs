//! Keeps watch from just before a run's first create until it is torn down: what of others changed, whose
//! doing it was, and which nodes the run was on.

use lib_common::swarm::object::Object;
use lib_common::{Error, Result};

use super::Outcome;
use super::addresses;
use super::events::Timeline;
use super::involved::Involved;
use super::objects::{Snapshot, Target};
use super::protect::judge;
use super::remover::Remover;
use super::survey::{self, Survey};

pub struct Vigil {
    before: Survey,
    timeline: Timeline,
    involved: Involved,
    target: Target,
}

/// What of others changed while the run went on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Every object lost or gained.
    pub others: Vec<String>,
    /// Protected things that changed because of the run, or that `--protect` lists.
    pub harm: Vec<String>,
    /// Protected things that somebody else changed.
    pub disturbed: Vec<String>,
}

impl Vigil {
    pub async fn begin(remover: &Remover, target: &Target) -> Result<Self> {
        let doing = "listing what is on the swarm";
        for stack in &target.stacks {
            let probe = Object::named(&format!("{stack}_app"), stack);
            if let Some(pattern) = remover.protect.iter().find(|pattern| pattern.matches_object(&probe)) {
                let pattern = String::from(pattern.clone());
                return Err(Error::cannot("planning a run", format!("--protect {pattern} lists it"))
                    .on(format!("the run's own stack {stack}"))
                    .hint("a run must be able to tear down what it creates"));
            }
        }
        // Listening comes first: what happens during the look is a change too.
        let timeline = Timeline::on(&remover.nodes).await;
        let before = Box::pin(survey::take(&remover.nodes, target, &remover.protect)).await;
        let before =
            before.map_err(|e| e.into_error(doing, &remover.nodes.manager.endpoint().to_string()))?;
        let involved = Involved::watch(&remover.nodes, target);
        Ok(Self { before, timeline, involved, target: target.clone() })
    }

    /// Stacks that turned out to be the run's too.
    pub fn admit(&mut self, stacks: &[String]) {
        self.target.stacks.extend_from_slice(stacks);
    }

    /// What was there before the run.
    pub fn before(&self) -> &Snapshot {
        &self.before.others.all
    }

    /// Tears down `target`, which may by now be more, or less, than what the watch began with.
    pub async fn tear_down(&self, remover: &Remover, target: &Target) -> Outcome {
        remover.remove(target, self.before(), self.involved.nodes()).await
    }

    /// After the teardown.
    pub async fn end(self, remover: &Remover, outcome: &mut Outcome) -> Changes {
        let after = match Box::pin(survey::take(&remover.nodes, &self.target, &remover.protect)).await {
            Ok(after) => after,
            Err(e) => {
                return Changes { others: vec![format!("unknown: {}", e.message)], ..Changes::default() };
            }
        };
        outcome.networks = addresses::compare(&self.before.addresses, &after.addresses, &outcome.shared);
        let others = after.others.all.changes_of_others(self.before(), &self.target);
        // What was to be seen on a node that is silent now cannot be told to be gone.
        let silent =
            |object: &Object| object.node.as_ref().is_some_and(|node| after.silent.contains_key(node));
        let changes = self.before.others.changes(&after.others, silent);
        let (harm, disturbed) = judge(changes, &remover.calls.all(), &self.timeline.heard());
        Changes { others, harm, disturbed }
    }
}
