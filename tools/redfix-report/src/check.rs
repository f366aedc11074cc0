//! What `--self-check` tries: the folder of the state files.

use std::path::PathBuf;

use lib_common::check::{Finding, SelfCheck, tries};

#[derive(clap::Args, Debug)]
pub struct CheckArgs {
    /// Folder of the state files
    #[arg(long, value_name = "DIR", env = "REDFIX_STATE_DIR")]
    state_dir: Option<PathBuf>,
}

impl SelfCheck for CheckArgs {
    fn try_all(&self) -> Vec<Finding> {
        self.state_dir.iter().map(|folder| tries::writable("REDFIX_STATE_DIR", folder)).collect()
    }
}
