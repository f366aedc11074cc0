//! Arguments of the slots: how many there are, and when a run may start.

/// When a run may start, and until when.
#[derive(clap::Args, Debug)]
pub struct SlotArgs {
    /// Deploys at once, over all processes and nodes of the swarm; the number lives in the swarm, a differing
    /// one is an error (default: what the swarm has, else 3)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100),
          env = "REDFIX_SLOTS", hide_env_values = true)]
    pub slots: Option<u32>,
}
