//! A plan that was given (`--plan`): it is asked for until a run of it counted. Reading its file is all the I/O here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use jiff::Timestamp;
use lib_common::cli::ReadArg;
use lib_common::diag::Diag;
use lib_common::record::Known;
use lib_common::record::run::{RunFinished, RunPlanned};
use lib_common::stream::{Reader, Torn};
use lib_common::{Error, Result};

use crate::attempt::{Profiles, View};
use crate::sample;
use crate::settings::Settings;

const DOING: &str = "reading the given plan";
const HINT: &str = "FILE holds one run.planned in one line, as --next prints it";

/// How many runs of it are asked for where none counts.
const TRIES: usize = 3;

/// A plan and what came of it.
pub struct Given {
    /// The plan's line, as the file has it.
    pub line: Vec<u8>,
    plan: RunPlanned,
    /// When it was planned: what began before is no answer to it.
    since: Option<Timestamp>,
    /// Each run of it by its attempt's id, with the reason why it does not count.
    tries: BTreeMap<String, Option<&'static str>>,
}

impl Given {
    /// Reads the one `run.planned` of the file. Errors name the file and the line.
    pub fn read(path: &Path, reading: &ReadArg, diag: &Diag) -> Result<Self> {
        let name = path.display();
        let fail = |place: String, cause: &str| Err(Error::cannot(DOING, cause).on(place).hint(HINT));
        let file = File::open(path).map_err(|e| Error::cannot(DOING, e).on(&name))?;
        let mut reader = Reader::new(BufReader::new(file), name.to_string(), reading, Torn::Error);
        let mut found: Option<Self> = None;
        while let Some(line) = reader.next_line(diag)? {
            let place = format!("{name} line {}", line.number);
            match reader.known(&line, diag)? {
                Some(Known::RunPlanned(_)) if found.is_some() => {
                    return fail(place, "there is a second run.planned");
                }
                Some(Known::RunPlanned(plan)) => {
                    let line = line.content().to_vec();
                    let since = planned_at(&line);
                    found = Some(Self { line, plan: *plan, since, tries: BTreeMap::new() });
                }
                _ => return fail(place, "it is no run.planned"),
            }
        }
        found.map_or_else(|| fail(name.to_string(), "it is empty"), Ok)
    }

    /// Takes note of a run, if it had exactly the levels of the plan and began after it.
    pub fn note(&mut self, run: &RunFinished, settings: &Settings) {
        let began = run.started.parse::<Timestamp>().ok();
        let is_earlier = began.zip(self.since).is_some_and(|(began, since)| began < since);
        if run.factors == self.plan.factors && !is_earlier {
            let profile = Profiles::default().of(&View::of(run));
            let why_not = sample::condition(&profile, settings).err();
            self.tries.insert(run.attempt_id.clone(), why_not);
        }
    }

    /// Whether a run of it counted. An error once so many did not that another one is pointless.
    pub fn is_settled(&self) -> Result<bool> {
        let reasons: Option<Vec<&str>> = self.tries.values().copied().collect();
        match reasons {
            None => Ok(true),
            Some(reasons) if reasons.len() < TRIES => Ok(false),
            Some(mut reasons) => {
                reasons.sort_unstable();
                reasons.dedup();
                let cause = format!("{} runs of it did not count: {}", self.tries.len(), reasons.join(", "));
                Err(Error::cannot("repeating the given plan", cause)
                    .on(&self.plan.case)
                    .hint("run.finished.reason and isolation.why say why"))
            }
        }
    }
}

