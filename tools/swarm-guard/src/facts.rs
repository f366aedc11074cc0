//! What the guard knows about the objects that a request names. A rule asks here. When the answer is not known yet, the
//! rule stops with `Stop::Need` and is called again once `serve` has looked the object up. So rules need no I/O.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use crate::decision::{Kind, Stop};

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
    /// Of an image: its labels, which its containers inherit.
    pub labels: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Object(Box<Object>),
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
    /// Whether an image was built, for which the engine creates containers by itself.
    pub built: bool,
    /// Stacks to which the owner added objects.
    pub stacks: BTreeSet<String>,
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
            Some(Found::Missing(..)) => Ok(None),
            Some(Found::Object(object)) => Ok(Some(object)),
        }
    }

    /// The object; if there is none, the client gets the engine's own answer.
    pub fn must(&self, kind: Kind, reference: &str) -> Result<&Object, Stop> {
        match self.0.get(&(kind, reference.to_owned())) {
            Some(Found::Missing(status, message)) => Err(Stop::Missing(*status, message.clone())),
            Some(Found::Object(object)) => Ok(object),
            None => Err(Stop::Need(kind, reference.to_owned())),
        }
    }
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
