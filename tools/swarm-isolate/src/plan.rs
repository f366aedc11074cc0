//! What to run: the subject that the records name, and the factor levels of the next run. No I/O.

use std::collections::{HashMap, HashSet};

use lib_common::record::case::{Contrast, LastGreen};
use lib_common::record::run::{RunFinished, TestOutcome};
use lib_common::record::{Factors, Known};
use lib_common::{Error, Result, names};

use crate::cli::RunArgs;
use crate::load::cli::Condition;

/// What the records on standard input and in the ledger say, as far as a run needs it.
#[derive(Debug, Default)]
pub struct Seen {
    pub cases: Vec<String>,
    pub recipe: Option<String>,
    pub version: Option<String>,
    pub reference: Option<String>,
    pub domain: Option<String>,
    pub contrasts: Vec<Contrast>,
    /// Stacks of runs on record.
    pub stacks: HashSet<String>,
    /// When a case was last green, and at which ref, as far as the runs on record tell.
    pub green: HashMap<String, LastGreen>,
    attempts: HashSet<String>,
    /// Tests follow the run that they are of.
    last_run: Option<RunFinished>,
}

impl Seen {
    pub fn note(&mut self, known: &Known) {
        match known {
            Known::CaseFailed(case) => {
                if !self.cases.contains(&case.case) {
                    self.cases.push(case.case.clone());
                }
                self.recipe.get_or_insert_with(|| case.recipe.clone());
                self.version.get_or_insert_with(|| case.version.clone());
                if let Some(reference) = &case.reference {
                    self.reference.get_or_insert_with(|| reference.commit.clone());
                }
                if self.contrasts.is_empty() {
                    self.contrasts.clone_from(&case.contrasts);
                }
            }
            Known::DomainLeased(lease) => self.domain = Some(lease.domain.clone()),
            Known::DomainReleased(lease) if self.domain.as_ref() == Some(&lease.domain) => self.domain = None,
            Known::RunFinished(run) => {
                self.attempts.insert(run.attempt_id.clone());
                self.stacks.insert(run.stack.clone());
                self.last_run = Some(run.as_ref().clone());
            }
            Known::TestFinished(test) if test.outcome == TestOutcome::Pass => {
                let run = self.last_run.as_ref().filter(|run| run.attempt_id == test.attempt_id);
                if let Some((run, reference)) = run.and_then(|run| Some((run, run.reference.clone()?))) {
                    self.green.insert(test.case.clone(), LastGreen { ts: run.started.clone(), reference });
                }
            }
            _ => {}
        }
    }

    /// Whether there is a record of how this attempt ended.
    pub fn knows(&self, attempt: &str) -> bool {
        self.attempts.contains(attempt)
    }

    /// Runs on record so far, duplicates counted once.
    pub fn attempts(&self) -> usize {
        self.attempts.len()
    }
}

/// What is run, whatever the condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub recipe: String,
    pub version: String,
    pub reference: Option<String>,
    pub cases: Vec<String>,
    pub domain: String,
}

impl Subject {
    /// Flags win over records; without a domain there is no namespace that could be kept apart.
    pub fn choose(args: &RunArgs, seen: &Seen) -> Result<Self> {
        let missing = |what: &str, flag: &str| {
            Error::cannot("planning a run", format!("no {what} on standard input"))
                .hint(format!("give {flag}, or put the stage before this one into the pipe"))
        };
        let domain = args.domain.clone().or_else(|| seen.domain.clone());
        let recipe = args.recipe.clone().or_else(|| seen.recipe.clone());
        let version = args.version_under_test.clone().or_else(|| seen.version.clone());
        Ok(Self {
            domain: domain.ok_or_else(|| missing("domain.leased", "--domain"))?,
            recipe: recipe.unwrap_or_else(|| "unnamed".into()),
            version: version.unwrap_or_else(|| "unversioned".into()),
            reference: seen.reference.clone(),
            cases: seen.cases.clone(),
        })
    }

    /// Domain and stack of one attempt, never used before or after.
    pub fn namespace(&self, attempt_id: &str) -> Namespace {
        // The last characters of a ULID are random; six of them leave one chance in a billion.
        let suffix = attempt_id[attempt_id.len().saturating_sub(6)..].to_ascii_lowercase();
        let domain = names::attempt_domain(&self.domain, &suffix);
        Namespace { stack: names::stack_of(&domain), domain }
    }

    /// The same, unless the factor `domain` names the very domain to run at.
    pub fn namespace_under(&self, attempt_id: &str, factors: &Factors) -> Namespace {
        match factors.get("domain").filter(|level| level.contains('.')) {
            Some(domain) => Namespace { stack: names::stack_of(domain), domain: domain.clone() },
            None => self.namespace(attempt_id),
        }
    }
}

/// The names that belong to one attempt alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    pub domain: String,
    pub stack: String,
}

/// The factor levels that the flags ask for.
pub fn asked(args: &RunArgs) -> Factors {
    let mut factors: Factors = args.factor.iter().cloned().collect();
    factors.insert("load".into(), args.load.condition.name().into());
    factors.entry("fix".into()).or_insert_with(|| "none".into());
    factors
}

/// The condition that a run's factors name.
pub fn condition(factors: &Factors) -> Result<Condition> {
    match factors.get("load").map(String::as_str) {
        Some("isolated") | None => Ok(Condition::Isolated),
        Some("loaded") => Ok(Condition::Loaded),
        Some(other) => {
            Err(Error::cannot("planning a run", "neither isolated nor loaded").on(format!("load={other}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject {
            recipe: "mumble".into(),
            version: "1".into(),
            reference: None,
            cases: vec![],
            domain: "iso-mumb-1a2b3c.ci.example".into(),
        }
    }

    #[test]
    fn each_attempt_has_names_of_its_own() {
        let one = subject().namespace("01JD000000000000000000AAAA");
        assert_eq!(one.domain, "iso-mumb-1a2b3c-00aaaa.ci.example");
        assert_eq!(one.stack, "iso-mumb-1a2b3c-00aaaa_ci_example");
    }

    #[test]
    fn a_domain_as_a_factor_is_taken_as_it_is() {
        let factors = |level: &str| Factors::from([("domain".into(), level.into())]);
        let names = subject().namespace_under("01JD", &factors("warm-keycloak.ci.example"));
        assert_eq!(names.stack, "warm-keycloak_ci_example");
        assert_eq!(subject().namespace_under("01JD", &factors("leased")), subject().namespace("01JD"));
    }

    #[test]
    fn an_unknown_load_level_is_refused() {
        assert!(condition(&Factors::from([("load".into(), "half".into())])).is_err());
        assert_eq!(condition(&Factors::new()).unwrap(), Condition::Isolated);
    }
}
