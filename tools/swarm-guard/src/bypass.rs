//! Finds what was done past the guard: objects that look like the owner's but were not created through it, and changes of
//! the owner's that no call through it explains. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use lib_common::swarm::label::{self, SERVICE_ID, STACK};
use serde_json::Value;

use crate::decision::Kind;
use crate::facts::{Known, hash, is_anonymous};
use crate::policy::Policy;

/// Objects that look like the owner's, from the engine's events and lists, and what was done to objects. They are judged
/// only when the guard ends, because the engine's event of a call comes before its answer.
#[derive(Debug, Default)]
pub struct Sightings {
    seen: BTreeMap<(Kind, String), Sighting>,
    /// Objects that existed when the guard began.
    before: BTreeSet<(Kind, String)>,
    deeds: BTreeSet<Deed>,
    /// The commands of health checks, by the container's id. The engine executes them by itself. `None` where the container
    /// was gone before it could be asked.
    health: BTreeMap<String, Option<Vec<String>>>,
    /// The specs that services were seen with, by id, name and hash.
    specs: BTreeSet<(String, String, u64)>,
}

#[derive(Debug)]
struct Sighting {
    name: String,
    stack: Option<String>,
    service: Option<String>,
    /// Only the owner's label makes it look like the owner's, neither its name nor a stack.
    nameless: bool,
}

/// Something that was done to an object.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Deed {
    kind: Kind,
    id: String,
    name: String,
    action: String,
    /// Of an exec: its own id, and its command.
    exec: Option<(String, String)>,
    /// The object has the owner's label.
    is_own: bool,
}

/// The engine's word for what a client does to an object, the kind of that, and which calls do it.
const DEEDS: [(&str, Kind, &[&str]); 12] = [
    ("rename", Kind::Container, &["rename"]),
    ("update", Kind::Container, &["update"]),
    ("attach", Kind::Container, &["attach"]),
    ("export", Kind::Container, &["export"]),
    ("commit", Kind::Container, &["commit"]),
    ("archive-path", Kind::Container, &["archive"]),
    ("extract-to-dir", Kind::Container, &["archive"]),
    ("pause", Kind::Container, &["pause"]),
    ("unpause", Kind::Container, &["unpause"]),
    ("remove", Kind::Service, &["DELETE"]),
    ("remove", Kind::Config, &["DELETE"]),
    ("remove", Kind::Secret, &["DELETE"]),
];
const EXEC: &str = "exec_create";
/// The events that the guard wants to hear of.
pub const ACTIONS: [&str; 12] = [
    "create",
    EXEC,
    "rename",
    "update",
    "attach",
    "export",
    "commit",
    "archive-path",
    "extract-to-dir",
    "pause",
    "unpause",
    "remove",
];
/// Most deeds that are told of others' objects.
const MOST: usize = 20;

