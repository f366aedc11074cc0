//! Makes the `flake.verdict` of a finding, and its sentence for people. Pure.

use lib_common::record::verdict::{Cause, FlakeVerdict, Verdict};

use crate::contrast;
use crate::cure::Cure;
use crate::finding::Finding;
use crate::judge::Why;
use crate::needed::Needed;
use crate::rule::{Load, runs};
use crate::sample::Sample;
use crate::settings::Settings;
use crate::words::{counts_of, odds, plural, time};

impl Finding {
    /// The `flake.verdict` of this case.
    pub fn verdict(&self, settings: &Settings) -> FlakeVerdict {
        let counts = &self.judgement.counts;
        let used = &self.pool.base[..self.judgement.used];
        FlakeVerdict {
            case: self.failed.case.clone(),
            verdict: self.judgement.verdict,
            isolated: counts.isolated,
            loaded: counts.loaded,
            ratios: counts.ratios(),
            thresholds: settings.rule.thresholds(counts),
            attempts: used.iter().map(|sample| sample.id().to_owned()).collect(),
            excluded: self.pool.excluded.records(),
            cause: self.attribution.cause,
            shown_by: self.attribution.shown.first().cloned(),
            routes: self.attribution.routes.clone(),
            sentence: sentence(self, settings),
        }
    }
}

/// The verdict in words, for people.
pub fn sentence(finding: &Finding, settings: &Settings) -> String {
    let judgement = &finding.judgement;
    let name = if is_history(finding) { "history" } else { Load::Isolated.name() };
    let (head, seen) = (judgement.verdict.word(), counts_of(&judgement.counts, name));
    let mut parts = vec![format!("{head}: {seen}"), evidence(finding, settings)];
    if matches!(judgement.verdict, Verdict::Genuine | Verdict::Flake) {
        parts.extend(attribution(finding));
    }
    if judgement.later.runs() > 0 {
        let later = counts_of(&judgement.later, name);
        parts.push(format!("later runs ({later}) change nothing, the first crossing counts"));
    }
    parts.extend(signatures(finding));
    parts.extend(claim(finding));
    parts.join("; ")
}

fn evidence(finding: &Finding, settings: &Settings) -> String {
    let judgement = &finding.judgement;
    let ratios = judgement.counts.ratios();
    let cap = settings.rule.cap;
    match (judgement.verdict, judgement.why) {
        (Verdict::Genuine, why) => {
            let accepted = if why == Why::AcceptedCorrelated {
                " (back-to-back runs on one machine, accepted)"
            } else {
                ""
            };
            format!("{} against \"fails at most half the time\"{accepted}", odds(ratios.half))
        }
        (Verdict::LoadFlake, _) => format!("{} against \"load makes no difference\"", odds(ratios.load)),
        (Verdict::Flake, _) => format!(
            "{} against \"always fails\", {} against \"the fails are noise\"",
            odds(ratios.det),
            odds(ratios.clean)
        ),
        (Verdict::Inconclusive, Why::Correlated) => format!(
            "all red ones on one machine within {}: needs a second machine, {} from the first to the last, or --accept-correlated",
            time(span_ms(finding)),
            time(u64::try_from(settings.spacing_ms).unwrap_or(0)),
        ),
        (Verdict::Inconclusive, _) if judgement.settled => {
            format!("the cap of {cap} runs is reached without enough evidence")
        }
        (Verdict::Inconclusive, _) => match Needed::new(&settings.rule).cost(&judgement.counts).minimum {
            Some(more) => format!("at least {more} further {}", plural(more, "run")),
            None => format!("no outcome of the runs left under the cap of {cap} would decide it"),
        },
    }
}

/// Time from the first to the last failing isolated run.
pub fn span_ms(finding: &Finding) -> u64 {
    let base = finding.pool.base.iter();
    let red = || base.clone().filter(|s| s.red && s.load == Load::Isolated).filter_map(Sample::started);
    let (first, last) = (red().min(), red().max());
    last.zip(first).map_or(0, |(last, first)| last.abs_diff(first))
}

fn attribution(finding: &Finding) -> Vec<String> {
    let Some((first, others)) = finding.attribution.shown.split_first() else {
        let genuine = finding.judgement.verdict == Verdict::Genuine;
        let next = || format!("no contrast shows a cause yet; {}", next_experiment(finding));
        return if genuine { vec![next()] } else { vec![] };
    };
    let head = match finding.attribution.cause {
        Cause::Unattributed => String::from("cause unattributed, but "),
        known => format!("cause {}: ", known.word()),
    };
    let (factor, odds_of_first) = (&first.factor, odds(first.ratio));
    let shown = format!("{head}{factor}={} is red, {} is green ({odds_of_first})", first.red, first.green);
    let more = others
        .iter()
        .map(|other| format!("{}={} is green too ({})", other.factor, other.green, odds(other.ratio)));
    std::iter::once(shown).chain(more).collect()
}

/// Says that failures have different signatures, because they may be different problems. This never decides.
fn signatures(finding: &Finding) -> Option<String> {
    let (isolated, loaded) = (&finding.signatures.isolated, &finding.signatures.loaded);
    let all = finding.signatures.all();
    if all.len() < 2 {
        return None;
    }
    let apart = !isolated.is_empty() && !loaded.is_empty() && isolated.is_disjoint(loaded);
    let how = if apart { "; the loaded ones look unlike the isolated ones" } else { "" };
    let names: Vec<&str> = all.iter().map(|name| name.as_str()).take(5).collect();
    let more = if all.len() > names.len() { ", ..." } else { "" };
    Some(format!(
        "the red runs show {} failure signatures ({}{more}), perhaps that many problems{how}",
        all.len(),
        names.join(", ")
    ))
}

