//! Plans what to run: the subjects that the records name, and the factor levels of the next run. No I/O.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use lib_common::case::UNVERSIONED;
use lib_common::record::case::{CaseFailed, Contrast, LastGreen};
use lib_common::record::domain::DomainLeased;
use lib_common::record::run::{Outcome, RunFinished, TestOutcome};
use lib_common::record::{Factors, Known};
use lib_common::swarm::stack;
use lib_common::{Error, Result};

use crate::cli::RunArgs;
use crate::load::cli::Condition;

/// What the records on standard input and in the ledger say, reduced to what runs need.
#[derive(Debug, Default)]
pub struct Seen {
    pub cases: Vec<String>,
    pub recipes: Vec<Recipe>,
    /// Leases that have not been released, in the order of their records.
    pub leases: Vec<DomainLeased>,
    /// When the latest run on record started, by its machine's clock.
    pub last_start: Option<Timestamp>,
    pub contrasts: Vec<Contrast>,
    /// Stacks of runs on record.
    pub stacks: HashSet<String>,
    /// By case: when it was last green in a run on record, and at which ref.
    pub green: HashMap<String, LastGreen>,
    attempts: HashSet<String>,
    /// The last `run.finished`; the records of its tests follow it.
    last_run: Option<RunFinished>,
    evidence: HashMap<(String, Factors), u32>,
}

/// A recipe with its failing cases, which share each run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    pub name: String,
    pub version: String,
    pub reference: Option<String>,
    pub cases: Vec<String>,
}

