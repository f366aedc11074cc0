//! The guard's options: what a run may touch beside its own.

#[derive(clap::Args, Debug, Clone)]
pub struct GuardArgs {
    /// Network of others that the run may join (repeatable)
    #[arg(
        long,
        value_name = "NAME",
        default_value = "proxy",
        value_delimiter = ',',
        env = "REDFIX_ALLOW_NETWORK",
        hide_env_values = true
    )]
    pub allow_network: Vec<String>,
    /// Service of others that the run may exec into, such as a backup bot (repeatable)
    #[arg(
        long,
        value_name = "SERVICE",
        value_delimiter = ',',
        env = "REDFIX_ALLOW_EXEC",
        hide_env_values = true
    )]
    pub allow_exec: Vec<String>,
    /// Further domain that the run may route, with all below it; '*' for any (repeatable)
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        env = "REDFIX_ALLOW_DOMAIN",
        hide_env_values = true
    )]
    pub allow_domain: Vec<String>,
    /// Further repository prefix for images that the run makes; the stack's name always is one (repeatable)
    #[arg(
        long,
        value_name = "PREFIX",
        value_delimiter = ',',
        env = "REDFIX_IMAGE_PREFIX",
        hide_env_values = true
    )]
    pub image_prefix: Vec<String>,
}
