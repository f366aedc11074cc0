//! What `--self-check` tries: the engines, the key of the pseudonyms, the folder of the evidence.

use std::fs::File;
use std::path::Path;

use lib_common::check::{Finding, SelfCheck, engine, tries};
use lib_common::cli::Voice;
use lib_common::exit::ToolArgs;
use lib_common::ledger::folder_of;

use crate::cli::{Args, Capture};
use crate::plan;

#[derive(clap::Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    capture: Capture,
}

impl ToolArgs for Args {
    type Check = CheckArgs;

    fn voice(&self) -> &Voice {
        &self.voice
    }
}

impl SelfCheck for CheckArgs {
    fn try_all(&self) -> Vec<Finding> {
        let Capture { engine, nodes, evidence, secrecy, .. } = &self.capture;
        let mut found = engine::manages(engine, async |manager| match manager {
            Some(_) => engine::nodes("REDFIX_NODES", nodes, engine).await,
            None => Vec::new(),
        });
        found.extend(plan::key_file(secrecy).map(|path| key(&path)));
        found.extend(evidence.iter().map(|folder| tries::writable("REDFIX_EVIDENCE", folder)));
        found
    }
}

/// A key that is there is read, one that is not is made.
fn key(path: &Path) -> Finding {
    const NAME: &str = "--key-file";
    if !path.exists() {
        return tries::writable(NAME, folder_of(path));
    }
    match File::open(path) {
        Ok(_) => Finding::ok(NAME, path.display()),
        Err(cause) => {
            Finding::wrong(NAME, format!("{}: {cause}", path.display()), "a file that you may read")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_there_or_can_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("redact.key");
        assert!(!key(&path).is_bad());
        std::fs::write(&path, "k").unwrap();
        assert!(!key(&path).is_bad() && !key(&path).to_string().contains(" k\n"));
        assert!(key(&path.join("below")).is_bad());
    }
}
