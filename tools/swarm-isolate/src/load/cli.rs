//! Options about load: the claimed condition, how it is made, and what proves it.

use clap::ValueEnum;

#[derive(clap::Args, Debug, Clone)]
pub struct LoadArgs {
    /// Run alone, or while the node is loaded
    #[arg(long, value_enum, default_value_t)]
    pub condition: Condition,
    /// Shell command that loads the node during loaded runs
    #[arg(long, value_name = "CMD")]
    pub load_with: Option<String>,
    /// Copies of the command that run beside it during loaded runs, in namespaces of their own
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub neighbours: u32,
    /// An isolated run needs a foreign CPU share (0 to 1 of the node) of at most this
    #[arg(
        long,
        value_name = "SHARE",
        default_value_t = 0.35,
        env = "REDFIX_MAX_FOREIGN_CPU",
        hide_env_values = true
    )]
    pub max_foreign_cpu: f64,
    /// A loaded run needs a foreign CPU share of at least this
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub min_foreign_cpu: f64,
    /// An isolated run needs every container of others to wait for a CPU at most this much (percent of 10 s)
    #[arg(
        long,
        value_name = "PERCENT",
        default_value_t = 80.0,
        env = "REDFIX_MAX_PRESSURE",
        hide_env_values = true
    )]
    pub max_pressure: f64,
    /// A loaded run during which nothing foreign ever waited for a CPU this much (percent of 10 s) is invalid
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    pub min_pressure: f64,
}

/// The `load` factor of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Condition {
    #[default]
    Isolated,
    Loaded,
}

impl Condition {
    pub fn name(self) -> &'static str {
        match self {
            Self::Isolated => "isolated",
            Self::Loaded => "loaded",
        }
    }
}
