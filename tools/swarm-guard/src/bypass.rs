//! Finds objects of the owner that the guard never saw: the command had another way to the engine. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use lib_common::swarm::label::{self, SERVICE_ID, STACK};
use serde_json::Value;

use crate::facts::Known;
use crate::policy::Policy;
use crate::verdict::Kind;

/// Objects that came into being, or are there, and look like the owner's; judged when the owner is over, because
/// the engine tells of an object before it answers the request that made it.
#[derive(Debug, Default)]
pub struct Sightings {
    seen: BTreeMap<(Kind, String), Sighting>,
    /// What was there when the guard began.
    before: BTreeSet<(Kind, String)>,
}

#[derive(Debug)]
struct Sighting {
    name: String,
    stack: Option<String>,
    service: Option<String>,
    /// By the owner's label alone.
    nameless: bool,
}

impl Sightings {
    /// What was seen so far was there before: nobody went around a guard that was not there yet.
    pub fn begin(&mut self) {
        self.before.extend(std::mem::take(&mut self.seen).into_keys());
    }

    /// One message of the engine's event stream.
    pub fn event(&mut self, policy: &Policy, known: &Known, event: &Value) {
        let attributes = &event["Actor"]["Attributes"];
        let kind = match event["Type"].as_str().unwrap_or_default() {
            "container" => Kind::Container,
            "service" => Kind::Service,
            "network" => Kind::Network,
            "volume" => Kind::Volume,
            "config" => Kind::Config,
            "secret" => Kind::Secret,
            _ => return,
        };
        if event["Action"] == "create" {
            let id = event["Actor"]["ID"].as_str().unwrap_or_default();
            let name = attributes["name"].as_str().unwrap_or(id);
            self.see(policy, known, kind, id, name, attributes);
        }
    }

    /// One object: `labels` are its own.
    pub fn see(&mut self, policy: &Policy, known: &Known, kind: Kind, id: &str, name: &str, labels: &Value) {
        if known.has(kind, id) || self.before.contains(&(kind, id.to_owned())) {
            return;
        }
        let label = |key: &str| labels[key].as_str().map(ToOwned::to_owned);
        let stack = label(STACK);
        let begins = name.strip_prefix(&policy.stack).is_some_and(|rest| rest.starts_with('_'));
        let ours = begins
            || labels[label::RUN] == policy.owner.as_str()
            || stack.as_ref().is_some_and(|stack| *stack == policy.stack || policy.is_stack(stack));
        if ours {
            let service = label(SERVICE_ID);
            let nameless = !begins && stack.is_none();
            let sighting = Sighting { name: name.to_owned(), stack, service, nameless };
            self.seen.insert((kind, id.to_owned()), sighting);
        }
    }

    /// What the guard has not let through, now that it has seen every answer.
    pub fn judge(&self, policy: &Policy, known: &Known) -> Vec<String> {
        let strange = self.seen.iter().filter(|((kind, id), sighting)| {
            let expected = match kind {
                // Tasks' containers come from services, those of build steps have only the label.
                Kind::Container => match &sighting.service {
                    Some(service) => known.has(Kind::Service, service),
                    None => known.built && sighting.nameless,
                },
                Kind::Volume => known.expected_volumes.contains(id),
                _ => false,
            };
            // A stack that only a pattern admits may be another owner's, unless this one made it.
            let foreign = sighting
                .stack
                .as_ref()
                .is_some_and(|stack| *stack != policy.stack && !known.stacks.contains(stack));
            !known.has(*kind, id) && !expected && !foreign
        });
        strange.map(|((kind, _), sighting)| format!("{} {}", kind.word(), sighting.name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::{RUN, policy};
    use serde_json::json;

    fn event(kind: &str, id: &str, attributes: &Value) -> Value {
        json!({"Type": kind, "Action": "create", "Actor": {"ID": id, "Attributes": attributes}})
    }

    #[test]
    fn only_what_is_ours_and_unseen() {
        let (policy, mut known) = (policy(), Known::default());
        let mut sightings = Sightings::default();
        for (kind, id, attributes) in [
            ("service", "late", json!({"name": "iso-x_ci_example_app"})),
            ("container", "task", json!({"name": "iso-x_ci_example_app.1.x", SERVICE_ID: "late"})),
            ("volume", "iso-x_ci_example_data", json!({"driver": "local"})),
            ("volume", "iso-x_ci_example_other", json!({"driver": "local"})),
            ("container", "direct", json!({"name": "clever_name", label::RUN: RUN})),
            ("network", "n", json!({"name": "live_default"})),
            ("container", "live", json!({"name": "live_app.1", STACK: "live"})),
            ("config", "theirs", json!({"name": "c", STACK: "immi-0a1b2c_ci_example"})),
            ("image", "i", json!({"name": "iso-x_ci_example_app"})),
        ] {
            sightings.event(&policy, &known, &event(kind, id, &attributes));
        }
        known.add(Kind::Service, "late", "iso-x_ci_example_app");
        known.expected_volumes.insert("iso-x_ci_example_data".into());
        let told = ["container clever_name", "volume iso-x_ci_example_other"];
        assert_eq!(sightings.judge(&policy, &known), told);
        known.built = true;
        assert_eq!(sightings.judge(&policy, &known), told[1..]);
    }
}
