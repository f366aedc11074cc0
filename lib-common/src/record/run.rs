//! Records about runs: the next one to make, a finished one, and the test cases that it yields.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Factors;
use super::case::Ref;
use crate::text::Text;

/// `run.planned`: which run would tell most next, and what it may cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunPlanned {
    pub case: String,
    /// The factor levels to run with.
    pub factors: Factors,
    pub why: String,
    /// Fewest and expected further runs until this case is settled.
    pub minimum_runs: u32,
    pub expected_runs: f64,
    /// A run before this time would decide nothing: failing runs on one machine prove `genuine` only if they are far
    /// enough apart.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_before: Option<String>,
    /// How long a run of this case takes with its teardown: the mean of those on record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cost_ms: Option<u64>,
    /// How many cases like this one an hour of runs is expected to settle. The case with the highest number is run
    /// next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub priority: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub minimum_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expected_ms: Option<u64>,
    /// What the outcome would mean.
    pub if_pass: String,
    pub if_fail: String,
}

/// `run.finished`: one attempt, with the proof of its isolation and of its clean-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunFinished {
    pub attempt_id: String,
    pub recipe: String,
    pub version: String,
    /// The cases about which this run says something.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub cases: Vec<String>,
    /// What was really tested, as the harness reports it.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<Ref>,
    /// Commit or content hash of the harness.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub harness: Option<String>,
    /// Content hash of the tests.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tests: Option<String>,
    /// Engine version.
    pub engine: String,
    pub node: String,
    pub boot_id: String,
    pub stack: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub domain: Option<String>,
    pub factors: Factors,
    pub outcome: Outcome,
    /// Why the outcome is not a plain pass or fail.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signal: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stage: Option<String>,
    /// RFC 3339, UTC, by the machine's clock.
    pub started: String,
    pub duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signature: Option<String>,
    pub isolation: Isolation,
    pub cleanup: Cleanup,
    /// What the guard refused: `rule: METHOD path: remedy`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub refusals: Vec<Text>,
    /// The calls that went through the guard, if there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guard: Option<Guard>,
    /// Names of the protected things that changed because of this run.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub harm: Vec<String>,
    /// What the run had to do without, e.g. because it was not root; one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evidence: Option<Evidence>,
}

/// The command's calls to the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Guard {
    pub requests: u64,
    pub refused: u64,
    /// Objects of the run that the engine's events show although the guard did not see their creation: it was bypassed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unseen: Vec<String>,
}

/// How a run ended. Only `pass`, `fail` and `timeout` say something about the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Pass,
    Fail,
    Timeout,
    /// Ended from outside (Ctrl-C, SIGTERM, `--budget`).
    Aborted,
    /// Failed because of a registry, DNS, a full disk or a node that was down, which says nothing about the case.
    Infra,
    /// The condition that the run claims did not hold from start to end.
    Disturbed,
    /// The command reached the engine past its guard, so that what it did is not known.
    GuardBypassed,
}

impl Outcome {
    /// The word that the records use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Timeout => "timeout",
            Self::Aborted => "aborted",
            Self::Infra => "infra",
            Self::Disturbed => "disturbed",
            Self::GuardBypassed => "guard-bypassed",
        }
    }
}

/// The proof that the run was alone, or as loaded as it claims.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Isolation {
    /// Whether the claimed condition was really there from start to end.
    pub proved: bool,
    /// Why the condition is not proved, if it is not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
    /// Who claims the condition, if nothing measured it: the history of another CI, read by `--from`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub claimed: Option<String>,
    pub slots_held: u32,
    pub slots_total: u32,
    /// Services of others that were converging when the run started.
    pub other_deploys: u32,
    /// CPU time of everything that is not the run's, as a share of the node (0 to 1): before the run, and mean during
    /// it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub foreign_cpu_before: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub foreign_cpu_during: Option<f64>,
    /// Pressure stall information of the node, `some avg10` of cpu in percent: before the run, and highest during it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_pressure_before: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_pressure_during: Option<f64>,
    /// How many copies of the stack ran beside it as load.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub neighbours: Option<u32>,
    /// The same measurements for every node that the run's containers were on.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub nodes: Vec<NodeLoad>,
}

/// The load on one node that was not the run's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeLoad {
    pub node: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub foreign_cpu_before: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub foreign_cpu_during: Option<f64>,
    /// Highest `some avg10` of cpu in percent among containers that are not the run's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub foreign_pressure: Option<f64>,
    /// The same among the run's own containers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub own_pressure: Option<f64>,
    /// Why the load on this node could not be measured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
}

/// The proof that nothing of the run is left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cleanup {
    /// Objects of the run that were seen, e.g. `service/abc123 name`.
    pub created: Vec<String>,
    /// Objects of the run that could not be removed: must be empty.
    pub left: Vec<String>,
    /// From the command's end until the engine was really empty.
    pub duration_ms: u64,
    /// Whether everything that is not the run's has the same ids as before.
    pub others_unchanged: bool,
    /// What of that changed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub others_changed: Vec<String>,
    /// Where it could not be proved that nothing is left, e.g. on a node that did not answer; one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unproved: Vec<String>,
    /// Stacks that were kept on purpose (`--keep-on-success`) and are still there.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub kept: Vec<String>,
    /// Addresses in use on each shared network before and after, which shows leaked ones.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub networks: Vec<NetworkUse>,
}

/// Addresses in use on a shared network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkUse {
    pub network: String,
    pub before: u32,
    pub after: u32,
    /// Addresses that its subnets can give in all.
    pub size: u32,
}

/// A folder of files beside the ledger, and its root hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Relative to the ledger's folder.
    pub path: String,
    /// BLAKE3 of the folder's `b3sum` listing in path order.
    pub blake3: String,
}

/// `test.finished`: one test case of a run, read from the harness's `JUnit` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestFinished {
    pub attempt_id: String,
    pub case: String,
    pub recipe: String,
    pub test: String,
    pub outcome: TestOutcome,
    pub duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signature: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TestOutcome {
    Pass,
    Fail,
    /// The test itself could not run.
    Error,
    Skip,
}

/// `stack.kept`: a stack that a passed run left standing on purpose, as `swarm-isolate kept` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StackKept {
    pub attempt_id: String,
    pub stacks: Vec<String>,
    /// Recipe and version.
    pub about: String,
    /// RFC 3339, UTC, by the engine's clock.
    pub since: String,
}
