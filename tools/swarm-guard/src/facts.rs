//! What the guard knows about the objects that a request names. A rule asks here. When the answer is not known yet, the
//! rule stops with `Stop::Need` and is called again once `serve` has looked the object up. So rules need no I/O.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Map, Value};

use crate::decision::{Kind, Stop};
use crate::request::Head;
use crate::world::{Port, World};

/// One object as the engine describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// The full id; for a volume its name, for a path its canonical form.
    pub id: String,
    pub name: String,
    /// The value of the label `redfix.run`, if the object has it.
    pub owner: Option<String>,
    /// Of a container: the swarm service that it belongs to.
    pub service: Option<String>,
    /// Of an exec: the container that it runs in.
    pub container: Option<String>,
    /// Of an image: its tags.
    pub tags: Vec<String>,
    /// Of an image, whose containers inherit them, or a container: its labels.
    pub labels: Map<String, Value>,
    /// Of a path in an allowed folder: where the engine finds it, or why it cannot be had there.
    pub mount: Option<Result<String, String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Object(Box<Object>),
    /// What concerns all objects together.
    World(Box<World>),
    /// Status and message with which the engine said that there is no such object.
    Missing(u16, String),
}

/// Objects that the guard saw being created.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Names, by kind and full id.
    created: HashMap<(Kind, String), String>,
    /// For kinds whose names are unique in the swarm: the id of the object created last under a name.
    latest: HashMap<(Kind, String), String>,
    /// Volumes that the engine creates by itself, for mounts that the guard has stamped.
    pub expected_volumes: BTreeSet<String>,
    /// Whether the engine was asked for volumes that it names itself, as it does for a mount without a source.
    pub nameless_volumes: bool,
    /// Whether an image was built, for which the engine creates containers by itself.
    pub built: bool,
    /// Stacks to which the owner added objects.
    pub stacks: BTreeSet<String>,
    /// Ports that the owner published: a proxy of the engine may still listen there for a moment.
    pub ports: BTreeSet<Port>,
    /// What others may have felt of calls that passed, in words.
    pub notes: BTreeSet<String>,
    /// Calls that passed for one object: its id, and the last word of the path, or `DELETE`.
    calls: BTreeSet<(String, String)>,
    /// The specs that services had after a call that passed, by id, each as a hash.
    specs: HashMap<String, BTreeSet<u64>>,
    /// The owner's name, for objects that `recall` returns.
    owner: String,
}

impl Known {
    pub fn of_owner(owner: &str) -> Self {
        Self { owner: owner.to_owned(), ..Self::default() }
    }

    pub fn add(&mut self, kind: Kind, id: &str, name: &str) {
        self.created.insert((kind.plain(), id.to_owned()), name.to_owned());
        if is_named_once(kind) {
            self.latest.insert((kind, name.to_owned()), id.to_owned());
        }
    }

    /// Notes a call that passes, and names an object of the owner's by its full id.
    pub fn call(&mut self, head: &Head) {
        let by_query = head.get("container").filter(|_| head.segments == ["commit"]);
        let id = by_query.or_else(|| head.segments.get(1).map(String::as_str));
        let word = if head.method == "DELETE" { Some(&head.method) } else { head.segments.last() };
        if let (Some(id), Some(word)) = (id.filter(|id| self.is_created(id)), word) {
            self.calls.insert((id.to_owned(), word.clone()));
        }
    }

    fn is_created(&self, id: &str) -> bool {
        let kinds = [Kind::Container, Kind::Service, Kind::Config, Kind::Secret];
        kinds.into_iter().any(|kind| self.has(kind, id))
    }

    pub fn called(&self, id: &str, words: &[&str]) -> bool {
        words.iter().any(|word| self.calls.contains(&(id.to_owned(), (*word).to_owned())))
    }

    /// Notes the spec of a service as it is after a call that passed.
    pub fn spec(&mut self, id: &str, spec: &Value) {
        self.specs.entry(id.to_owned()).or_default().insert(hash(spec));
    }

