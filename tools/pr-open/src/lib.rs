//! Open or update exactly one pull request per fix, and never merge.

mod cli;

pub use cli::Args;
use lib_common::emit::{Emitter, copy_records};
use lib_common::{Exit, Io, Result};

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    let mut emitter = Emitter::new(args.common.investigation.clone(), None);
    copy_records(&args.common, io, &mut emitter, |_, _, _| Ok(()))?;
    Ok(Exit::Done)
}
