//! What the guard decides: forward this, refuse it, answer it, or look something up first.

use lib_common::swarm::object;
use serde_json::Value;

use crate::refusal::Refusal;
use crate::request::Head;

/// Kinds of objects that a request can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Container,
    Service,
    Task,
    Network,
    /// A network as the swarm finds it: a local one of the same name does not count.
    SwarmNetwork,
    Volume,
    Config,
    Secret,
    Exec,
    Image,
    /// A path of this machine.
    Path,
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
            Self::Path => "path",
        }
    }

    /// The kind of the object itself, however it was looked up.
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

/// Why there is no decision to forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    Refuse(Refusal),
    /// This has to be looked up first.
    Need(Kind, String),
    /// The engine's own answer to the look-up: no such object.
    Answer(u16, String),
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
    /// The client's bytes as they come: an archive.
    Archive,
    /// An archive of images, whose names are looked at before it is sent.
    Images,
}

/// What becomes of the engine's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    AsItComes,
    /// The connection may turn into a stream of both sides' bytes.
    Hijack,
    /// Long, or without an end.
    Bulk,
    /// Without the swarm's join tokens.
    Scrubbed,
}

/// A request that may pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Forward {
    pub head: Head,
    pub body: Outgoing,
    /// The answer names a new object of the owner.
    pub creates: Option<Kind>,
    /// Volumes that have to be made first, since the engine would make them without a label.
    pub make_volumes: Vec<String>,
    /// Volumes that the engine will make for stamped mounts.
    pub expect_volumes: Vec<String>,
    /// Name and base64 value of a secret on its way in.
    pub secret: Option<(String, String)>,
    /// The engine makes containers by itself, from steps of a build.
    pub builds: bool,
    pub answer: Answer,
}

impl Forward {
    pub fn new(head: Head) -> Self {
        Self {
            head,
            body: Outgoing::Nothing,
            creates: None,
            make_volumes: Vec::new(),
            expect_volumes: Vec::new(),
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
