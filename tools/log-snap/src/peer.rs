//! A node of the swarm whose engine can be asked.

use std::path::PathBuf;

use crate::api::Api;
use crate::node::Node;

/// One node. The first of them is the manager that answers for the whole swarm.
pub struct Peer<A: Api> {
    /// Its id in the swarm: what runs elsewhere is read by task.
    pub id: String,
    pub name: String,
    pub api: A,
    /// Where its engine keeps its data, if that is on this machine.
    pub files: Option<PathBuf>,
    /// Its pressure, if it is this machine.
    pub pressure: Option<Node>,
}

/// What the recording knows of one peer's answers.
#[derive(Default)]
pub struct Answers {
    /// A list of its containers is under way.
    pub listing: bool,
    pub list_error: Option<String>,
    pub events_lost: Option<String>,
    /// Its event stream was open once, or failed once.
    pub heard: bool,
}
