//! Derives every verdict again from the raw runs and compares it with the last one on record (`--recheck`). Pure.

use lib_common::record::verdict::{FixVerdict, FlakeVerdict};

use crate::finding::Finding;
use crate::fold::Case;
use crate::settings::Settings;

/// Largest relative difference between two ratios that is taken for rounding.
const ROUNDING: f64 = 1e-9;

/// What is wrong with the recorded verdicts of one case. `finding` is what its runs say, if it was reported as failed.
pub fn recheck(case: &Case, finding: Option<&Finding>, settings: &Settings) -> Vec<String> {
    let mut found = Vec::new();
    match finding {
        Some(finding) => compare(case, finding, settings, &mut |what| found.push(what)),
        None if case.last_verdict.is_some() || !case.last_fixes.is_empty() => {
            found.push("a verdict is recorded, but no case.failed".into());
        }
        None => {}
    }
    found
}

fn compare(case: &Case, finding: &Finding, settings: &Settings, say: &mut impl FnMut(String)) {
    let derived = finding.verdict(settings);
    match &case.last_verdict {
        None => say(format!("no verdict is recorded; the runs say {}", derived.verdict.word())),
        Some(recorded) => verdict(recorded, &derived).into_iter().for_each(&mut *say),
    }
    for fix in &finding.fixes {
        match case.last_fixes.get(&fix.fix) {
            None => say(format!("fix {}: no verdict is recorded", fix.fix)),
            Some(recorded) if !same_fix(recorded, fix) => {
                say(format!(
                    "fix {}: recorded as \"{}\", the runs say \"{}\"",
                    fix.fix, recorded.sentence, fix.sentence
                ));
            }
            Some(_) => {}
        }
    }
    for fix in case.last_fixes.keys().filter(|fix| !finding.fixes.iter().any(|known| known.fix == **fix)) {
        say(format!("fix {fix}: a verdict is recorded, but no run counts"));
    }
}

/// In what two verdicts on one case differ. Their sentences are not compared: they are wording, not evidence.
fn verdict(recorded: &FlakeVerdict, derived: &FlakeVerdict) -> Vec<String> {
    if recorded.verdict != derived.verdict {
        let (was, is) = (recorded.verdict.word(), derived.verdict.word());
        return vec![format!("recorded as {was}, the runs say {is} (\"{}\")", derived.sentence)];
    }
    let r = [recorded, derived].map(|v| [v.ratios.half, v.ratios.det, v.ratios.clean, v.ratios.load]);
    let limits = [recorded, derived].map(|v| [v.thresholds.t, v.thresholds.t_load, v.thresholds.eps]);
    let differences = [
        ("counts", (recorded.isolated, recorded.loaded) != (derived.isolated, derived.loaded)),
        ("ratios", !r[0].iter().zip(r[1]).all(|(one, other)| close(*one, other))),
        (
            "thresholds",
            recorded.thresholds.cap != derived.thresholds.cap
                || !limits[0].iter().zip(limits[1]).all(|(one, other)| close(*one, other)),
        ),
        ("attempts", recorded.attempts != derived.attempts),
        ("exclusions", recorded.excluded != derived.excluded),
        ("cause", recorded.cause != derived.cause || !same_shown(recorded, derived)),
        ("routes", recorded.routes != derived.routes),
    ];
    let named: Vec<&str> = differences.iter().filter(|(_, differ)| *differ).map(|(name, _)| *name).collect();
    if named.is_empty() {
        vec![]
    } else {
        vec![format!("recorded as {} with other {}", derived.verdict.word(), named.join(", "))]
    }
}

fn same_shown(one: &FlakeVerdict, other: &FlakeVerdict) -> bool {
    match (&one.shown_by, &other.shown_by) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            (&a.factor, &a.red, &a.green) == (&b.factor, &b.red, &b.green) && close(a.ratio, b.ratio)
        }
        _ => false,
    }
}

fn same_fix(one: &FixVerdict, other: &FixVerdict) -> bool {
    let key =
        |fix: &FixVerdict| (fix.verdict, fix.under.clone(), fix.before, fix.after, fix.attempts.clone());
    key(one) == key(other)
        && one.further_runs == other.further_runs
        && close(one.ratio, other.ratio)
        && close(one.threshold, other.threshold)
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= ROUNDING * one.abs().max(other.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::findings;
    use crate::fold::Fold;
    use crate::testing::{failed, fold, history, settings};
    use lib_common::record::Known;
    use lib_common::record::verdict::Verdict;

    fn finding(fold: &Fold) -> Finding {
        findings(fold, &settings()).next().unwrap().1
    }

    fn said(fold: &Fold) -> Vec<String> {
        recheck(fold.cases()[0].1, Some(&finding(fold)), &settings())
    }

    /// What a re-check says if the verdict was `changed` after it was derived.
    fn checked(changed: impl Fn(&mut FlakeVerdict)) -> Vec<String> {
        let settings = settings();
        let mut fold = fold(std::iter::once(failed()).chain(history("a", "iLiLi", 1, &[])));
        let mut verdict = finding(&fold).verdict(&settings);
        changed(&mut verdict);
        fold.note(Known::FlakeVerdict(Box::new(verdict)));
        said(&fold)
    }

    #[test]
    fn an_honest_record_passes() {
        assert_eq!(checked(|_| {}), [""; 0]);
        assert_eq!(checked(|v| v.sentence = "other words".into()), [""; 0]);
    }

    #[test]
    fn every_change_is_found() {
        assert!(
            checked(|v| v.verdict = Verdict::Genuine)[0]
                .contains("recorded as genuine, the runs say load-flake")
        );
        assert!(checked(|v| v.isolated.pass = 2)[0].contains("other counts"));
        assert!(checked(|v| v.ratios.load *= 1.01)[0].contains("other ratios"));
        assert!(checked(|v| v.thresholds.cap = 40)[0].contains("other thresholds"));
        assert!(
            checked(|v| {
                v.attempts.pop();
            })[0]
                .contains("other attempts")
        );
        assert!(checked(|v| v.shown_by = None)[0].contains("other cause"));
        assert!(checked(|v| v.routes.clear())[0].contains("other routes"));
    }

    #[test]
    fn fixes_are_checked_too() {
        let settings = settings();
        let runs = history("a", "iLiLi", 1, &[]).into_iter().chain(history("f", "lll", 9, &[("fix", "p1")]));
        let mut fold = fold(std::iter::once(failed()).chain(runs));
        let found = finding(&fold);
        let (verdict, mut fix) = (found.verdict(&settings), found.fixes[0].clone());
        fold.note(Known::FlakeVerdict(Box::new(verdict)));
        assert_eq!(said(&fold)[0], "fix p1: no verdict is recorded");
        fold.note(Known::FixVerdict(Box::new(fix.clone())));
        assert_eq!(said(&fold), [""; 0]);
        fix.after.pass += 1;
        fold.note(Known::FixVerdict(Box::new(fix.clone())));
        assert!(said(&fold)[0].starts_with("fix p1: recorded as"));
        fix.fix = "p2".into();
        fold.note(Known::FixVerdict(Box::new(fix)));
        assert!(said(&fold)[1].contains("no run counts"));
    }
}