impl Seen {
    pub fn note(&mut self, known: &Known) {
        match known {
            Known::CaseFailed(case) => self.note_case(case),
            Known::DomainLeased(lease) => {
                self.leases.retain(|known| known.lease_id != lease.lease_id);
                self.leases.push(lease.as_ref().clone());
            }
            Known::DomainReleased(lease) => self.leases.retain(|known| known.lease_id != lease.lease_id),
            Known::TestFinished(test) if test.outcome == TestOutcome::Pass => {
                let run = self.last_run.as_ref().filter(|run| run.attempt_id == test.attempt_id);
                if let Some((run, reference)) = run.and_then(|run| Some((run, run.reference.clone()?))) {
                    self.green.insert(test.case.clone(), LastGreen { ts: run.started.clone(), reference });
                }
            }
            Known::RunFinished(run) if self.attempts.insert(run.attempt_id.clone()) => {
                self.stacks.insert(run.stack.clone());
                self.last_run = Some(run.as_ref().clone());
                self.last_start = self.last_start.max(run.started.parse().ok());
                if matches!(run.outcome, Outcome::Pass | Outcome::Fail | Outcome::Timeout) {
                    *self.evidence.entry((run.recipe.clone(), run.factors.clone())).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    fn note_case(&mut self, case: &CaseFailed) {
        if !self.cases.contains(&case.case) {
            self.cases.push(case.case.clone());
        }
        if self.contrasts.is_empty() {
            self.contrasts.clone_from(&case.contrasts);
        }
        let at = self.recipes.iter().position(|recipe| recipe.name == case.recipe).unwrap_or_else(|| {
            let (name, version) = (case.recipe.clone(), case.version.clone());
            self.recipes.push(Recipe { name, version, reference: None, cases: Vec::new() });
            self.recipes.len() - 1
        });
        let recipe = &mut self.recipes[at];
        if !recipe.cases.contains(&case.case) {
            recipe.cases.push(case.case.clone());
        }
        if let Some(reference) = &case.reference {
            recipe.reference.get_or_insert_with(|| reference.commit.clone());
        }
    }

    /// How many runs are on record; repeated records count once.
    pub fn attempts(&self) -> usize {
        self.attempts.len()
    }

    /// How many runs of a recipe are on record with exactly these factors that passed, failed or timed out.
    pub fn evidence(&self, recipe: &str, factors: &Factors) -> u32 {
        self.evidence.get(&(recipe.to_owned(), factors.clone())).copied().unwrap_or_default()
    }

    /// The lease that a recipe's runs use: its own latest one or, if there is no other recipe, the latest of all.
    fn lease_for(&self, recipe: &str) -> Option<&DomainLeased> {
        let own = self.leases.iter().rfind(|lease| lease.recipe == recipe);
        own.or_else(|| self.leases.last().filter(|_| self.recipes.len() < 2))
    }
}

/// What is run: a recipe at its domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub recipe: String,
    pub version: String,
    pub reference: Option<String>,
    pub cases: Vec<String>,
    pub domain: String,
    /// The lease that the domain comes from.
    pub lease: Option<DomainLeased>,
}

impl Subject {
    /// One subject for each recipe with failing cases, in the order of the cases, and the recipes that are left out
    /// because they have no domain. Flags take precedence over records.
    pub fn all(args: &RunArgs, seen: &Seen) -> Result<(Vec<Self>, Vec<String>)> {
        let wanted = |recipe: &&Recipe| args.recipe.as_ref().is_none_or(|name| *name == recipe.name);
        let mut recipes: Vec<Recipe> = seen.recipes.iter().filter(wanted).cloned().collect();
        if recipes.is_empty() {
            let name = args.recipe.clone().unwrap_or_else(|| "unnamed".into());
            recipes.push(Recipe { name, version: UNVERSIONED.into(), reference: None, cases: Vec::new() });
        }
        let (mut subjects, mut without) = (Vec::new(), Vec::new());
        for recipe in recipes {
            let lease = seen.lease_for(&recipe.name).filter(|_| args.domain.is_none());
            let Some(domain) = args.domain.clone().or_else(|| Some(lease?.domain.clone())) else {
                without.push(recipe.name);
                continue;
            };
            subjects.push(Self {
                version: args.version_under_test.clone().unwrap_or(recipe.version),
                recipe: recipe.name,
                reference: recipe.reference,
                cases: recipe.cases,
                domain,
                lease: lease.cloned(),
            });
        }
        if subjects.is_empty() {
            return Err(Error::cannot("planning a run", "no domain.leased on standard input")
                .hint("give --domain, or put warm-domain-alloc before this stage of the pipe"));
        }
        Ok((subjects, without))
    }

    /// Domain and stack of one attempt, which no other attempt ever has.
    pub fn namespace(&self, attempt_id: &str) -> Namespace {
        // The last characters of a ULID are random. Six of them (base 32) collide with a chance of one in a billion.
        let suffix = attempt_id[attempt_id.len().saturating_sub(6)..].to_ascii_lowercase();
        let domain = stack::attempt_domain(&self.domain, &suffix);
        Namespace { stack: stack::stack_of(&domain), domain }
    }

    /// As [`Self::namespace`], unless the factor `domain` names the very domain to run at.
    pub fn namespace_under(&self, attempt_id: &str, factors: &Factors) -> Namespace {
        match factors.get("domain").filter(|level| level.contains('.')) {
            Some(domain) => Namespace { stack: stack::stack_of(domain), domain: domain.clone() },
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
            lease: None,
        }
    }

    /// What these frozen-format lines say.
    fn seen(lines: &[&str]) -> Seen {
        let mut seen = Seen::default();
        for line in lines {
            let kind = line.split('"').nth(3).unwrap();
            seen.note(&Known::parse(kind, 1, line.as_bytes()).unwrap().unwrap());
        }
        seen
    }

    fn case(recipe: &str, test: &str) -> String {
        format!(
            r#"{{"type":"case.failed","case":"{recipe}@1/{test}","recipe":"{recipe}","version":"1","test":"{test}","stage":"custom","source":"s"}}"#
        )
    }

    fn lease(recipe: &str, id: &str) -> String {
        format!(
            r#"{{"type":"domain.leased","recipe":"{recipe}","purpose":"run","domain":"{id}.ci.example","stack":"{id}","lease_id":"{id}","class":"run","ttl_ms":1,"holder":"h"}}"#
        )
    }

    fn args(words: &[&str]) -> RunArgs {
        use clap::Parser;
        crate::cli::Args::parse_from([&["swarm-isolate"], words].concat()).run
    }

    #[test]
    fn one_subject_for_each_recipe_with_its_own_cases_and_lease() {
        let lines = [
            case("a", "x"),
            case("b", "y"),
            case("a", "z"),
            case("a", "x"),
            case("c", "w"),
            lease("a", "1"),
            lease("b", "2"),
            lease("b", "3"),
        ];
        let seen = seen(&lines.each_ref().map(String::as_str));
        let (subjects, without) = Subject::all(&args(&[]), &seen).unwrap();
        let told: Vec<_> =
            subjects.iter().map(|s| (s.recipe.as_str(), s.domain.as_str(), s.cases.len())).collect();
        assert_eq!(told, [("a", "1.ci.example", 2), ("b", "3.ci.example", 1)]);
        assert_eq!(without, ["c"], "its lease was refused");
        let (only, _) = Subject::all(&args(&["--recipe", "b"]), &seen).unwrap();
        assert_eq!((only.len(), only[0].recipe.as_str()), (1, "b"));
        let (all, _) = Subject::all(&args(&["--domain", "d.e"]), &seen).unwrap();
        assert!(all.len() == 3 && all.iter().all(|s| s.domain == "d.e" && s.lease.is_none()));
    }

    #[test]
    fn a_single_recipe_takes_any_lease_and_a_released_one_is_gone() {
        let released = r#"{"type":"domain.released","recipe":"x","domain":"2.ci.example","stack":"2","lease_id":"2","reason":"done"}"#;
        let lines = [case("a", "x"), lease("x", "1"), lease("x", "2")];
        let mut seen = seen(&lines.each_ref().map(String::as_str));
        assert_eq!(Subject::all(&args(&[]), &seen).unwrap().0[0].domain, "2.ci.example");
        seen.note(&Known::parse("domain.released", 1, released.as_bytes()).unwrap().unwrap());
        assert_eq!(Subject::all(&args(&[]), &seen).unwrap().0[0].domain, "1.ci.example");
        assert!(Subject::all(&args(&[]), &Seen::default()).is_err(), "no lease, no namespace");
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
