//! Notes the calls of this run that change something, so that a change of something protected can be attributed to it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::protect::Noted;

/// The calls made on behalf of one run: by the teardown, and by the command through the guard.
#[derive(Clone, Default)]
pub struct Calls(Arc<Mutex<Vec<Noted>>>);

impl Calls {
    /// Notes a call of the teardown. Call it before the request is sent, since an answer may never come.
    pub fn note(&self, id: &str) {
        self.note_at(id, Instant::now());
    }

    /// Notes a call of the command, which was made at this time.
    pub fn note_at(&self, id: &str, at: Instant) {
        let call = Noted { at, id: id.to_owned() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    pub fn all(&self) -> Vec<Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
