//! Folds the stream into cases: joins `run.finished` with `test.finished` in either order, drops duplicates, and keeps
//! for each case only what a verdict can use.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use lib_common::record::Known;
use lib_common::record::case::CaseFailed;
use lib_common::record::run::{RunFinished, TestOutcome};
use lib_common::record::verdict::{FixVerdict, FlakeVerdict};
use lib_common::signature::normalise;

use crate::attempt::{Attempt, Facts, Profiles, Run, Setup, Shared, TestResult, View, milliseconds};
use crate::texts::Texts;
use crate::window::Window;

/// How many attempts are kept of all cases together. One takes about 160 bytes, so this bounds memory to some 50 MB.
const KEPT: usize = 300_000;

/// How many attempts are kept of one case, at least and at most. No rule plans more than 40 runs.
const OF_ONE_CASE: (usize, usize) = (64, 4096);

/// How many runs are kept for results that may still come, and how many results for a run that may still come.
const WAITING: usize = 16_384;

/// What was read about one case.
#[derive(Debug, Default)]
pub struct Case {
    /// The last `case.failed` on the stream. A case without one gets no verdict.
    pub failed: Option<Box<CaseFailed>>,
    /// In time order.
    pub attempts: Vec<Attempt>,
    /// Whether attempts were left out because there were too many.
    pub overfull: bool,
    /// The setups of which attempts were left out, each with the start of the last attempt that was kept. Attempts that
    /// started later would be left out too.
    horizon: Vec<(Arc<Setup>, i64)>,
    pub last_verdict: Option<Box<FlakeVerdict>>,
    /// The last verdict on each fix.
    pub last_fixes: BTreeMap<String, FixVerdict>,
}

/// A `test.finished` as it is read: the result, and of which case and run it is.
#[derive(Debug, Clone, Copy)]
pub struct ResultLine<'a> {
    pub attempt_id: &'a str,
    pub case: &'a str,
    pub outcome: TestOutcome,
    pub signature: Option<&'a str>,
}

/// Everything that was read so far.
#[derive(Debug)]
pub struct Fold {
    names: HashMap<Rc<str>, usize>,
    cases: Vec<Case>,
    /// The case of the last result.
    last_case: usize,
    /// For each case, the one whose result came next the last time. Runs report their tests in the same order, so that
    /// nearly every case is found by comparing one name, without a look-up.
    after: Vec<(Rc<str>, usize)>,
    shared: Shared,
    profiles: Profiles,
    runs: Window<Rc<Run>>,
    results: Window<Vec<(usize, TestResult)>>,
    /// The run of the last result. The next result is mostly of the same run.
    last: Option<Rc<Run>>,
    texts: Texts,
}

impl Default for Fold {
    fn default() -> Self {
        Self {
            names: HashMap::new(),
            cases: Vec::new(),
            last_case: 0,
            after: Vec::new(),
            shared: Shared::default(),
            profiles: Profiles::default(),
            runs: Window::new(WAITING),
            results: Window::new(WAITING),
            last: None,
            texts: Texts::default(),
        }
    }
}

impl Fold {
    pub fn note(&mut self, known: Known) {
        match known {
            Known::CaseFailed(failed) => {
                let at = self.at(&failed.case);
                self.cases[at].failed = Some(failed);
            }
            Known::RunFinished(run) => self.record(&run),
            Known::TestFinished(test) => {
                if let Some((signature, text)) = test.signature.as_deref().zip(test.message.as_ref()) {
                    self.texts.learn(signature, || normalise(&text.0));
                }
                self.result(ResultLine {
                    attempt_id: &test.attempt_id,
                    case: &test.case,
                    outcome: test.outcome,
                    signature: test.signature.as_deref(),
                });
            }
            Known::FlakeVerdict(verdict) => {
                let at = self.at(&verdict.case);
                self.cases[at].last_verdict = Some(verdict);
            }
            Known::FixVerdict(verdict) => {
                let at = self.at(&verdict.case);
                self.cases[at].last_fixes.insert(verdict.fix.clone(), *verdict);
            }
            _ => {}
        }
    }

    pub fn result(&mut self, result: ResultLine) {
        let at = self.guess(result.case);
        let test = self.shared.result(result.outcome, result.signature);
        let limit = self.limit();
        if let Some(run) = self.last.as_ref().filter(|run| *run.id == *result.attempt_id) {
            self.cases[at].keep(run, Some(test), limit);
        } else if let Some(run) = self.runs.get(result.attempt_id) {
            self.cases[at].keep(run, Some(test), limit);
            self.last = Some(Rc::clone(run));
        } else if let Some(waiting) = self.results.get_mut(result.attempt_id) {
            waiting.push((at, test));
        } else {
            self.results.insert(&Rc::from(result.attempt_id), vec![(at, test)]);
        }
    }

