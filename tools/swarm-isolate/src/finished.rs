//! The result of an attempt: how its command ended, what was measured meanwhile, what its teardown left. No I/O.

use std::process::ExitStatus;
use std::time::Duration;

use crate::clean::Taken;
use crate::command::check::Checked;
use crate::context::Attempt;
use crate::guard;
use crate::load::condition::Before;
use crate::load::sampler::Load;
use crate::slot::Hold;
use crate::teardown::Teardown;
use crate::teardown::vigil::Changes;

/// Why the command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Exited(ExitStatus),
    Timeout,
    Idle,
    /// This tool was asked to stop, by the signal of this number.
    Stopped(i32),
    /// Somebody else took the slot, or it could not be renewed.
    SlotLost(Hold),
    /// `--budget` ran out.
    Budget,
    /// The guard died, so the command no longer reached the engine.
    Unguarded,
    /// The namespace was not free.
    Taken(Taken),
    /// The command could not be started.
    NotStarted(String),
}

/// The result of the command's own part of an attempt.
#[derive(Debug)]
pub struct Ran {
    pub started: String,
    pub took: Duration,
    pub end: End,
    pub checked: Option<Checked>,
    pub during: Option<Load>,
    /// The published port that both the run and its neighbours wanted, if there was one.
    pub conflict: Option<String>,
    /// What the guard refused, and what went around it.
    pub guard: guard::Report,
    /// Lines that the companion printed.
    pub companion: Vec<Vec<u8>>,
    pub notes: Vec<String>,
}

impl Ran {
    /// A command that never ran, for this reason.
    pub fn not(started: String, end: End) -> Self {
        Self {
            started,
            took: Duration::ZERO,
            end,
            checked: None,
            during: None,
            conflict: None,
            guard: guard::Report::default(),
            companion: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// Everything that the records of an attempt are made of.
pub struct Finished {
    pub attempt: Attempt,
    pub before: Before,
    pub ran: Ran,
    pub teardown: Teardown,
    pub changes: Changes,
    /// How many slots the attempt held, and how many the swarm has.
    pub slots: (u32, u32),
}