    /// Whether the service had this spec after a call that passed. Of a service that is not known, it had every one.
    pub fn is_spec(&self, id: &str, hash: u64) -> bool {
        self.specs.get(id).is_none_or(|known| known.contains(&hash))
    }

    pub fn has(&self, kind: Kind, id: &str) -> bool {
        self.created.contains_key(&(kind.plain(), id.to_owned()))
    }

    /// An object of the swarm that was created through this guard, by full id or by name, without asking the engine. If it
    /// has been removed since, the engine says so when the request reaches it.
    pub fn recall(&self, kind: Kind, reference: &str) -> Option<Object> {
        let id = match self.created.contains_key(&(kind.plain(), reference.to_owned())) {
            // Names of other kinds are not unique, so the engine must say which object is meant.
            _ if !is_named_once(kind) => return None,
            true => reference,
            false => self.latest.get(&(kind, reference.to_owned()))?,
        };
        let name = self.created.get(&(kind.plain(), id.to_owned()))?.clone();
        Some(Object { id: id.to_owned(), name, owner: Some(self.owner.clone()), ..Object::default() })
    }
}

/// Specs are compared by it.
pub fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
}

/// Whether the swarm allows only one object of this kind with a given name.
fn is_named_once(kind: Kind) -> bool {
    matches!(kind, Kind::Config | Kind::Secret | Kind::SwarmNetwork | Kind::Service)
}

/// The results of one request's look-ups.
#[derive(Debug, Clone, Default)]
pub struct Facts(HashMap<(Kind, String), Found>);

impl Facts {
    pub fn learn(&mut self, kind: Kind, reference: String, found: Found) {
        self.0.insert((kind, reference), found);
    }

    /// The object, or `None` if there is none.
    pub fn find(&self, kind: Kind, reference: &str) -> Result<Option<&Object>, Stop> {
        match self.0.get(&(kind, reference.to_owned())) {
            None => Err(Stop::Need(kind, reference.to_owned())),
            Some(Found::Object(object)) => Ok(Some(object)),
            Some(_) => Ok(None),
        }
    }

    /// The object; if there is none, the client gets the engine's own answer.
    pub fn must(&self, kind: Kind, reference: &str) -> Result<&Object, Stop> {
        match self.0.get(&(kind, reference.to_owned())) {
            Some(Found::Missing(status, message)) => Err(Stop::Missing(*status, message.clone())),
            Some(Found::Object(object)) => Ok(object),
            Some(Found::World(_)) | None => Err(Stop::Need(kind, reference.to_owned())),
        }
    }

    /// What is known of all objects together.
    pub fn world(&self, kind: Kind, reference: &str) -> Result<&World, Stop> {
        match self.0.get(&(kind, reference.to_owned())) {
            Some(Found::World(world)) => Ok(world),
            Some(Found::Missing(status, message)) => Err(Stop::Missing(*status, message.clone())),
            Some(Found::Object(_)) | None => Err(Stop::Need(kind, reference.to_owned())),
        }
    }
}

/// Whether the engine made this name up, for a volume that nobody named: 64 hexadecimal digits.
pub fn is_anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_guard_saw_needs_no_look_up() {
        let mut known = Known::of_owner("r");
        known.add(Kind::SwarmNetwork, "n1", "x_net");
        known.add(Kind::Secret, "s1", "x_pw");
        assert_eq!(known.recall(Kind::SwarmNetwork, "x_net").unwrap().id, "n1");
        assert_eq!(known.recall(Kind::Secret, "s1").unwrap().name, "x_pw");
        assert_eq!(known.recall(Kind::Secret, "s"), None, "prefixes are the engine's to resolve");
        assert_eq!(known.recall(Kind::Network, "x_net"), None, "local networks may share a name");
        known.add(Kind::Network, "n2", "x_net");
        assert_eq!(known.recall(Kind::SwarmNetwork, "x_net").unwrap().id, "n1", "a local one is another");
        known.add(Kind::SwarmNetwork, "n3", "x_net");
        assert_eq!(known.recall(Kind::SwarmNetwork, "x_net").unwrap().id, "n3", "the first must be gone");
        assert!(known.has(Kind::Network, "n1"));
    }
}
