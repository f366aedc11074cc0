//! Keeps records in little memory: equal maps of factors are kept once, and fields that no page shows are dropped.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use lib_common::record::Factors;
use lib_common::record::case::CaseFailed;
use lib_common::record::run::RunFinished;

/// Keeps one copy of each map of factors, because thousands of runs share a handful of them.
#[derive(Debug, Default)]
pub struct Pool(HashMap<Factors, Arc<Factors>>);

impl Pool {
    fn share(&mut self, factors: Factors) -> Arc<Factors> {
        if let Some(held) = self.0.get(&factors) {
            return Arc::clone(held);
        }
        let shared = Arc::new(factors.clone());
        self.0.insert(factors, Arc::clone(&shared));
        shared
    }

    pub fn run(&mut self, mut record: Box<RunFinished>) -> Run {
        let factors = self.share(std::mem::take(&mut record.factors));
        let refused = !record.refusals.is_empty()
            || record.reason.as_deref().is_some_and(|reason| reason.starts_with("namespace:"));
        let came_to_nothing = refused && record.cleanup.created.is_empty();
        record.cases = Vec::new();
        record.cleanup.created = Vec::new();
        record.cleanup.others_changed = Vec::new();
        record.refusals = Vec::new();
        for unseen in [&mut record.engine, &mut record.node, &mut record.boot_id, &mut record.stack] {
            *unseen = String::new();
        }
        Run { record, factors, came_to_nothing }
    }

    pub fn failed(&mut self, mut record: Box<CaseFailed>) -> Failed {
        let baseline = self.share(std::mem::take(&mut record.baseline));
        record.case = String::new();
        record.source = String::new();
        (record.stack, record.hypothesis) = (None, None);
        Failed { record, baseline }
    }
}

/// A `run.finished` whose factors are shared.
#[derive(Debug)]
pub struct Run {
    record: Box<RunFinished>,
    pub factors: Arc<Factors>,
    /// Whether the run was refused before it had created anything, so that there was no log to capture.
    pub came_to_nothing: bool,
}

impl Deref for Run {
    type Target = RunFinished;

    fn deref(&self) -> &RunFinished {
        &self.record
    }
}

/// A `case.failed` whose baseline is shared.
#[derive(Debug)]
pub struct Failed {
    record: Box<CaseFailed>,
    pub baseline: Arc<Factors>,
}

impl Deref for Failed {
    type Target = CaseFailed;

    fn deref(&self) -> &CaseFailed {
        &self.record
    }
}
