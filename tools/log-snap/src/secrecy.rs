//! From arguments to what redacts: handed-over secrets, rules, the key of the pseudonyms.

use lib_common::Result;
use lib_common::redact::{Key, Rules};

use crate::clean::Cleaner;
use crate::cli;
use crate::handed::Listener;
use crate::plan;

/// Made once, before anything is captured: what is wrong with it is said at once.
pub struct Secrecy {
    pub listener: Listener,
    rules: Rules,
    key: Key,
}

impl Secrecy {
    pub fn new(args: &cli::Secrecy) -> Result<Self> {
        let listener = Listener::new(args.secrets_fd)?;
        let rules = match &args.rules {
            Some(path) => Rules::with_file(path)?,
            None => Rules::builtin(),
        };
        let key = match plan::key_file(args) {
            Some(path) => Key::in_file(&path)?,
            None => Key::random(),
        };
        Ok(Self { listener, rules, key })
    }

    /// What takes these values out of everything.
    #[must_use]
    pub fn cleaner(&self, values: &[Vec<u8>]) -> Cleaner {
        Cleaner::new(values, &self.key, self.rules.clone())
    }
}
