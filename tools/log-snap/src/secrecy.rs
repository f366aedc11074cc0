//! Prepares the redaction from the arguments: the secrets that are handed over, the rules, the key of the pseudonyms.

use lib_common::Result;
use lib_common::redact::{Key, Rules};

use crate::clean::Cleaner;
use crate::cli;
use crate::handed::Listener;
use crate::plan;

/// Everything that a redactor needs besides the secrets of the stack. It is made before anything is captured, so that a
/// wrong rule or an unreadable key is reported before the run and not after it.
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

    /// A redactor that hides `values`.
    #[must_use]
    pub fn cleaner(&self, values: &[Vec<u8>]) -> Cleaner {
        Cleaner::new(values, &self.key, self.rules.clone())
    }
}