/// The plan's own time, if it has one that can be read.
fn planned_at(line: &[u8]) -> Option<Timestamp> {
    let head: serde_json::Value = serde_json::from_slice(line).ok()?;
    head["ts"].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{run_body, settings};
    use lib_common::record::run::Outcome;

    const PLAN: &str = r#"{"type":"run.planned","v":1,"ts":"t","investigation":"i","tool":"x/1","case":"a@1/t","factors":{"load":"isolated"},"why":"w","minimum_runs":1,"expected_runs":1.0,"if_pass":"p","if_fail":"f"}"#;

    fn silent() -> Diag {
        Diag::to_writer("flake-classify", Box::new(std::io::sink()))
    }

    fn read(text: &str) -> Result<Given> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan");
        std::fs::write(&path, text).unwrap();
        let reading = ReadArg { max_line: 1 << 20, ..ReadArg::default() };
        Given::read(&path, &reading, &silent())
    }

    /// What comes of runs with these ids and outcomes, proved or not, all with the plan's factors.
    fn after(runs: &[(&str, Outcome, bool)]) -> Result<bool> {
        let mut given = read(PLAN).unwrap();
        for (id, outcome, proved) in runs {
            let mut run = run_body(id, 0, "isolated");
            run.factors = given.plan.factors.clone();
            (run.outcome, run.isolation.proved) = (*outcome, *proved);
            given.note(&run, &settings());
        }
        given.is_settled()
    }

    #[test]
    fn one_run_that_counts_settles_it() {
        assert_eq!(after(&[]), Ok(false));
        for outcome in [Outcome::Pass, Outcome::Fail, Outcome::Timeout] {
            assert_eq!(after(&[("1", outcome, true)]), Ok(true), "{outcome:?}");
        }
        let tried = [("1", Outcome::Infra, true), ("2", Outcome::Pass, false)];
        assert_eq!(after(&tried), Ok(false));
        assert_eq!(after(&[&tried[..], &[("3", Outcome::Fail, true)]].concat()), Ok(true));
        assert_eq!(after(&[&tried[..], &tried[..]].concat()), Ok(false), "the same run twice is one try");
    }

    #[test]
    fn three_that_do_not_count_end_it() {
        let tried = [("1", Outcome::Infra, true), ("2", Outcome::Pass, false), ("3", Outcome::Infra, true)];
        let said = after(&tried).unwrap_err().to_string();
        assert!(said.contains("a@1/t: 3 runs of it did not count: infra, isolation-unproved"), "{said}");
    }

    #[test]
    fn what_began_before_the_plan_is_no_answer_to_it() {
        let mut given = read(&PLAN.replace("\"ts\":\"t\"", "\"ts\":\"2026-06-17T12:00:00.000Z\"")).unwrap();
        for (started, settled) in [("2026-06-17T11:59:59.000Z", false), ("2026-06-17T12:00:01.000Z", true)] {
            let mut run = run_body(started, 0, "isolated");
            (run.factors, run.started) = (given.plan.factors.clone(), started.into());
            given.note(&run, &settings());
            assert_eq!(given.is_settled(), Ok(settled), "{started}");
        }
    }

    #[test]
    fn other_levels_are_other_runs() {
        let mut given = read(PLAN).unwrap();
        for level in ["loaded", "isolated"] {
            let mut run = run_body(level, 0, level);
            run.factors.insert("fix".into(), "none".into());
            given.note(&run, &settings());
        }
        assert_eq!(given.is_settled(), Ok(false));
    }

    #[test]
    fn a_bad_file_is_named_with_its_line() {
        let said = |text: &str| read(text).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(said(PLAN), "", "the last line feed may be missing");
        assert!(said("").ends_with("plan: it is empty"), "{}", said(""));
        for (text, place) in [
            (format!("{PLAN}\n{PLAN}\n"), "plan line 2: there is a second"),
            ("{\"type\":\"x.y\",\"v\":1}\n".into(), "plan line 1: it is no run.planned"),
            ("nonsense\n".into(), "plan"),
            (PLAN.replace("\"case\"", "\"caze\""), "plan line 1: not a valid run.planned"),
        ] {
            assert!(said(&text).contains(place), "{text}: {}", said(&text));
        }
        let gone = Given::read(Path::new("/nonexistent/p"), &ReadArg::default(), &silent());
        assert!(gone.err().is_some_and(|error| error.to_string().contains("/nonexistent/p")));
    }
}
