//! Arguments of `swarm-isolate wait`.

use std::time::Duration;

use lib_common::cli::duration;

#[derive(clap::Args, Debug)]
pub struct ConvergeArgs {
    /// The stack, as `docker stack ls` names it
    #[arg(value_name = "STACK")]
    pub stack: String,
    /// Shell command that must succeed, too, once every service is up
    #[arg(long, value_name = "CMD", env = "REDFIX_CONVERGE_READY", hide_env_values = true)]
    pub ready: Option<String>,
    /// How many looks in a row (and calls of --ready) must find it so
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..),
          env = "REDFIX_CONVERGE_STABLE", hide_env_values = true)]
    pub stable: u32,
    /// Longest wait; what is still on its way then is exit 75
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30m",
          env = "REDFIX_CONVERGE_DEADLINE", hide_env_values = true)]
    pub deadline: Duration,
    /// Give up when nothing is new for so long: no task further than before, no new kind of log line
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m",
          env = "REDFIX_CONVERGE_IDLE_TIMEOUT", hide_env_values = true)]
    pub idle_timeout: Duration,
    /// Give up when tasks of a service failed K times with the same error while nothing else got further
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..),
          env = "REDFIX_CONVERGE_SAME_ERROR", hide_env_values = true)]
    pub same_error: u32,
    /// Give up when a task found no node, or no address on a network, for so long
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1m",
          env = "REDFIX_CONVERGE_STUCK_AFTER", hide_env_values = true)]
    pub stuck_after: Duration,
    /// A task whose predecessor failed must run for so long before it counts
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s",
          env = "REDFIX_CONVERGE_SETTLE", hide_env_values = true)]
    pub settle: Duration,
}
