//! The command line of `swarm-guard`.

use std::path::PathBuf;

use clap::Parser;
use lib_common::allow::{self, Allow, Policy};
use lib_common::check::{self, Finding, SelfCheck};
use lib_common::cli::{EngineArg, InvestigationArg, Place, Voice};
use lib_common::exit::ToolArgs;
use lib_common::{Error, Io, Result};

/// A socket in the engine's place that lets its owner touch only what it created itself
#[derive(Parser, Debug)]
#[command(name = "swarm-guard", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    pub voice: Voice,
    #[command(flatten)]
    pub engine: EngineArg,
    #[command(flatten)]
    pub investigation: InvestigationArg,
    /// Whose objects may be touched; new ones are labelled with it, and their names begin with it
    #[arg(long, value_name = "NAME", value_parser = allow::name, required_unless_present = "policy")]
    pub owner: Option<String>,
    /// Something further that the owner may do: network, exec, domain, stack, image, path or
    /// log-driver (repeatable)
    #[arg(long, value_name = "KIND=VALUE", value_delimiter = ',')]
    pub allow: Vec<Allow>,
    /// Let nothing be changed at all
    #[arg(long)]
    pub read_only: bool,
    /// Neither list nor describe objects of others, but for what is allowed by name
    #[arg(long)]
    pub hide_others: bool,
    /// Owner and allowances as one JSON object, in a file or (-) on standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["owner", "allow", "read_only", "hide_others"])]
    pub policy: Option<PathBuf>,
    /// Listen here instead of in a new folder; without CMD, until SIGTERM
    #[arg(long, value_name = "PATH", required_unless_present = "command")]
    pub socket: Option<PathBuf>,
    /// Append records to this file, or write them to the open descriptor with this number (default: standard output;
    /// with CMD, whose standard output is its own, nowhere)
    #[arg(long, value_name = "FILE|FD")]
    pub records: Option<Place>,
    /// Number of an open pipe that gets the name and value of each secret before it is created, as one JSON object
    /// per line
    #[arg(long, value_name = "FD", value_parser = clap::value_parser!(u32).range(3..))]
    pub secrets: Option<u32>,
    /// The command and its arguments; it finds the guard wherever it looks for an engine
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

impl Args {
    /// The owner's bounds, from `--policy` or from `--owner` and `--allow`.
    pub fn bounds(&self, io: &mut Io) -> Result<Policy> {
        let doing = "reading the policy";
        let Some(path) = &self.policy else {
            let owner = self.owner.clone().unwrap_or_default();
            let (read_only, hide_others) = (self.read_only, self.hide_others);
            return Ok(Policy { owner, stack: None, allow: self.allow.clone(), read_only, hide_others });
        };
        let mut text = Vec::new();
        let read = match path.to_str() {
            Some("-") => io.stdin.read_to_end(&mut text).map(|_| ()),
            _ => std::fs::read(path).map(|read| text = read),
        };
        read.map_err(|e| Error::cannot(doing, e).on(path.display()))?;
        Policy::parse(&text).map_err(|e| {
            Error::cannot(doing, e)
                .on(path.display())
                .hint(r#"{"owner": "ci", "allow": [{"kind": "network", "value": "proxy"}]}"#)
        })
    }
}

/// What `--self-check` tries.
#[derive(clap::Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    engine: EngineArg,
}

impl SelfCheck for CheckArgs {
    fn try_all(&self) -> Vec<Finding> {
        check::engine::answers(&self.engine)
    }
}

impl ToolArgs for Args {
    const CHANGES_THE_WORLD: bool = true;
    type Check = CheckArgs;

    fn voice(&self) -> &Voice {
        &self.voice
    }
}

const EXAMPLES: &str = "\
Examples:
  A command that touches nothing on the swarm but what it creates itself:
      swarm-guard --owner job-17 -- docker stack deploy -c compose.yml job-17
  A socket for a runner, which may join the proxy's network and route below one domain:
      swarm-guard --owner ci --socket /run/ci/docker.sock \\
          --allow network=proxy --allow domain=ci.example --allow 'stack=ci-*'
  The same bounds from a file, and what was refused:
      swarm-guard --policy ci.json --socket /run/ci/docker.sock | grep guard.refused";
