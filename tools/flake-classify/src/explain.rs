//! Explains a verdict to people (`--explain`): the counts, what they exclude, what would change the verdict. Pure.

use std::fmt::Write;

use lib_common::record::run::RunPlanned;
use lib_common::record::verdict::{Tally, Verdict};

use crate::cure::Cure;
use crate::finding::Finding;
use crate::judge::Why;
use crate::needed::Needed;
use crate::plan::{self, Next};
use crate::rule::{Load, runs};
use crate::settings::Settings;
use crate::verdict;
use crate::words::{self, odds};
use lib_common::glr;

/// The paragraphs of one case; ends with a line feed.
pub fn explain(finding: &Finding, settings: &Settings, needed: &mut Needed) -> String {
    let mut text = format!("{}\n", finding.failed.case);
    let mut say = |line: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {line}");
    };
    say(verdict::sentence(finding, settings));
    ratios(finding, settings).into_iter().for_each(&mut say);
    clean_bounds(finding).into_iter().for_each(&mut say);
    agreement(finding).into_iter().for_each(&mut say);
    levels(finding).into_iter().for_each(&mut say);
    finding.fixes.iter().for_each(|fix| say(format!("fix {}: {}", fix.fix, fix.sentence)));
    say(routes(finding));
    exclusions(finding).into_iter().for_each(&mut say);
    last_green(finding).into_iter().for_each(&mut say);
    change(finding, settings, needed).into_iter().for_each(&mut say);
    text
}

fn ratios(finding: &Finding, settings: &Settings) -> Vec<String> {
    let counts = &finding.judgement.counts;
    if counts.runs() == 0 {
        return vec!["no run counts yet".into()];
    }
    let (ratios, limits) = (counts.ratios(), settings.rule.thresholds(counts));
    let line =
        |against: &str, ratio, limit| format!("against \"{against}\": {}, needed {limit} to 1", odds(ratio));
    let mut lines = vec![
        line("alone it fails at most half the time", ratios.half, crate::rule::T),
        line("it always fails alone", ratios.det, limits.t),
        line("the fails alone are noise (2 in 100)", ratios.clean, limits.t),
    ];
    if runs(counts.loaded) > 0 {
        lines.push(line("load makes no difference", ratios.load, limits.t_load));
    }
    lines
}

/// If nothing failed, says which failure rates the green runs exclude, because "nothing failed" is not "it never
/// fails".
fn clean_bounds(finding: &Finding) -> Vec<String> {
    let bound = |load: Load| {
        let tally = finding.judgement.counts.of(load);
        (tally.fail == 0 && tally.pass > 0).then(|| {
            let bound = glr::bound_of_clean(tally.pass);
            format!("nothing failed {}: failure rates above {bound:.2} are excluded at 20 to 1, lower ones are not", load.name())
        })
    };
    [Load::Isolated, Load::Loaded].into_iter().filter_map(bound).collect()
}

/// Says how often an isolated run had the same result as the one before on the same machine. If that is very often,
/// back-to-back runs may be correlated.
fn agreement(finding: &Finding) -> Option<String> {
    let used = &finding.pool.base[..finding.judgement.used];
    let alone: Vec<_> = used.iter().filter(|sample| sample.load == Load::Isolated).collect();
    let pairs = || alone.windows(2).filter(|pair| pair[0].boot() == pair[1].boot());
    let same = pairs().filter(|pair| pair[0].red == pair[1].red).count();
    (alone.len() > 2 && pairs().count() > 0).then(|| {
        format!(
            "next to each other on one machine: {same} of {} isolated runs as the one before",
            pairs().count()
        )
    })
}

fn levels(finding: &Finding) -> Vec<String> {
    let levels = finding.attribution.levels.iter().filter(|level| level.tally != Tally::default());
    let line = |level: &crate::contrast::Level| {
        let says = match level.cure {
            Cure::Cured => "cures it",
            Cure::StillRed => "does not cure it",
            Cure::Open => "not decided",
        };
        let seen = words::tally(level.tally, "contrast");
        format!(
            "{}={} instead of {}: {seen}, {says} ({})",
            level.factor,
            level.name,
            level.red,
            odds(level.ratio)
        )
    };
    levels.map(line).collect()
}

fn routes(finding: &Finding) -> String {
    let cause = finding.attribution.cause.word();
    let routes: Vec<&str> = finding.attribution.routes.iter().map(|route| words::route(*route)).collect();
    if routes.is_empty() {
        format!("cause: {cause}")
    } else {
        format!("cause: {cause}; route: {}", routes.join(", or "))
    }
}

fn exclusions(finding: &Finding) -> Vec<String> {
    let mut lines: Vec<String> = finding
        .pool
        .excluded
        .records()
        .into_iter()
        .map(|excluded| {
            let more = if excluded.count > excluded.attempts.len() as u64 { ", ..." } else { "" };
            format!(
                "not counted, {}: {} ({}{more})",
                excluded.reason,
                excluded.count,
                excluded.attempts.join(", ")
            )
        })
        .collect();
    if finding.overfull {
        lines.push(format!("only the earliest {} attempts were looked at", finding.pool.log.len()));
    }
    lines
}

