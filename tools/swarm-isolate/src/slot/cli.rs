//! Options about slots: how many there are, and when a run may start.

use std::time::Duration;

use lib_common::cli::{EngineArg, InvestigationArg, duration};

use super::window::Window;

#[derive(clap::Args, Debug)]
pub struct CountArg {
    /// Deploys at once, over all processes and nodes; the number lives in the swarm, a differing one is an
    /// error (default: what the swarm has, else 3)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100),
          env = "REDFIX_SLOTS", hide_env_values = true)]
    pub slots: Option<u32>,
}

#[derive(clap::Args, Debug)]
pub struct TtlArg {
    /// A slot whose holder gave no sign for this long is taken over
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    pub slot_ttl: Duration,
}

/// When a run may start, and until when.
#[derive(clap::Args, Debug)]
pub struct SlotArgs {
    #[command(flatten)]
    pub count: CountArg,
    #[command(flatten)]
    pub ttl: TtlArg,
    /// Longest wait for the slot, and for a calm node before an isolated run
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1h", env = "REDFIX_WAIT", hide_env_values = true)]
    pub wait: Duration,
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
}

/// `swarm-isolate slots`.
#[derive(clap::Args, Debug)]
pub struct ShowArgs {
    #[command(flatten)]
    pub engine: EngineArg,
    #[command(flatten)]
    pub investigation: InvestigationArg,
    #[command(flatten)]
    pub count: CountArg,
    /// Give the swarm N slots from now on; waits until no slot is held
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub resize: Option<u32>,
    /// Longest wait until no slot is held
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1h", env = "REDFIX_WAIT", hide_env_values = true)]
    pub wait: Duration,
    #[command(flatten)]
    pub ttl: TtlArg,
    /// Say what --resize would do, change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}
