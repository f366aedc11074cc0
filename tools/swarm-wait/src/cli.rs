//! The command line of `swarm-wait`.

use std::time::Duration;

use clap::Parser;
use lib_common::check::{self, Finding, SelfCheck};
use lib_common::cli::{EngineArg, Voice, duration};
use lib_common::exit::ToolArgs;

/// Wait until a stack has converged, and give up as soon as it never will
#[derive(Parser, Debug)]
#[command(name = "swarm-wait", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    pub voice: Voice,
    #[command(flatten)]
    pub engine: EngineArg,
    /// Investigation that the record belongs to (default: a new one)
    #[arg(long, value_name = "ID", env = "REDFIX_INVESTIGATION", hide_env_values = true)]
    pub investigation: Option<String>,
    /// The stack, as `docker stack ls` names it
    #[arg(value_name = "STACK")]
    pub stack: String,
    /// Shell command that must succeed, too, once every service is up
    #[arg(long, value_name = "CMD")]
    pub ready: Option<String>,
    /// How many looks in a row must find every service up (and --ready successful)
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub stable: u32,
    /// Longest wait; exits 75 when the stack is still on its way then
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30m")]
    pub deadline: Duration,
    /// Give up when nothing is new for this long: no task got further, no new kind of log line appeared
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    pub idle_timeout: Duration,
    /// Give up when tasks of a service failed K times with the same error while nothing else got further
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub same_error: u32,
    /// Give up when a task has found no node, or no address on a network, for this long
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1m")]
    pub stuck_after: Duration,
    /// How long a task must run before it counts as up, when its predecessor failed
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    pub settle: Duration,
}

/// What `--self-check` tries.
#[derive(clap::Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    engine: EngineArg,
}

impl SelfCheck for CheckArgs {
    fn try_all(&self) -> Vec<Finding> {
        check::engine::manages(&self.engine, async |_| Vec::new())
    }
}

impl ToolArgs for Args {
    // The tool changes nothing, but its exit code is its answer. As a pure filter it would exit 0 when its reader has
    // gone away, and a wedged stack would pass for a converged one.
    const CHANGES_THE_WORLD: bool = true;
    type Check = CheckArgs;

    fn voice(&self) -> &Voice {
        &self.voice
    }
}

const EXAMPLES: &str = "\
Examples:
  After a deploy, instead of a fixed sleep:
      docker stack deploy --compose-file compose.yml gitea && swarm-wait gitea
  In a harness, until the server itself answers, three times in a row:
      swarm-wait $REDFIX_STACK --ready 'nc -z voice 64738' --stable 3
  A first start may take hours, but not a quarter of an hour in which nothing is new:
      swarm-wait gitea_ci_example --deadline 3h --idle-timeout 15m
  What is missing, for a script:
      swarm-wait gitea_ci_example --deadline 1m | jq -r '.message // \"nothing\"'";