/// Says when the case last passed, at which ref, and whether that is the ref that failed.
fn last_green(finding: &Finding) -> Vec<String> {
    let ours = finding.pool.revisions.as_ref().and_then(|revisions| revisions.commit());
    let swept = finding.failed.reference.as_ref().map(|reference| reference.commit.as_str());
    let mut lines = Vec::new();
    if let Some(green) = &finding.failed.last_green {
        let name = green.reference.name.as_deref().map_or(String::new(), |name| format!(" {name}"));
        let same = match ours.or(swept) {
            Some(ours) if ours == green.reference.commit => "the same ref as here",
            Some(_) => "another ref than here, so it says nothing about this one",
            None => "and the ref here is unknown",
        };
        let (kind, commit) = (&green.reference.kind, &green.reference.commit);
        lines.push(format!("it passed before: {} at {kind}{name} {commit}, {same}", green.ts));
    }
    if let (Some(ours), Some(swept)) = (ours, swept)
        && ours != swept
    {
        lines.push(format!("the runs tested {ours}, the sweep {swept}"));
    }
    lines
}

fn change(finding: &Finding, settings: &Settings, needed: &mut Needed) -> Vec<String> {
    match plan::next(finding, settings, needed) {
        Next::Run(run) if finding.judgement.settled || finding.judgement.why == Why::Correlated => {
            vec![next_run(&run)]
        }
        Next::Run(run) => vec![next_run(&run), fewest(finding, needed)],
        Next::Stuck(reasons) => vec![format!("stuck: the last runs did not count ({})", reasons.join(", "))],
        Next::Settled if finding.judgement.verdict == Verdict::Inconclusive => {
            vec!["settled as inconclusive: a higher --cap, or another contrast, would tell more".into()]
        }
        Next::Settled => {
            let unattributed =
                finding.judgement.verdict == Verdict::Genuine && finding.attribution.shown.is_empty();
            unattributed.then(|| verdict::next_experiment(finding)).into_iter().collect()
        }
    }
}

fn fewest(finding: &Finding, needed: &Needed) -> String {
    let verdicts = [Verdict::Genuine, Verdict::LoadFlake, Verdict::Flake];
    let reachable = verdicts.into_iter().filter_map(|verdict| {
        let more = needed.minimum_to(verdict, &finding.judgement.counts)?;
        Some(format!("{} {more}", verdict.word()))
    });
    format!("fewest further runs by verdict: {}", reachable.collect::<Vec<_>>().join(", "))
}

fn next_run(run: &RunPlanned) -> String {
    let levels: Vec<String> = run.factors.iter().map(|(factor, level)| format!("{factor}={level}")).collect();
    let cost = run.expected_ms.map_or(String::new(), |ms| format!(", about {}", words::time(ms)));
    format!(
        "what would change it: a run with {}; green: {}; red: {}; at least {} further {}, {:.1} expected{cost}",
        levels.join(" "),
        run.if_pass,
        run.if_fail,
        run.minimum_runs,
        words::plural(run.minimum_runs, "run"),
        run.expected_runs,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{case, contrast, find, history, settings};
    use lib_common::record::case::{LastGreen, Ref};

    fn explained(finding: &Finding) -> String {
        let settings = settings();
        explain(finding, &settings, &mut Needed::new(&settings.rule))
    }

    #[test]
    fn a_load_flake() {
        let text = explained(&find(&case(), history("a", "iLiLi", 1, &[])));
        assert!(
            text.contains("nothing failed isolated: failure rates above 0.63 are excluded at 20 to 1"),
            "{text}"
        );
        assert!(text.contains("against \"load makes no difference\": 28 to 1, needed 24 to 1"), "{text}");
        assert!(text.contains("cause: load; route: harness pull request"), "{text}");
        assert!(!text.contains('%'), "{text}");
    }

    #[test]
    fn it_passed_before_at_another_ref() {
        let mut case = case();
        let green = Ref { commit: "f00d".into(), kind: "pull-request".into(), name: Some("#1".into()) };
        case.last_green = Some(LastGreen { ts: "2026-05-30T00:00:00.000Z".into(), reference: green });
        case.contrasts = vec![contrast("path", &["cold"])];
        let mut records = history("a", "IIIII", 5, &[]);
        records.extend(history("b", "I", 5, &[("path", "cold")]));
        let text = explained(&find(&case, records));
        assert!(text.contains("pull-request #1 f00d, another ref than here"), "{text}");
        assert!(
            text.contains("path=cold instead of unnamed: 1 of 1 contrast run red, does not cure it"),
            "{text}"
        );
        assert!(text.contains("next most informative"), "{text}");
    }

    #[test]
    fn nothing_yet() {
        let text = explained(&find(&case(), vec![]));
        assert!(
            text.contains("no run counts yet") && text.contains("at least 2 further runs, 7.3"),
            "{text}"
        );
    }
}
