//! Collects everything that the runs of one case prove. Pure.

use std::collections::BTreeSet;

use lib_common::record::case::CaseFailed;
use lib_common::record::verdict::{Cause, FixOutcome, FixVerdict};

use crate::contrast::{self, Attribution};
use crate::fix;
use crate::fold::{Case, Fold};
use crate::judge::{Judgement, judge};
use crate::pool::Pool;
use crate::rule::Load;
use crate::sample::Sample;
use crate::settings::Settings;
use crate::texts::Texts;

/// One case, decided as far as its runs go.
#[derive(Debug)]
pub struct Finding {
    pub failed: CaseFailed,
    pub pool: Pool,
    pub judgement: Judgement,
    pub attribution: Attribution,
    pub fixes: Vec<FixVerdict>,
    pub signatures: Signatures,
    pub overfull: bool,
}

/// The signatures of the failures of the runs that counted; near-identical ones are taken for one. They are reported,
/// but never decide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signatures {
    pub isolated: BTreeSet<String>,
    pub loaded: BTreeSet<String>,
}

impl Signatures {
    fn of(used: &[Sample], texts: &Texts) -> Self {
        let groups = texts.groups(used.iter().filter_map(Sample::signature));
        let under = |load| {
            let reds = used.iter().filter(|sample| sample.load == load).filter_map(Sample::signature);
            reds.filter_map(|signature| groups.get(signature).cloned()).collect()
        };
        Self { isolated: under(Load::Isolated), loaded: under(Load::Loaded) }
    }

    pub fn all(&self) -> BTreeSet<&String> {
        self.isolated.union(&self.loaded).collect()
    }
}

/// One finding for each case that was reported as failed. The iterator makes them one by one, because a finding is
/// large and there may be thousands.
pub fn findings<'f>(fold: &'f Fold, settings: &Settings) -> impl Iterator<Item = (&'f Case, Finding)> {
    let failed = move |(_, case): (&str, &'f Case)| {
        case.failed
            .as_deref()
            .map(|failed| (case, Finding::new(failed.clone(), case, fold.texts(), settings)))
    };
    fold.cases().into_iter().filter_map(failed)
}

impl Finding {
    pub fn new(failed: CaseFailed, case: &Case, texts: &Texts, settings: &Settings) -> Self {
        let mut pool = Pool::new(&failed, case, settings, false);
        let judgement = judge(&pool.base, settings);
        let mut attribution = contrast::attribute(&failed, &pool, &judgement);
        // Runs of a fix that changes the tests were excluded so far. If a stale test is the cause, they count.
        if attribution.cause == Cause::Test {
            pool = Pool::new(&failed, case, settings, true);
        }
        let fixes = fix::verdicts(&failed, &pool, &judgement, &settings.rule);
        for fix in fixes.iter().filter(|fix| fix.verdict == FixOutcome::Fixed) {
            contrast::confirm(&mut attribution, judgement.verdict, &fix.fix, fix.ratio);
        }
        let signatures = Signatures::of(&pool.base[..judgement.used], texts);
        Self { failed, pool, judgement, attribution, fixes, signatures, overfull: case.overfull }
    }
}
