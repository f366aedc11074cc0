//! Our own calls that change the engine, so that a change of something protected can be told to be ours.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::protect::Noted;

/// Shared by everything that calls on behalf of one run: the teardown, and the guard for the command.
#[derive(Clone, Default)]
pub struct Calls(Arc<Mutex<Vec<Noted>>>);

impl Calls {
    /// Before the call is made: an answer may never come.
    pub fn note(&self, id: &str) {
        self.note_at(id, Instant::now());
    }

    /// A call of the command, that was made at this time.
    pub fn note_at(&self, id: &str, at: Instant) {
        let call = Noted { at, id: id.to_owned() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    pub fn all(&self) -> Vec<Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
