//! Decides what runs next: with `--runs` one recipe after another, with `--until` what that program plans.

use jiff::Timestamp;
use lib_common::case::CaseKey;
use lib_common::record::Factors;
use lib_common::{Error, Result};

use crate::cli::Args;
use crate::plan::{self, Seen, Subject};
use crate::until::{self, Answer, Planned, Spool};

/// The next run.
pub struct Turn {
    pub subject: Subject,
    pub factors: Factors,
    /// The run must not start earlier: it would add no independent evidence.
    pub not_before: Option<Timestamp>,
}

pub struct Turns {
    /// Each subject, and how many of its `--runs` are still to be made.
    subjects: Vec<(Subject, u32)>,
    asked: Factors,
}

impl Turns {
    /// With `--runs` above 1, runs on record with the same factors count, so that an interrupted series is continued.
    pub fn new(args: &Args, subjects: Vec<Subject>, seen: &Seen) -> Self {
        let asked = plan::asked(&args.run);
        let runs = args.run.runs;
        let open = |subject: &Subject| match runs {
            0 | 1 => runs,
            many => many.saturating_sub(seen.evidence(&subject.recipe, &asked)),
        };
        Self {
            subjects: subjects
                .into_iter()
                .map(|s| {
                    let runs = open(&s);
                    (s, runs)
                })
                .collect(),
            asked,
        }
    }

    /// The next run, or `None` when there is nothing more to run.
    pub async fn next(&mut self, args: &Args, spool: &mut Spool) -> Result<Option<Turn>> {
        let Some(command) = &args.run.until else { return Ok(self.counted()) };
        match until::ask(command, spool).await? {
            Answer::Settled => Ok(None),
            Answer::Run(Planned { case, factors, not_before }) => {
                Ok(Some(Turn { subject: self.subject_of(&case)?, factors, not_before }))
            }
        }
    }

    fn counted(&mut self) -> Option<Turn> {
        let (subject, open) = self.subjects.iter_mut().find(|(_, open)| *open > 0)?;
        *open -= 1;
        Some(Turn { subject: subject.clone(), factors: self.asked.clone(), not_before: None })
    }

    /// The subject that a case belongs to; a single subject serves all cases.
    fn subject_of(&self, case: &str) -> Result<Subject> {
        let mut subjects = self.subjects.iter().map(|(subject, _)| subject);
        if let [(only, _)] = &self.subjects[..] {
            return Ok(only.clone());
        }
        let recipe = CaseKey::parse(case)?.recipe;
        subjects.find(|subject| subject.recipe == recipe).cloned().ok_or_else(|| {
            Error::cannot("planning a run", "no lease for this recipe on standard input")
                .on(case)
                .hint("lease a domain for it, or give --domain")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn args(words: &[&str]) -> Args {
        Args::parse_from([&["swarm-isolate"], words].concat())
    }

    fn subject(recipe: &str) -> Subject {
        Subject {
            recipe: recipe.into(),
            version: "1".into(),
            reference: None,
            cases: vec![],
            domain: "d.e".into(),
            lease: None,
        }
    }

    #[test]
    fn recipes_one_after_another_each_as_often() {
        let args = args(&["--runs", "2"]);
        let mut turns = Turns::new(&args, vec![subject("a"), subject("b")], &Seen::default());
        let order: Vec<String> =
            std::iter::from_fn(|| turns.counted()).map(|turn| turn.subject.recipe).collect();
        assert_eq!(order, ["a", "a", "b", "b"]);
    }

    #[test]
    fn a_broken_off_series_goes_on() {
        let line = |id: &str, outcome: &str, load: &str| {
            format!(
                r#"{{"type":"run.finished","attempt_id":"{id}","recipe":"a","version":"1","engine":"e","node":"n","boot_id":"b","stack":"s","factors":{{"load":"{load}","fix":"none"}},"outcome":"{outcome}","started":"2026-06-17T23:18:04.512Z","duration_ms":1,"isolation":{{"proved":true,"slots_held":1,"slots_total":1,"other_deploys":0}},"cleanup":{{"created":[],"left":[],"duration_ms":1,"others_unchanged":true}}}}"#
            )
        };
        let mut seen = Seen::default();
        for line in [
            line("1", "pass", "isolated"),
            line("1", "pass", "isolated"),
            line("2", "aborted", "isolated"),
            line("3", "fail", "isolated"),
            line("4", "pass", "loaded"),
        ] {
            seen.note(
                &lib_common::record::Known::parse("run.finished", 1, line.as_bytes()).unwrap().unwrap(),
            );
        }
        let left = |runs: &str| Turns::new(&args(&["--runs", runs]), vec![subject("a")], &seen).subjects[0].1;
        assert_eq!([left("5"), left("2"), left("1")], [3, 0, 1], "a single run is always run");
        assert!(seen.last_start.is_some());
    }

    #[test]
    fn the_planned_case_says_whose_turn_it_is() {
        let turns = Turns::new(&args(&[]), vec![subject("a"), subject("b")], &Seen::default());
        assert_eq!(turns.subject_of("b@1/t").unwrap().recipe, "b");
        assert!(turns.subject_of("c@1/t").unwrap_err().to_string().contains("c@1/t"));
        let only = Turns::new(&args(&[]), vec![subject("a")], &Seen::default());
        assert_eq!(only.subject_of("c@1/t").unwrap().recipe, "a");
    }
}
