//! The command line of `warm-domain-alloc`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand};
use lib_common::cli::{Common, EngineArg, InvestigationArg, LedgerArg, Voice, duration};
use lib_common::swarm::nodes::NodeArg;
use regex::Regex;

use crate::name::{Base, Class, Pattern};
use crate::probe::target::Target;

/// Lease a domain and stack namespace that collides with nothing on the swarm
#[derive(Parser, Debug)]
#[command(name = "warm-domain-alloc", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(flatten)]
    pub voice: Voice,
    #[command(subcommand)]
    pub action: Option<Action>,
    #[command(flatten)]
    pub alloc: AllocArgs,
}

#[derive(Subcommand, Debug)]
pub enum Action {
    /// Lease one domain per recipe (the default command)
    Alloc(Box<AllocArgs>),
    /// Say that the leases are still needed; exit 1 when none of that description is held
    Renew(ChangeArgs),
    /// Give leases back; one that is gone already is success
    Release(ChangeArgs),
    /// Print what is held
    List(ListArgs),
    /// End the leases that are past their time to live and have nothing left on the swarm
    Gc(GcArgs),
    /// Report what already collides on the swarm; exits 1 when something breaks
    Audit(AuditArgs),
    /// Explain why a domain answers as it does; exits 1 when a domain does not route
    Probe(Box<ProbeArgs>),
}

/// `renew` and `release`: by the records on standard input, too.
#[derive(ClapArgs, Clone, Debug)]
pub struct ChangeArgs {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub select: SelectArgs,
    #[command(flatten)]
    pub dry: DryRunArg,
}

#[derive(ClapArgs, Clone, Debug)]
pub struct ListArgs {
    #[command(flatten)]
    pub investigation: InvestigationArg,
    #[command(flatten)]
    pub select: SelectArgs,
}

#[derive(ClapArgs, Clone, Debug)]
pub struct GcArgs {
    #[command(flatten)]
    pub investigation: InvestigationArg,
    #[command(flatten)]
    pub select: SelectArgs,
    #[command(flatten)]
    pub nodes: NodesArg,
    #[command(flatten)]
    pub dry: DryRunArg,
}

#[derive(ClapArgs, Clone, Debug)]
pub struct DryRunArg {
    /// Say what would be changed, change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// The engines of the swarm's nodes: a manager does not see the volumes and containers of other nodes.
#[derive(ClapArgs, Clone, Debug, Default)]
pub struct NodesArg {
    /// Engines of all nodes, `NAME=URL` (repeatable), since only its own node sees a volume or container
    #[arg(long, value_name = "LIST", env = "REDFIX_NODES", value_delimiter = ' ', hide_env_values = true)]
    pub nodes: Vec<NodeArg>,
}

#[derive(ClapArgs, Clone, Debug)]
pub struct AuditArgs {
    #[command(flatten)]
    pub investigation: InvestigationArg,
    #[command(flatten)]
    pub engine: EngineArg,
    #[command(flatten)]
    pub ledger: LedgerArg,
    #[command(flatten)]
    pub nodes: NodesArg,
    /// Domain below which every stack should have a lease
    #[arg(long, value_name = "DOMAIN", value_parser = Base::parse, env = "REDFIX_BASE_DOMAIN", hide_env_values = true)]
    pub base: Option<Base>,
}

#[derive(ClapArgs, Clone, Debug)]
pub struct ProbeArgs {
    #[command(flatten)]
    pub common: Common,
    /// Domains, or `http[s]://DOMAIN[:PORT][/PATH]` (default: those of the leases on standard input)
    #[arg(value_name = "DOMAIN", value_parser = Target::parse)]
    pub domains: Vec<Target>,
    #[command(flatten)]
    pub engine: EngineArg,
    #[command(flatten)]
    pub ledger: LedgerArg,
    /// File with more domains, one per line; `#` begins a comment (repeatable)
    #[arg(long, value_name = "FILE")]
    pub from: Vec<PathBuf>,
    /// Address to ask in place of DNS (repeatable)
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    pub resolve: Vec<IpAddr>,
    /// Where Traefik's API answers, to compare it with the engine
    #[arg(long, value_name = "URL")]
    pub traefik: Option<String>,
    /// Name of Traefik's service, where the swarm has several (default: the first that runs)
    #[arg(long, value_name = "SERVICE")]
    pub proxy: Option<String>,
    /// PEM file of authorities to trust besides the system's (repeatable)
    #[arg(long, value_name = "FILE")]
    pub ca_file: Vec<PathBuf>,
    /// Accept a certificate that does not verify
    #[arg(long)]
    pub insecure: bool,
    /// Expression that the page must match, to check whose page it is
    #[arg(long, value_name = "REGEX", value_parser = Regex::new)]
    pub expect: Option<Regex>,
    /// Compose file of the recipe, to recognise names that are too long for the engine (repeatable)
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub compose: Vec<PathBuf>,
    /// Deadline of each layer
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    pub timeout: Duration,
    /// Ask again until all domains route
    #[arg(long)]
    pub wait: bool,
    /// Deadline of the whole call
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    pub deadline: Duration,
    /// How many domains are asked at the same time
    #[arg(long, value_name = "N", value_parser = at_once, default_value = "16")]
    pub at_once: usize,
}

fn at_once(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| (1..=1000).contains(n))
        .ok_or_else(|| format!("'{text}' is not a number from 1 to 1000"))
}

