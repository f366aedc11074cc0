//! The stream to cases: joins `run.finished` with `test.finished` in either order, drops duplicates, and keeps
//! per case only what a verdict can use.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use lib_common::record::Known;
use lib_common::record::case::CaseFailed;
use lib_common::record::run::{RunFinished, TestFinished};
use lib_common::record::verdict::{FixVerdict, FlakeVerdict};

use crate::attempt::{Attempt, Run, Seen, Shared};

/// Attempts that are kept per case, the earliest; far more than any rule plans.
pub const KEPT: usize = 1024;

/// Runs, and results without a run, that still wait for their counterpart.
const WAITING: usize = 65_536;

/// All that is known of one case.
#[derive(Debug, Default)]
pub struct Case {
    /// The last one on the stream. Without it there is nothing to decide.
    pub failed: Option<CaseFailed>,
    /// In time order.
    pub attempts: BTreeMap<(i64, Rc<str>), Attempt>,
    /// Some attempts came after the first [`KEPT`] and were left out.
    pub overfull: bool,
    pub last_verdict: Option<FlakeVerdict>,
    /// The last verdict on each fix.
    pub last_fixes: BTreeMap<String, FixVerdict>,
}

/// What was read so far.
#[derive(Debug, Default)]
pub struct Fold {
    names: HashMap<String, usize>,
    cases: Vec<Case>,
    shared: Shared,
    runs: Window<Rc<Run>>,
    results: Window<Vec<(usize, Seen)>>,
}

impl Fold {
    pub fn note(&mut self, known: Known) {
        match known {
            Known::CaseFailed(failed) => {
                let at = self.at(&failed.case);
                self.cases[at].failed = Some(*failed);
            }
            Known::RunFinished(run) => self.run(&run),
            Known::TestFinished(test) => self.test(&test),
            Known::FlakeVerdict(verdict) => {
                let at = self.at(&verdict.case);
                self.cases[at].last_verdict = Some(*verdict);
            }
            Known::FixVerdict(verdict) => {
                let at = self.at(&verdict.case);
                self.cases[at].last_fixes.insert(verdict.fix.clone(), *verdict);
            }
            _ => {}
        }
    }

    /// Every key that was named, in the order of its first appearance.
    pub fn cases(&self) -> Vec<(&str, &Case)> {
        let mut names: Vec<(&str, usize)> =
            self.names.iter().map(|(name, at)| (name.as_str(), *at)).collect();
        names.sort_unstable_by_key(|(_, at)| *at);
        names.into_iter().map(|(name, at)| (name, &self.cases[at])).collect()
    }

    fn at(&mut self, case: &str) -> usize {
        if let Some(at) = self.names.get(case) {
            return *at;
        }
        self.cases.push(Case::default());
        self.names.insert(case.to_owned(), self.cases.len() - 1);
        self.cases.len() - 1
    }

    fn run(&mut self, record: &RunFinished) {
        if self.runs.get(&record.attempt_id).is_some() {
            return;
        }
        let run = Rc::new(self.shared.run(record));
        self.runs.insert(&run.id, Rc::clone(&run));
        for case in &record.cases {
            let at = self.at(case);
            self.cases[at].keep(&run, None);
        }
        for (at, seen) in self.results.remove(&run.id).unwrap_or_default() {
            self.cases[at].keep(&run, Some(seen));
        }
    }

    fn test(&mut self, record: &TestFinished) {
        let at = self.at(&record.case);
        let seen = self.shared.seen(record);
        if let Some(run) = self.runs.get(&record.attempt_id) {
            self.cases[at].keep(&Rc::clone(run), Some(seen));
        } else if let Some(waiting) = self.results.get_mut(&record.attempt_id) {
            waiting.push((at, seen));
        } else {
            self.results.insert(&Rc::from(record.attempt_id.as_str()), vec![(at, seen)]);
        }
    }
}

impl Case {
    fn keep(&mut self, run: &Rc<Run>, test: Option<Seen>) {
        let attempt =
            self.attempts.entry(run.key()).or_insert_with(|| Attempt { run: Rc::clone(run), test: None });
        attempt.test = match (attempt.test.take(), test) {
            (Some(one), Some(other)) => Some(one.worst(other)),
            (one, other) => one.or(other),
        };
        if self.attempts.len() > KEPT {
            self.attempts.pop_last();
            self.overfull = true;
        }
    }
}

/// A map that forgets its oldest entries, so that memory does not grow with the stream.
#[derive(Debug)]
struct Window<T> {
    entries: HashMap<Rc<str>, T>,
    age: VecDeque<Rc<str>>,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), age: VecDeque::new() }
    }
}

impl<T> Window<T> {
    fn get(&self, id: &str) -> Option<&T> {
        self.entries.get(id)
    }

    fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.entries.get_mut(id)
    }

    fn insert(&mut self, id: &Rc<str>, value: T) {
        if self.entries.insert(Rc::clone(id), value).is_none() {
            self.age.push_back(Rc::clone(id));
        }
        // Entries that were taken out leave their id behind: the queue is bounded, not only the map.
        while self.age.len() > WAITING {
            if let Some(oldest) = self.age.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }

    fn remove(&mut self, id: &str) -> Option<T> {
        self.entries.remove(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CASE, failed, fold, run, test};
    use lib_common::record::run::TestOutcome;

    #[test]
    fn a_result_finds_its_run_in_either_order() {
        let (a, b) = (run("1", 0, "isolated"), test("1", TestOutcome::Fail));
        for records in [[a.clone(), b.clone()], [b, a]] {
            let fold = fold(records);
            let cases = fold.cases();
            assert_eq!(cases[0].0, CASE);
            let attempt = cases[0].1.attempts.values().next().unwrap();
            assert_eq!(attempt.test.as_ref().unwrap().outcome, TestOutcome::Fail);
        }
    }

    #[test]
    fn duplicates_are_one_attempt() {
        let records =
            [failed(), run("1", 0, "isolated"), run("1", 0, "isolated"), test("1", TestOutcome::Pass)];
        assert_eq!(fold(records).cases()[0].1.attempts.len(), 1);
    }

    #[test]
    fn memory_is_bounded_and_the_earliest_stay() {
        let mut fold = Fold::default();
        for number in (0..2 * i64::try_from(KEPT).unwrap()).rev() {
            fold.note(run(&format!("{number:06}"), number, "isolated"));
        }
        let cases = fold.cases();
        assert_eq!(cases[0].1.attempts.len(), KEPT);
        assert!(cases[0].1.overfull);
        assert_eq!(&*cases[0].1.attempts.first_key_value().unwrap().0.1, "000000");
    }

    #[test]
    fn the_window_forgets_the_oldest() {
        let mut window = Window::default();
        for number in 0..=WAITING {
            window.insert(&Rc::from(number.to_string()), number);
        }
        assert!(window.get("0").is_none() && window.get("1").is_some());
    }
}
