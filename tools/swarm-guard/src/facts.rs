//! What is known of the objects that a request names. A decision asks here; what is not known yet stops it
//! until somebody has looked it up, so that deciding itself needs no I/O.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use crate::verdict::{Kind, Stop};

/// One object as the engine describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// Full id; of a volume its name, of a path its canonical form.
    pub id: String,
    pub name: String,
    /// Value of the owner's label, where it has one.
    pub owner: Option<String>,
    /// The swarm service that a container belongs to.
    pub service: Option<String>,
    /// The container that an exec runs in.
    pub container: Option<String>,
    /// Tags of an image.
    pub tags: Vec<String>,
    /// Labels of an image, which its containers inherit.
    pub labels: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Object(Box<Object>),
    /// The engine's own answer.
    Missing(u16, String),
}

/// Objects that the guard saw being created.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Names by kind and full id.
    created: HashMap<(Kind, String), String>,
    /// Ids by kind and name, where the swarm has a name once: of the last one that was created under it.
    latest: HashMap<(Kind, String), String>,
    /// Volumes that the engine makes by itself for mounts that the guard has stamped.
    pub expected_volumes: BTreeSet<String>,
    /// Whether the engine has made containers for the steps of a build.
    pub built: bool,
    /// Stacks that the owner has brought into being.
    pub stacks: BTreeSet<String>,
    /// The owner's label, for objects that need no look-up.
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

    /// What needs no look-up: an object that the swarm keeps, by full id or by name. If it is gone by now, the
    /// engine will say so.
    pub fn recall(&self, kind: Kind, reference: &str) -> Option<Object> {
        let id = match self.created.contains_key(&(kind.plain(), reference.to_owned())) {
            _ if !is_named_once(kind) => return None,
            true => reference,
            false => self.latest.get(&(kind, reference.to_owned()))?,
        };
        let name = self.created.get(&(kind.plain(), id.to_owned()))?.clone();
        Some(Object { id: id.to_owned(), name, owner: Some(self.owner.clone()), ..Object::default() })
    }
}

/// Whether the swarm keeps one object of a name at a time.
fn is_named_once(kind: Kind) -> bool {
    matches!(kind, Kind::Config | Kind::Secret | Kind::SwarmNetwork | Kind::Service)
}

/// The answers to one request's look-ups.
#[derive(Debug, Clone, Default)]
pub struct Facts(HashMap<(Kind, String), Found>);

impl Facts {
    pub fn learn(&mut self, kind: Kind, reference: String, found: Found) {
        self.0.insert((kind, reference), found);
    }

    /// The object, or `None` where there is none.
    pub fn find(&self, kind: Kind, reference: &str) -> Result<Option<&Object>, Stop> {
        match self.0.get(&(kind, reference.to_owned())) {
            None => Err(Stop::Need(kind, reference.to_owned())),
            Some(Found::Missing(..)) => Ok(None),
            Some(Found::Object(object)) => Ok(Some(object)),
        }
    }

    /// The object; where there is none, the engine's answer goes to the client.
    pub fn must(&self, kind: Kind, reference: &str) -> Result<&Object, Stop> {
        match self.0.get(&(kind, reference.to_owned())) {
            Some(Found::Missing(status, message)) => Err(Stop::Answer(*status, message.clone())),
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
