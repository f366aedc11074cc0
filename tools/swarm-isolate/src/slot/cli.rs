//! Options about slots: how many there are, and when a run may start.

use std::time::Duration;

use clap::ValueEnum;
use lib_common::cli::duration;

use super::choose::Want;
use super::window::Window;

/// When a run may start, and until when.
#[derive(clap::Args, Debug)]
pub struct SlotArgs {
    /// How many deploys may run at once, over all processes and nodes; the swarm records the number, and a
    /// differing one is an error (default: the recorded number, else 3)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100),
          env = "REDFIX_SLOTS", hide_env_values = true)]
    pub slots: Option<u32>,
    /// Runs start only within these hours, e.g. 22:00-06:00 (local time) or 20:00-04:00Z (UTC)
    #[arg(long, value_name = "HOURS", value_parser = Window::parse, allow_hyphen_values = true,
          env = "REDFIX_WINDOW", hide_env_values = true)]
    pub window: Option<Window>,
    /// Shell command that says whether another CI is deploying: exit 0 yes (wait), 1 no
    #[arg(long, value_name = "CMD", env = "REDFIX_BUSY", hide_env_values = true)]
    pub busy: Option<String>,
    /// Longest time for all runs together, teardown included; when the next run would not fit, exits 75
    #[arg(long, value_name = "TIME", value_parser = duration, env = "REDFIX_BUDGET", hide_env_values = true)]
    pub budget: Option<Duration>,
    /// Only take a slot (or all), run the command with its streams untouched, and exit as it does
    #[arg(long, value_name = "HOW-MANY", value_enum, num_args = 0..=1, require_equals = true,
          default_missing_value = "one", conflicts_with_all = ["until", "companion", "load_with"])]
    pub slot_only: Option<HowMany>,
}

/// `swarm-isolate slots`.
#[derive(clap::Args, Debug)]
pub struct ShowArgs {
    /// Give the swarm N slots from now on; waits until no slot is held
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub resize: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HowMany {
    One,
    All,
}

impl From<HowMany> for Want {
    fn from(many: HowMany) -> Self {
        match many {
            HowMany::One => Self::ONE,
            HowMany::All => Self::All,
        }
    }
}
