//! What a recording leaves: still unredacted, and in memory only.

use std::time::Instant;

use crate::api::Api;
use crate::node::Sample;
use crate::seen::Seen;
use crate::stream::reader::Stream;

use super::Recorder;

/// Everything that was recorded.
pub struct Capture {
    pub seen: Seen,
    pub streams: Vec<Stream>,
    pub samples: Vec<Sample>,
    /// What is missing besides the streams themselves.
    pub gaps: Vec<String>,
    /// When the recording was over and taking what was left began.
    pub drained: Instant,
}

impl<A: Api> Recorder<'_, A> {
    pub(super) fn capture(self, samples: Vec<Sample>) -> Capture {
        let mut gaps = Vec::new();
        gaps.extend(self.poll_error.map(|cause| format!("last look at the stack: {cause}")));
        for (peer, answers) in self.peers.iter().zip(self.answers) {
            let on = |what: &str, cause: String| format!("{what} of {}: {cause}", peer.name);
            gaps.extend(answers.list_error.map(|cause| on("containers", cause)));
            gaps.extend(answers.events_lost.map(|cause| on("engine events", cause)));
        }
        let unread =
            self.reading.keys().map(|id| format!("log of container {}: not read in time", short(id)));
        gaps.extend(unread);
        if self.seen.events_dropped > 0 {
            gaps.push(format!("engine events: {} more than are kept", self.seen.events_dropped));
        }
        let drained = self.drained;
        Capture { seen: self.seen, streams: self.idle.into_values().collect(), samples, gaps, drained }
    }
}

/// The first twelve characters of an id, as the docker client shows it.
#[must_use]
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
