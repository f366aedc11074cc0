//! What is known of the objects that a request names. A decision asks here; what is not known yet stops it
//! until somebody has looked it up, so that deciding itself needs no I/O.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};

use super::verdict::{Kind, Stop};

/// One object as the engine describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// Full id; of a volume its name, of a path its canonical form.
    pub id: String,
    pub name: String,
    /// Value of the run's label.
    pub run: Option<String>,
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
    created: HashSet<(Kind, String)>,
    /// Volumes that the engine makes by itself for mounts that the guard has stamped.
    pub expected_volumes: BTreeSet<String>,
    /// Whether the engine has made containers for the steps of a build.
    pub built: bool,
    /// Stacks that the run has brought into being.
    pub stacks: BTreeSet<String>,
}

impl Known {
    pub fn add(&mut self, kind: Kind, id: &str) {
        self.created.insert((kind.plain(), id.to_owned()));
    }

    pub fn has(&self, kind: Kind, id: &str) -> bool {
        self.created.contains(&(kind.plain(), id.to_owned()))
    }
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
