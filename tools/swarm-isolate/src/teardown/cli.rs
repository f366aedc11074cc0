//! Arguments of teardown, protection and the nodes.

use clap::{Args, Subcommand};

use super::pattern::Pattern;

#[derive(Args, Clone, Debug, Default)]
pub struct DownArgs {
    /// A change of what NAME, GLOB or label=KEY[=VALUE] matches is harm, whoever made it (repeatable)
    #[arg(
        long,
        global = true,
        value_name = "PATTERN",
        value_delimiter = ' ',
        env = "REDFIX_PROTECT",
        hide_env_values = true
    )]
    pub protect: Vec<Pattern>,
    /// Engine of another node of the swarm: its containers and volumes are invisible to the manager (repeatable)
    #[arg(long = "node", global = true, value_name = "NAME=HOST", value_delimiter = ' ', value_parser = node,
          env = "REDFIX_NODES", hide_env_values = true)]
    pub nodes: Vec<NodeArg>,
    /// Leave what a passed run created standing, never to be reaped; 'swarm-isolate kept' lists it
    #[arg(long)]
    pub keep_on_success: bool,
}

/// `NAME=HOST`; an empty one (an empty variable) names no node.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NodeArg {
    pub name: String,
    pub host: String,
}

fn node(text: &str) -> Result<NodeArg, String> {
    if text.trim().is_empty() {
        return Ok(NodeArg::default());
    }
    match text.split_once('=') {
        Some((name, host)) if !name.is_empty() && host.contains("://") => {
            Ok(NodeArg { name: name.into(), host: host.into() })
        }
        _ => Err("not of the form NAME=HOST, e.g. n2=tcp://10.0.0.2:2375".into()),
    }
}

#[derive(Args, Clone, Debug, Default)]
pub struct ReapArgs {
    /// Say what would be torn down, change nothing
    #[arg(short = 'n', long = "dry-run")]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug, Default)]
pub struct KeptArgs {
    #[command(subcommand)]
    pub action: Option<KeptAction>,
}

#[derive(Subcommand, Clone, Debug)]
pub enum KeptAction {
    /// Tear down kept stacks: they are nobody's any more
    Release {
        /// Stack, or the attempt that created it
        #[arg(required = true)]
        name: Vec<String>,
        /// Say what would be torn down, change nothing
        #[arg(short = 'n', long = "dry-run")]
        dry_run: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_as_the_engine_script_prints_them() {
        let given = node("n2=unix:///run/x/n2/docker.sock").unwrap();
        assert_eq!((given.name.as_str(), given.host.as_str()), ("n2", "unix:///run/x/n2/docker.sock"));
        assert_eq!(node(" ").unwrap(), NodeArg::default());
        for bad in ["n2", "=unix:///x", "n2=", "n2=host"] {
            assert!(node(bad).is_err(), "{bad}");
        }
    }
}