/// Says who claims that the runs were isolated or loaded, if nothing measured it.
fn claim(finding: &Finding) -> Option<String> {
    let mut claims: Vec<&str> = used(finding).filter_map(|sample| sample.claimed()).collect();
    claims.sort_unstable();
    claims.dedup();
    match claims.as_slice() {
        [] => None,
        _ if is_history(finding) => Some(
            "the load of these runs is unknown: a flake may be one of load, and genuine means under the load of this history".into(),
        ),
        claims => Some(format!("isolated or loaded {}, which nothing measured", claims.join(" and "))),
    }
}

/// The experiment that would tell most about a cause that no contrast shows yet: a level that the case allows and that
/// is not decided, else the narrowest factor that was never varied, else a fix.
pub fn next_experiment(finding: &Finding) -> String {
    let levels = &finding.attribution.levels;
    if let Some(open) = levels.iter().find(|level| level.allowed && level.cure == Cure::Open) {
        return format!("next most informative: {}={} instead of {}", open.factor, open.name, open.red);
    }
    let tried = |factor: &str| levels.iter().any(|level| level.factor == factor && runs(level.tally) > 0);
    match contrast::factors().find(|factor| !tried(factor)) {
        Some(factor) => {
            format!("next most informative: another {factor}, which the case must allow (contrasts)")
        }
        None => "next most informative: a fix".into(),
    }
}

fn used(finding: &Finding) -> impl Iterator<Item = &Sample> {
    finding.pool.base[..finding.judgement.used].iter()
}

/// Whether the runs that count as isolated are those of a history that names no condition.
fn is_history(finding: &Finding) -> bool {
    used(finding).any(|sample| !sample.attempt.run.setup().factors.contains_key("load"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lib_common::record::Known;

    use crate::testing::{case, find, found, history, settings};

    fn said(letters: &str, step: i64) -> String {
        sentence(&find(&case(), history("a", letters, step, &[])), &settings())
    }

    #[test]
    fn sentences() {
        assert_eq!(
            said("iLiLi", 1),
            "load-flake: 3 of 3 isolated runs green, 2 of 2 loaded runs red; 28 to 1 against \"load makes no difference\""
        );
        assert_eq!(
            said("IIIII", 5),
            "genuine: 5 of 5 isolated runs red; 32 to 1 against \"fails at most half the time\"; no contrast shows a cause yet; next most informative: another test, which the case must allow (contrasts)"
        );
        assert_eq!(
            said("IIIII", 1),
            "inconclusive: 5 of 5 isolated runs red; all red ones on one machine within 4 min: needs a second machine, 10 min from the first to the last, or --accept-correlated"
        );
        assert_eq!(said("", 1), "inconclusive: no isolated run; at least 2 further runs");
        assert!(said("Iii", 1).contains("later runs (1 of 1 isolated run green) change nothing"));
    }

    #[test]
    fn different_signatures_are_reported_and_decide_nothing() {
        let signed = |signatures: [&str; 2]| {
            let mut records = history("a", "IIIII", 5, &[]);
            for (at, record) in records.iter_mut().enumerate() {
                if let Known::TestFinished(test) = record {
                    test.signature = Some(signatures[usize::from(at > 4)].into());
                }
            }
            find(&case(), records)
        };
        let (one, two) = (signed(["a", "a"]), signed(["a", "b"]));
        assert_eq!(one.judgement, two.judgement);
        assert!(!sentence(&one, &settings()).contains("signatures"));
        assert!(
            sentence(&two, &settings()).contains("2 failure signatures (a, b), perhaps that many problems")
        );
    }

    #[test]
    fn loaded_failures_that_look_unlike_the_isolated_ones_are_told() {
        let mut records = history("a", "IiILL", 1, &[]);
        for record in &mut records {
            if let Known::TestFinished(test) = record {
                test.signature = Some(if *test.attempt_id < *"a003" { "a" } else { "b" }.into());
            }
        }
        let mut found = find(&case(), records);
        found.judgement.used = 5;
        found.signatures.loaded = ["b".to_owned()].into();
        let said = sentence(&found, &settings());
        assert!(said.contains("2 failure signatures (a, b)"), "{said}");
        assert!(said.contains("the loaded ones look unlike the isolated ones"), "{said}");
    }

    #[test]
    fn a_claim_is_told_with_the_verdict() {
        let claimed = |load: Option<&str>| {
            let mut records = history("a", "Ii", 1, &[]);
            for record in &mut records {
                if let Known::RunFinished(run) = record {
                    run.isolation.proved = false;
                    run.isolation.claimed = Some("by --condition".into());
                    run.factors.remove("load");
                    run.factors.extend(load.map(|level| ("load".to_owned(), level.to_owned())));
                }
            }
            let all = std::iter::once(crate::testing::failed()).chain(records);
            let settings = Settings { accept_claimed: true, ..settings() };
            sentence(&found(all, &settings), &settings)
        };
        let said = claimed(Some("isolated"));
        assert!(said.starts_with("flake: 1 of 2 isolated runs red"), "{said}");
        assert!(said.ends_with("isolated or loaded by --condition, which nothing measured"), "{said}");
        let said = claimed(None);
        assert!(said.starts_with("flake: 1 of 2 history runs red"), "{said}");
        assert!(said.contains("the load of these runs is unknown"), "{said}");
    }
}
