//! Finds objects that look like the owner's but were not created through the guard: somebody reached the engine by
//! another way. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use lib_common::swarm::label::{self, SERVICE_ID, STACK};
use serde_json::Value;

use crate::decision::Kind;
use crate::facts::Known;
use crate::policy::Policy;

/// Objects that look like the owner's, from the engine's events and lists. They are judged only when the guard ends,
/// because the engine's event of an object comes before the answer that tells the guard its id.
#[derive(Debug, Default)]
pub struct Sightings {
    seen: BTreeMap<(Kind, String), Sighting>,
    /// Objects that existed when the guard began.
    before: BTreeSet<(Kind, String)>,
}

#[derive(Debug)]
struct Sighting {
    name: String,
    stack: Option<String>,
    service: Option<String>,
    /// Only the owner's label makes it look like the owner's, neither its name nor a stack.
    nameless: bool,
}

impl Sightings {
    /// Takes everything seen so far as older than the guard: nobody went around a guard that did not stand yet.
    pub fn begin(&mut self) {
        self.before.extend(std::mem::take(&mut self.seen).into_keys());
    }

    /// Takes in one message of the engine's event stream.
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

    /// Takes in one object, with its own labels.
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

    /// The objects that did not come through the guard. Call it when every answer of the engine has been seen.
    pub fn judge(&self, policy: &Policy, known: &Known) -> Vec<String> {
        let strange = self.seen.iter().filter(|((kind, id), sighting)| {
            let expected = match kind {
                // A task's container is fine if its service came through the guard. A container of a build step has
                // nothing but the label.
                Kind::Container => match &sighting.service {
                    Some(service) => known.has(Kind::Service, service),
                    None => known.built && sighting.nameless,
                },
                Kind::Volume => known.expected_volumes.contains(id),
                _ => false,
            };
            // Two owners may have patterns that admit the same stack, so an object of such a stack counts only if
            // this owner created the stack.
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
