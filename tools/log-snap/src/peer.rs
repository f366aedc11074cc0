//! A node of the swarm whose engine this tool can reach, and what is known about its answers.

use std::path::PathBuf;

use crate::api::Api;
use crate::node::Sampler;

/// One node. The first one in a list of peers is the manager, which answers for the whole swarm.
pub struct Peer<A: Api> {
    /// Its id in the swarm. Tasks whose node is no peer are read through the manager.
    pub id: String,
    pub name: String,
    pub api: A,
    /// The folder in which its engine keeps its data, if this process sees that folder.
    pub files: Option<PathBuf>,
    /// Takes samples of the node's pressure, if the node is this machine.
    pub pressure: Option<Sampler>,
}

/// How the requests to one peer are going.
#[derive(Default)]
pub struct PeerStatus {
    /// Whether a request for the list of its containers is under way.
    pub listing: bool,
    /// Why the last such request failed.
    pub list_error: Option<String>,
    /// Why its event stream is not open now.
    pub events_lost: Option<String>,
    /// Whether its event stream was opened, or the attempt failed, at least once.
    pub heard: bool,
}