    pub fn run<'c>(&mut self, facts: &Facts, cases: impl Iterator<Item = &'c str>) {
        if self.runs.get(facts.id).is_some() {
            return;
        }
        let run = Rc::new(self.shared.run(facts));
        self.runs.insert(&run.id, Rc::clone(&run));
        for case in cases {
            let (at, limit) = (self.at(case), self.limit());
            self.cases[at].keep(&run, None, limit);
        }
        let limit = self.limit();
        for (at, test) in self.results.remove(&run.id).unwrap_or_default() {
            self.cases[at].keep(&run, Some(test), limit);
        }
    }

    /// Must be called once, after the last record. It cuts every case down to the limit for the final number of cases,
    /// so that what is kept does not depend on the order of the stream.
    pub fn finish(&mut self) {
        let limit = self.limit();
        self.cases.iter_mut().for_each(|case| case.trim(limit));
    }

    /// All cases with their keys, in the order in which the keys first came.
    pub fn cases(&self) -> Vec<(&str, &Case)> {
        let mut names: Vec<(&str, usize)> = self.names.iter().map(|(name, at)| (&**name, *at)).collect();
        names.sort_unstable_by_key(|(_, at)| *at);
        names.into_iter().map(|(name, at)| (name, &self.cases[at])).collect()
    }

    /// Takes the normalised text of a failure.
    pub fn text(&mut self, signature: &str, text: Vec<u8>) {
        self.texts.learn(signature, || text);
    }

    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// How many runs are missing whose results were read. Without the run a result cannot count.
    pub fn without_run(&self) -> usize {
        self.results.len() + self.results.forgotten
    }

    /// How many attempts may be kept of each case: the more cases there are, the fewer.
    pub fn limit(&self) -> usize {
        (KEPT / self.cases.len().max(1)).clamp(OF_ONE_CASE.0, OF_ONE_CASE.1)
    }

    /// The place of a case in `cases`; a new case is added.
    fn at(&mut self, case: &str) -> usize {
        if let Some(at) = self.names.get(case) {
            return *at;
        }
        let (name, at) = (Rc::<str>::from(case), self.cases.len());
        self.cases.push(Case::default());
        self.after.push((Rc::clone(&name), at));
        self.names.insert(name, at);
        at
    }

    /// As [`Fold::at`], but it first compares the case that came next the last time.
    fn guess(&mut self, case: &str) -> usize {
        let at = match self.after.get(self.last_case) {
            Some((name, at)) if **name == *case => *at,
            _ => {
                let at = self.at(case);
                let name = self.names.get_key_value(case).map(|(name, _)| Rc::clone(name));
                if let (Some(guess), Some(name)) = (self.after.get_mut(self.last_case), name) {
                    *guess = (name, at);
                }
                at
            }
        };
        self.last_case = at;
        at
    }

    fn record(&mut self, record: &RunFinished) {
        let facts = Facts {
            id: &record.attempt_id,
            started: milliseconds(&record.started),
            cost_ms: record.duration_ms.saturating_add(record.cleanup.duration_ms),
            profile: self.profiles.of(&View::of(record)),
            signature: record.signature.as_deref(),
        };
        self.run(&facts, record.cases.iter().map(String::as_str));
    }
}

impl Case {
    fn keep(&mut self, run: &Rc<Run>, test: Option<TestResult>, limit: usize) {
        let started = run.key().0;
        let beyond =
            |(setup, last): &(Arc<Setup>, i64)| Arc::ptr_eq(setup, &run.profile.setup) && started > *last;
        if self.horizon.iter().any(beyond) {
            return;
        }
        // Nearly every attempt is the newest, so the end is compared first.
        let place = match self.attempts.last() {
            Some(last) if last.run.key() < run.key() => Err(self.attempts.len()),
            None => Err(0),
            Some(_) => self.attempts.binary_search_by(|attempt| attempt.run.key().cmp(&run.key())),
        };
        match place {
            Err(at) => {
                // Grows by half, but to no more than a quarter beyond the limit, at which the case is trimmed.
                // `reserve` alone would double the memory.
                self.attempts.reserve_exact(if self.attempts.len() == self.attempts.capacity() {
                    (self.attempts.len() / 2).clamp(4, (limit + limit / 4).max(8))
                } else {
                    0
                });
                self.attempts.insert(at, Attempt { run: Rc::clone(run), test });
            }
            Ok(at) => {
                let known = &mut self.attempts[at].test;
                *known = match (known.take(), test) {
                    (Some(one), Some(other)) => Some(one.worst(other)),
                    (one, other) => one.or(other),
                };
            }
        }
        if self.attempts.len() > limit + limit / 4 {
            self.trim(limit);
        }
    }

    /// Keeps the earliest attempts of each setup, as many as fit, so that a thousand runs of the baseline do not push
    /// out the three runs of a fix. It does not look at outcomes, which would bias the verdict.
    fn trim(&mut self, limit: usize) {
        if self.attempts.len() <= limit {
            return;
        }
        self.overfull = true;
        // Equal setups are stored once, so their addresses can be compared.
        let mut setups: HashMap<*const Setup, usize> = HashMap::new();
        for attempt in &self.attempts {
            *setups.entry(Arc::as_ptr(&attempt.run.profile.setup)).or_default() += 1;
        }
        let level = level(setups.values().copied().collect(), limit);
        for count in setups.values_mut() {
            *count = 0;
        }
        if level == 0 {
            self.attempts.truncate(limit);
            return;
        }
        self.horizon.clear();
        let horizon = &mut self.horizon;
        self.attempts.retain(|attempt| {
            let setup = &attempt.run.profile.setup;
            let count = setups.entry(Arc::as_ptr(setup)).or_default();
            *count += 1;
            if *count == level {
                horizon.push((Arc::clone(setup), attempt.run.key().0));
            }
            *count <= level
        });
    }
}

/// The largest number such that `limit` is kept if each setup keeps at most that many of its `counts`.
fn level(mut counts: Vec<usize>, limit: usize) -> usize {
    counts.sort_unstable();
    let (mut left, mut level) = (limit, 0);
    for (at, count) in counts.iter().enumerate() {
        let share = left / (counts.len() - at);
        level = share;
        if *count > share {
            break;
        }
        left -= count;
    }
    level
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
