//! The outcome of a rule: forward the request, refuse it, answer that the object is missing, or look something up first.

use lib_common::swarm::object;
use serde_json::Value;

use crate::refusal::Refusal;
use crate::request::Head;
use crate::world::Port;

/// The kinds of objects that a request can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Container,
    Service,
    Task,
    Network,
    /// A network of the swarm; a local network of the same name is not found under this kind.
    SwarmNetwork,
    Volume,
    Config,
    Secret,
    Exec,
    Image,
    /// A path of this machine.
    Path,
    /// The same; folders that are missing are made.
    NewPath,
    /// The node that the engine is: its id, and how many there are.
    Node,
    /// What others are asked for by name on a network, by its id.
    Names,
    /// Ports that are in use.
    Ports,
    /// Ranges of addresses that are in use.
    Ranges,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Service => "service",
            Self::Task => "task",
            Self::Network | Self::SwarmNetwork => "network",
            Self::Volume => "volume",
            Self::Config => "config",
            Self::Secret => "secret",
            Self::Exec => "exec",
            Self::Image => "image",
            Self::Path | Self::NewPath => "path",
            Self::Node => "node",
            Self::Names => "names",
            Self::Ports => "ports",
            Self::Ranges => "ranges",
        }
    }

    /// The kind of the object itself: `SwarmNetwork` only says how it is looked up.
    pub fn plain(self) -> Self {
        if self == Self::SwarmNetwork { Self::Network } else { self }
    }
}

impl From<object::Kind> for Kind {
    fn from(kind: object::Kind) -> Self {
        match kind {
            object::Kind::Service => Self::Service,
            object::Kind::Container => Self::Container,
            object::Kind::Network => Self::Network,
            object::Kind::Config => Self::Config,
            object::Kind::Secret => Self::Secret,
            object::Kind::Volume => Self::Volume,
        }
    }
}

/// Why a rule does not let the request pass (yet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    Refuse(Refusal),
    /// The rule has to know this object first: look it up and call the rule again.
    Need(Kind, String),
    /// There is no such object: status and message of the engine's answer to the look-up, for the client.
    Missing(u16, String),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

/// The body that goes to the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Outgoing {
    Nothing,
    Json(Value),
    /// An archive: the client's bytes, unparsed.
    Archive,
    /// An archive of images, which is checked and rewritten before it is sent.
    Images,
}

/// How the engine's answer reaches the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    AsItComes,
    /// The connection may be upgraded to a raw stream in both directions.
    Hijack,
    /// The answer is long or endless: see `bulk`.
    Bulk,
    /// Without the swarm's join tokens.
    Scrubbed,
}

/// A request that may pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Forward {
    pub head: Head,
    pub body: Outgoing,
    /// The kind of the new object whose id is in the answer.
    pub creates: Option<Kind>,
    /// The id of the service whose spec the request changes.
    pub updates: Option<String>,
    /// The request starts a container.
    pub starts: bool,
    /// Volumes that the guard has to create first, because the engine would create them without the owner's label.
    pub make_volumes: Vec<String>,
    /// Volumes that the engine will create, with the owner's label, for stamped mounts.
    pub expect_volumes: Vec<String>,
    /// The engine will create volumes with names of its own choice, and the owner's label.
    pub nameless_volumes: bool,
    /// Ports that the object will publish.
    pub ports: Vec<Port>,
    /// What others may come to feel of it, in words: it is told when the guard ends.
    pub notes: Vec<String>,
    /// Name and base64 value of a secret that is to be created.
    pub secret: Option<(String, String)>,
    /// The request is a build, for whose steps the engine creates containers by itself.
    pub builds: bool,
    pub answer: Answer,
}

impl Forward {
    pub fn new(head: Head) -> Self {
        Self {
            head,
            body: Outgoing::Nothing,
            creates: None,
            updates: None,
            starts: false,
            make_volumes: Vec::new(),
            expect_volumes: Vec::new(),
            nameless_volumes: false,
            notes: Vec::new(),
            ports: Vec::new(),
            secret: None,
            builds: false,
            answer: Answer::AsItComes,
        }
    }

    pub fn json(mut self, body: Value) -> Self {
        self.body = Outgoing::Json(body);
        self
    }
}

pub type Decision = Result<Forward, Stop>;
