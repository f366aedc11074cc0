//! Plans the makers, the commands that load the node during a loaded run: `--load-with`, and `--neighbours`, which are
//! copies of the run's command. No I/O.

use lib_common::{Error, Result};

use super::cli::{Condition, LoadArgs};
use crate::command::group::shell;
use crate::plan::{Namespace, Subject};

/// A command that is to load the node, with names that no other has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    pub attempt: String,
    pub names: Namespace,
    /// Name of its log, without the ending.
    pub log: String,
    pub command: Vec<String>,
}

/// The makers of a run; none for an isolated one.
pub fn plan(args: &LoadArgs, subject: &Subject, run: &[String], condition: Condition) -> Result<Vec<Maker>> {
    if condition == Condition::Isolated {
        return Ok(Vec::new());
    }
    let maker = |log: String, command: Vec<String>| {
        let attempt = lib_common::new_id();
        Maker { names: subject.namespace(&attempt), attempt, log, command }
    };
    let load = args.load_with.iter().map(|line| maker("load".into(), shell(line).to_vec()));
    let copies = (1..=args.neighbours).map(|number| maker(format!("neighbour-{number}"), run.to_vec()));
    let all: Vec<Maker> = load.chain(copies).collect();
    if all.is_empty() {
        return Err(Error::cannot("planning a run", "a loaded run without a load")
            .hint("give --load-with CMD, or --neighbours N"));
    }
    Ok(all)
}
