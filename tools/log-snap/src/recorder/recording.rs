//! The result of a recording. It is not redacted, and exists in memory only.

use std::time::Instant;

use crate::api::Api;
use crate::node::Sample;
use crate::seen::Seen;
use crate::stream::reader::Stream;

use super::Recorder;

/// Everything that was recorded.
pub struct Recording {
    pub seen: Seen,
    pub streams: Vec<Stream>,
    pub samples: Vec<Sample>,
    /// What is missing, apart from what the streams themselves say.
    pub gaps: Vec<String>,
    /// When the recording had ended and reading what was left began.
    pub drained: Instant,
}

impl<A: Api> Recorder<'_, A> {
    pub(super) fn into_recording(self, samples: Vec<Sample>) -> Recording {
        let mut gaps = Vec::new();
        gaps.extend(self.poll_error.map(|cause| format!("last look at the stack: {cause}")));
        for (peer, status) in self.peers.iter().zip(self.status) {
            let on = |what: &str, cause: String| format!("{what} of {}: {cause}", peer.name);
            gaps.extend(status.list_error.map(|cause| on("containers", cause)));
            gaps.extend(status.events_lost.map(|cause| on("engine events", cause)));
        }
        let unread =
            self.reading.keys().map(|id| format!("log of container {}: not read in time", short(id)));
        gaps.extend(unread);
        if self.seen.events_dropped > 0 {
            gaps.push(format!("engine events: {} more than are kept", self.seen.events_dropped));
        }
        let drained = self.drained;
        Recording { seen: self.seen, streams: self.idle.into_values().collect(), samples, gaps, drained }
    }
}

/// The first twelve characters of an id, as the docker client shows it.
#[must_use]
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