/// What the guard has found at its end, in words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// It was bypassed: each of these is the owner's, and came past the guard.
    pub unseen: Vec<String>,
    /// Done to others' objects, by whom is not known; and what others may have felt of what passed.
    pub beside: Vec<String>,
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
        let id = event["Actor"]["ID"].as_str().unwrap_or_default();
        let name = attributes["name"].as_str().unwrap_or(id);
        match event["Action"].as_str().unwrap_or_default() {
            "create" => {
                let image = attributes["image"].as_str().unwrap_or_default();
                self.see(policy, known, &Seen { kind, id, name, labels: attributes, image });
            }
            action => self.deed(policy, known, kind, id, name, action, attributes),
        }
    }

    #[allow(clippy::too_many_arguments)] // they are the event's own
    fn deed(
        &mut self,
        policy: &Policy,
        known: &Known,
        kind: Kind,
        id: &str,
        name: &str,
        action: &str,
        labels: &Value,
    ) {
        let command = exec_of(action).filter(|_| kind == Kind::Container);
        let is_wanted = DEEDS.iter().any(|(word, of, _)| *word == action && *of == kind);
        let is_own = labels[label::RUN] == policy.owner.as_str() || known.has(kind, id);
        if command.is_none() && !(is_wanted && is_own) {
            return;
        }
        let exec = command
            .map(|command| (labels["execID"].as_str().unwrap_or_default().to_owned(), command.to_owned()));
        let action = if exec.is_some() { "exec" } else { action };
        self.deeds.insert(Deed {
            kind,
            id: id.into(),
            name: name.into(),
            action: action.into(),
            exec,
            is_own,
        });
    }

    /// The container of an exec in this event, if its health check is not known yet.
    pub fn wants_health(&self, event: &Value) -> Option<String> {
        let id = event["Actor"]["ID"].as_str()?;
        exec_of(event["Action"].as_str()?).filter(|_| !self.health.contains_key(id)).map(|_| id.to_owned())
    }

    /// Notes the health check of a container, from the engine's description of it.
    pub fn health(&mut self, id: String, description: Option<&Value>) {
        self.health.insert(id, description.map(|value| health_checks(&value["Config"])));
    }

    /// Notes the spec that a service was seen with.
    pub fn spec(&mut self, service: &Value) {
        let id = service["ID"].as_str().unwrap_or_default();
        let name = service["Spec"]["Name"].as_str().unwrap_or(id);
        for spec in [&service["Spec"], &service["PreviousSpec"]].into_iter().filter(|spec| !spec.is_null()) {
            self.specs.insert((id.to_owned(), name.to_owned(), hash(spec)));
        }
    }

    /// Takes in one object, with its own labels.
    pub fn see(&mut self, policy: &Policy, known: &Known, seen: &Seen) {
        let Seen { kind, id, name, labels, image } = *seen;
        if known.has(kind, id) || self.before.contains(&(kind, id.to_owned())) {
            return;
        }
        let label = |key: &str| labels[key].as_str().map(ToOwned::to_owned);
        let stack = label(STACK);
        let run = label(label::RUN);
        let begins = name.strip_prefix(&policy.stack).is_some_and(|rest| rest.starts_with(['_', '-', '.']));
        let of_stack = stack.as_ref().is_some_and(|stack| *stack == policy.stack || policy.is_stack(stack));
        // An image may have any label, and so has each container of a build from it: the builder's own containers are of
        // an image without a name.
        let is_build = kind == Kind::Container && image.starts_with("sha256:");
        let of_others = run.as_ref().is_some_and(|run| *run != policy.owner);
        let ours = begins || run.as_ref() == Some(&policy.owner) || (of_stack && !of_others && !is_build);
        if ours {
            let service = label(SERVICE_ID);
            let nameless = !begins && (stack.is_none() || is_build);
            let sighting = Sighting { name: name.to_owned(), stack, service, nameless };
            self.seen.insert((kind, id.to_owned()), sighting);
        }
    }

    /// What came past the guard. Call it when every answer of the engine has been seen.
    pub fn judge(&self, policy: &Policy, known: &Known) -> Verdict {
        let mut verdict = Verdict::default();
        let strange = self.seen.iter().filter(|((kind, id), sighting)| {
            let expected = match kind {
                // A task's container is fine if its service came through the guard. A container of a build step has
                // nothing but the label.
                Kind::Container => match &sighting.service {
                    Some(service) => known.has(Kind::Service, service),
                    None => known.built && sighting.nameless,
                },
                Kind::Volume => {
                    known.expected_volumes.contains(id) || (known.nameless_volumes && is_anonymous(id))
                }
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
        verdict
            .unseen
            .extend(strange.map(|((kind, _), sighting)| format!("{} {}", kind.word(), sighting.name)));
        for deed in self.deeds.iter().filter(|deed| !self.is_explained(known, deed)) {
            let words = format!("{} of {} {}", deed.action, deed.kind.word(), deed.name);
            let is_known = deed.exec.is_none() || matches!(self.health.get(&deed.id), Some(Some(_)));
            if deed.is_own && is_known {
                verdict.unseen.push(words);
            } else if verdict.beside.len() < MOST && !verdict.beside.contains(&words) {
                verdict.beside.push(words);
            }
        }
        verdict.beside.extend(known.notes.iter().take(MOST).cloned());
        let strange = self.specs.iter().filter(|(id, _, hash)| !known.is_spec(id, *hash));
        verdict.unseen.extend(strange.map(|(_, name, _)| format!("update of service {name}")));
        verdict.unseen.dedup();
        verdict
    }

    /// Whether a call that passed, or the engine itself, did it.
    fn is_explained(&self, known: &Known, deed: &Deed) -> bool {
        if let Some((id, command)) = &deed.exec {
            let checks = self.health.get(&deed.id).and_then(Option::as_ref);
            return known.has(Kind::Exec, id) || checks.is_some_and(|checks| checks.contains(command));
        }
        // What is not known was not created through this guard: its calls were not noted.
        let mut calls = DEEDS.iter().filter(|(word, kind, _)| *word == deed.action && *kind == deed.kind);
        !known.has(deed.kind, &deed.id) || calls.any(|(_, _, words)| known.called(&deed.id, words))
    }
}

/// An object as an event or a list shows it.
pub struct Seen<'s> {
    pub kind: Kind,
    pub id: &'s str,
    pub name: &'s str,
    pub labels: &'s Value,
    /// Of a container: its image, as it was named.
    pub image: &'s str,
}

/// The command of an exec, from the action of its event.
fn exec_of(action: &str) -> Option<&str> {
    action.strip_prefix(EXEC)?.strip_prefix(':').map(str::trim)
}

/// How the engine writes the command of a container's health check into its events.
fn health_checks(config: &Value) -> Vec<String> {
    let words = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    };
    let test = words(&config["Healthcheck"]["Test"]);
    let Some((how, rest)) = test.split_first() else { return Vec::new() };
    let mut shell = words(&config["Shell"]);
    if shell.is_empty() {
        shell = vec!["/bin/sh".into(), "-c".into()];
    }
    let command = if how == "CMD-SHELL" { [shell, rest.to_vec()].concat() } else { rest.to_vec() };
    vec![command.join(" ").trim().to_owned()]
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
        assert_eq!(sightings.judge(&policy, &known).unseen, told);
        known.built = true;
        assert_eq!(sightings.judge(&policy, &known).unseen, told[1..]);
    }

    #[test]
    fn what_the_engine_makes_for_a_call_that_passed_is_no_bypass() {
        let (policy, mut known) = (policy(), Known::default());
        let mut sightings = Sightings::default();
        let nameless = "0123456789abcdef".repeat(4);
        let volume = event("volume", &nameless, &json!({label::RUN: RUN}));
        sightings.event(&policy, &known, &volume);
        assert_eq!(sightings.judge(&policy, &known).unseen, [format!("volume {nameless}")]);
        known.nameless_volumes = true;
        assert_eq!(sightings.judge(&policy, &known).unseen, [""; 0]);
    }

    #[test]
    fn a_build_of_somebody_else_with_our_stacks_label_is_not_ours() {
        let (policy, known) = (policy(), Known::default());
        let mut sightings = Sightings::default();
        for attributes in [
            json!({"name": "odd_name", "image": "sha256:00", STACK: "iso-x_ci_example"}),
            json!({"name": "odd", "image": "theirs:1", STACK: "iso-x_ci_example", label::RUN: "another"}),
        ] {
            sightings.event(&policy, &known, &event("container", "c", &attributes));
        }
        assert_eq!(sightings.judge(&policy, &known), Verdict::default());
        let direct = json!({"name": "odd_name", "image": "theirs:1", STACK: "iso-x_ci_example"});
        sightings.event(&policy, &known, &event("container", "d", &direct));
        for name in ["iso-x_ci_example-x", "iso-x_ci_example.x"] {
            sightings.event(&policy, &known, &event("volume", name, &json!({})));
        }
        let told = ["container odd_name", "volume iso-x_ci_example-x", "volume iso-x_ci_example.x"];
        assert_eq!(sightings.judge(&policy, &known).unseen, told);
    }

    #[test]
    fn what_is_done_to_objects_past_the_guard() {
        let (policy, mut known) = (policy(), Known::default());
        let mut sightings = Sightings::default();
        let mut happen = |kind: &str, action: &str, id: &str, attributes: Value| {
            let event =
                json!({"Type": kind, "Action": action, "Actor": {"ID": id, "Attributes": attributes}});
            if let Some(wanted) = sightings.wants_health(&event) {
                let config = json!({"Config": {"Healthcheck": {"Test": ["CMD-SHELL", "check it"]}}});
                sightings.health(wanted, Some(&config));
            }
            sightings.event(&policy, &known, &event);
        };
        let own = |exec: &str| json!({"name": "own", "execID": exec, label::RUN: RUN});
        happen("container", "exec_create: /bin/sh -c check it", "own", own("h"));
        happen("container", "exec_create: sh ", "own", own("known"));
        happen("container", "exec_create: sh ", "own", own("past"));
        happen("container", "exec_create: sh ", "live", json!({"name": "live", "execID": "x"}));
        happen("container", "rename", "own", own(""));
        happen("container", "update", "own", own(""));
        happen("container", "update", "live", json!({"name": "live"}));
        happen("config", "remove", "c", json!({"name": "gone"}));
        known.add(Kind::Exec, "known", "");
        known.add(Kind::Container, "own", "own");
        known.add(Kind::Service, "s", "iso_s");
        known.call(&crate::request::Head::parse("POST", "/containers/own/update").unwrap());
        known.spec("s", &json!({"Name": "iso_s", "a": 1}));
        let service = |a: u32| json!({"ID": "s", "Spec": {"Name": "iso_s", "a": a}});
        sightings.spec(&service(1));
        let told = sightings.judge(&policy, &known);
        assert_eq!(told.unseen, ["exec of container own", "rename of container own"]);
        assert_eq!(told.beside, ["exec of container live"]);
        sightings.spec(&service(2));
        assert_eq!(sightings.judge(&policy, &known).unseen[2..], ["update of service iso_s"]);
    }
}