#[derive(ClapArgs, Clone, Debug)]
pub struct AllocArgs {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub engine: EngineArg,
    #[command(flatten)]
    pub ledger: LedgerArg,
    /// Domain below which names are leased, one label deep (a wildcard certificate covers no more)
    #[arg(long, value_name = "DOMAIN", value_parser = Base::parse, env = "REDFIX_BASE_DOMAIN", hide_env_values = true)]
    pub base: Option<Base>,
    /// Recipe to lease for, instead of those of the failed cases on standard input (repeatable)
    #[arg(long, value_name = "NAME")]
    pub recipe: Vec<String>,
    /// What kind of deployment: run, cold, canon or another; decides the name's prefix
    #[arg(long, value_name = "CLASS", value_parser = Class::parse, default_value = "run")]
    pub class: Class,
    /// What the lease is for; one recipe, purpose and holder has one lease (default: the class)
    #[arg(long, value_name = "TEXT")]
    pub purpose: Option<String>,
    /// Who holds the lease (default: the investigation)
    #[arg(long, value_name = "TEXT")]
    pub holder: Option<String>,
    /// Time to live after the last renewal
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "8h")]
    pub ttl: Duration,
    /// How the first label is made of {class}, {recipe} and {short} (six random hex digits)
    #[arg(long, value_name = "TEXT", value_parser = Pattern::parse, default_value = "{class}-{recipe}-{short}")]
    pub pattern: Pattern,
    /// Refuse names that match, because another harness's janitor would sweep them (repeatable)
    #[arg(long, value_name = "REGEX", value_parser = Regex::new)]
    pub avoid: Vec<Regex>,
    /// Compose file of the recipe: its object names must fit the engine's limits, and its external networks are the
    /// shared ones (repeatable)
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub compose: Vec<PathBuf>,
    /// Shared network that the recipe joins (repeatable; default: those of --compose, else every shared one)
    #[arg(
        long,
        value_name = "NAME",
        env = "REDFIX_SHARED_NETWORK",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub shared_network: Vec<String>,
    #[command(flatten)]
    pub nodes: NodesArg,
    /// abra's folder; the domains and stacks in its servers/*/*.env count as taken
    #[arg(long, value_name = "DIR")]
    pub abra_dir: Option<PathBuf>,
    /// Name that the certificate covers, e.g. *.ci.example; domains that none covers are refused (repeatable)
    #[arg(long, value_name = "NAME", value_delimiter = ',', hide_env_values = true)]
    pub certificate: Vec<String>,
    /// Say what would be leased, change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// Selects leases; a lease must match everything that is given.
#[derive(ClapArgs, Clone, Debug)]
pub struct SelectArgs {
    #[command(flatten)]
    pub engine: EngineArg,
    #[command(flatten)]
    pub ledger: LedgerArg,
    /// The lease of this id
    #[arg(long, value_name = "ID")]
    pub lease: Option<String>,
    /// Leases of this holder (renew and release without --lease: the investigation)
    #[arg(long, value_name = "TEXT")]
    pub holder: Option<String>,
    /// Leases for this recipe
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
    /// Leases for this purpose
    #[arg(long, value_name = "TEXT")]
    pub purpose: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  As a stage of the pipe, one lease per failing recipe:
      scripts/case-failed sweep.xml | warm-domain-alloc --base ci.example | swarm-isolate ...
  A name for a canonical that can never be that of the live service:
      warm-domain-alloc --base ci.example --recipe keycloak --class canon --holder ops --ttl 30d
  With every object name of the recipe checked against the engine's limits:
      warm-domain-alloc --base ci.example --recipe gitea --compose gitea/compose.yml gitea/compose.db.yml
  Why a domain does not route, with whatever Traefik's API adds:
      warm-domain-alloc probe warm-bluesky.ci.example --traefik http://traefik.ci.example:8080
  All warm domains at once, and the odd one out:
      warm-domain-alloc probe --from warm-domains.txt
  Give everything of an investigation back:
      warm-domain-alloc release < ledger.jsonl";
