//! Watches from just before a run creates anything until it is torn down: what of others changed, whether the run
//! caused it, and which nodes the run was on.

use lib_common::swarm::object::Object;
use lib_common::{Error, Result};

use super::Teardown;
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

/// What changed during the run that is not the run's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Every object that is gone or new.
    pub others: Vec<String>,
    /// Changes that the run caused, and all changes of what `--protect` lists.
    pub harm: Vec<String>,
    /// Changes that somebody else caused.
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
        // Listen before the survey, so that a change during the survey is not missed.
        let timeline = Timeline::on(&remover.nodes).await;
        let before = Box::pin(survey::take(&remover.nodes, target, &remover.protect)).await;
        let before =
            before.map_err(|e| e.into_error(doing, &remover.nodes.manager.endpoint().to_string()))?;
        let involved = Involved::watch(&remover.nodes, target);
        Ok(Self { before, timeline, involved, target: target.clone() })
    }

    /// Adds stacks that turned out to be the run's.
    pub fn admit(&mut self, stacks: &[String]) {
        self.target.stacks.extend_from_slice(stacks);
    }

    /// The objects that existed before the run.
    pub fn before(&self) -> &Snapshot {
        &self.before.others.all
    }

    /// Tears down `target`, which may have more or fewer stacks than the one that the watch began with.
    pub async fn tear_down(&self, remover: &Remover, target: &Target) -> Teardown {
        remover.remove(target, self.before(), self.involved.nodes()).await
    }

    /// Ends the watch after the teardown, and compares.
    pub async fn end(self, remover: &Remover, outcome: &mut Teardown) -> Changes {
        let after = match Box::pin(survey::take(&remover.nodes, &self.target, &remover.protect)).await {
            Ok(after) => after,
            Err(e) => {
                return Changes { others: vec![format!("unknown: {}", e.message)], ..Changes::default() };
            }
        };
        outcome.networks = addresses::compare(&self.before.addresses, &after.addresses, &outcome.shared);
        let others = after.others.all.changes_of_others(self.before(), &self.target);
        // Nobody knows whether objects on a node that does not answer are gone, so those do not count as changed.
        let silent =
            |object: &Object| object.node.as_ref().is_some_and(|node| after.silent.contains_key(node));
        let changes = self.before.others.changes(&after.others, silent);
        let (harm, disturbed) = judge(changes, &remover.calls.all(), &self.timeline.heard());
        Changes { others, harm, disturbed }
    }
}
