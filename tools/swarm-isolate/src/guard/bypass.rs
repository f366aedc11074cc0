//! Finds objects of the run that the guard never saw: the command had another way to the engine. No I/O.

use std::collections::BTreeMap;

use lib_common::swarm::label::{self, SERVICE_ID, STACK};
use serde_json::Value;

use super::facts::Known;
use super::policy::Policy;
use super::verdict::Kind;

/// Objects that came into being, or are there, and look like the run's; judged when the run is over, because
/// the engine tells of an object before it answers the request that made it.
#[derive(Debug, Default)]
pub struct Sightings(BTreeMap<(Kind, String), Sighting>);

#[derive(Debug)]
struct Sighting {
    name: String,
    stack: Option<String>,
    service: Option<String>,
    /// By the run's label alone.
    nameless: bool,
}

impl Sightings {
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
        if known.has(kind, id) {
            return;
        }
        let label = |key: &str| labels[key].as_str().map(ToOwned::to_owned);
        let stack = label(STACK);
        let begins = name.strip_prefix(&policy.stack).is_some_and(|rest| rest.starts_with('_'));
        let ours = begins
            || labels[label::RUN] == policy.run.as_str()
            || stack.as_ref().is_some_and(|stack| *stack == policy.stack || policy.is_stack(stack));
        if ours {
            let service = label(SERVICE_ID);
            let nameless = !begins && stack.is_none();
            let sighting = Sighting { name: name.to_owned(), stack, service, nameless };
            self.0.insert((kind, id.to_owned()), sighting);
        }
    }

    /// What the guard has not let through, now that it has seen every answer.
    pub fn judge(&self, policy: &Policy, known: &Known) -> Vec<String> {
        let strange = self.0.iter().filter(|((kind, id), sighting)| {
            let expected = match kind {
                // Tasks' containers come from services, those of build steps have only the label.
                Kind::Container => match &sighting.service {
                    Some(service) => known.has(Kind::Service, service),
                    None => known.built && sighting.nameless,
                },
                Kind::Volume => known.expected_volumes.contains(id),
                _ => false,
            };
            // A stack that only a pattern admits may be another run's, unless this one made it.
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
    use crate::guard::policy::tests::{RUN, policy};
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
