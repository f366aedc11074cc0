//! Puts one case into words, which all renderers print. Pure. Every foreign text is made plain here.

mod excerpt;
mod repeat;
mod run;
mod trace;

use std::collections::BTreeMap;

use lib_common::record::verdict::{FixOutcome, FixVerdict, FlakeVerdict, Route, Tally};

use schemars::JsonSchema;
use serde::Serialize;

use crate::bound;
use crate::escape::{cut, plain};
use crate::fold::{Case, Fold};
use crate::gate::proposal::{self, Proposal};
use crate::gate::{self, Choice, GateName, Missing, Proofs, m2};
use crate::lean::Run;
use crate::runs::{at_baseline, level};
use crate::verdict::{chosen, counted, is_decided, recount};

pub use excerpt::Excerpt;
pub use run::RunRow;
pub use trace::{Point, Trace};

/// Longest foreign text in a cell. The ledger has all of it.
const LONGEST: usize = 300;
const NONE: &str = "none";

/// The labels of [`Row::facts`], in the order of the pipeline.
pub const LABELS: [&str; 15] = [
    "failure",
    "first error",
    "before",
    "isolation",
    "verdict",
    "cause",
    "in words",
    "route",
    "fix",
    "pull request",
    "address",
    "CI",
    "after fix",
    "promoted",
    "evidence",
];

/// A case, ready to be printed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Row {
    pub key: String,
    pub recipe: String,
    pub failure: String,
    /// The first error in the logs of the newest counted red run.
    pub first_error: String,
    pub before: String,
    pub isolation: String,
    pub verdict: String,
    pub cause: String,
    pub sentence: String,
    pub routes: String,
    pub fix: String,
    pub pull: String,
    /// Address of the proposal, if it is certainly a web address.
    pub url: Option<String>,
    pub ci: String,
    pub after: String,
    pub promoted: String,
    pub evidence: String,
    /// A command that repeats the deciding run, in pieces.
    pub repeat: Vec<String>,
    pub runs: Vec<RunRow>,
    /// Excerpts of what the newest counted red run left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excerpts: Vec<Excerpt>,
    /// How the evidence grew, run by run, to the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    pub missing: BTreeMap<GateName, Vec<Missing>>,
}

impl Row {
    /// The cells with their labels, in the order of the pipeline.
    #[must_use]
    pub fn facts(&self) -> [(&'static str, &str); LABELS.len()] {
        let values = [
            self.failure.as_str(),
            &self.first_error,
            &self.before,
            &self.isolation,
            &self.verdict,
            &self.cause,
            &self.sentence,
            &self.routes,
            &self.fix,
            &self.pull,
            self.url.as_deref().unwrap_or(NONE),
            &self.ci,
            &self.after,
            &self.promoted,
            &self.evidence,
        ];
        std::array::from_fn(|n| (LABELS[n], values[n]))
    }

    /// Whether the case lacks nothing for `gate`.
    #[must_use]
    pub fn passes(&self, gate: GateName) -> bool {
        !self.missing.contains_key(&gate)
    }
}

/// A case in words.
#[must_use]
pub fn row(case: &Case, fold: &Fold, proofs: &Proofs) -> Row {
    let verdict = chosen(case, fold);
    let proposed = m2::nearest(case, verdict.filter(|v| is_decided(v)), fold, proofs).map(|(one, _)| one);
    let fix = match proposed {
        Some(proposed) => m2::fix_verdict(case, proposed.patch()),
        None => case.fixes.last(),
    };
    let lacks = |name| (name, readable(&gate::missing(name, case, fold, proofs)));
    let missing = GateName::ALL.into_iter().map(lacks).filter(|(_, lacks)| !lacks.is_empty()).collect();
    Row {
        key: plain(&case.key),
        recipe: plain(&case.recipe()),
        failure: failure(case),
        first_error: excerpt::first_error(case, fold, proofs),
        before: before(case),
        isolation: isolation(case, verdict, fold),
        verdict: verdict.map_or(NONE, |verdict| verdict.verdict.word()).into(),
        cause: verdict.map_or_else(|| NONE.into(), cause),
        sentence: verdict.map_or_else(|| NONE.into(), |v| cut(&plain(&v.sentence), LONGEST)),
        routes: routes(verdict),
        fix: fix_name(proposed, fix),
        pull: proposed.map_or_else(|| unproposed(case, fold), |proposed| pull_words(proposed, fold)),
        url: proposed.and_then(|proposed| web_address(proposed.url())),
        ci: proposed.map_or_else(|| NONE.into(), ci),
        after: fix.map_or_else(|| NONE.into(), after),
        promoted: promoted(case, fold),
        evidence: evidence(verdict, fold, proofs),
        repeat: verdict.and_then(|verdict| repeat::deciding(verdict, fold)).unwrap_or_default(),
        runs: fold.runs.of_case(&case.key).into_iter().map(|run| RunRow::new(run, case, fold)).collect(),
        excerpts: excerpt::of(case, fold, proofs),
        trace: verdict.and_then(|verdict| Trace::new(verdict, fold)),
        missing,
    }
}

/// What is missing, with its foreign text made plain.
fn readable(missing: &[Missing]) -> Vec<Missing> {
    let pieces = |supply: &[String]| supply.iter().map(|piece| plain(piece)).collect();
    let plain_one = |one: &Missing| Missing {
        rule: one.rule,
        what: cut(&plain(&one.what), LONGEST),
        supply: pieces(&one.supply),
        cost: one.cost.clone(),
        choices: one.choices.iter().map(|c| Choice { supply: pieces(&c.supply), ..c.clone() }).collect(),
    };
    missing.iter().map(plain_one).collect()
}

fn failure(case: &Case) -> String {
    let Some(failed) = case.failed() else { return "no case.failed on the ledger".into() };
    let message = failed.message.as_ref().map(|text| plain(&text.lossy())).unwrap_or_default();
    let stage = format!("{:?}", failed.stage).to_lowercase();
    let told = if message.is_empty() { failed.test.clone() } else { message };
    cut(&plain(&format!("{stage}: {told}")), LONGEST)
}

/// When the case last passed, at which ref, and whether that is the ref that failed now.
fn before(case: &Case) -> String {
    let Some(failed) = case.failed() else { return "not known".into() };
    let Some(green) = &failed.last_green else { return "not known to have passed".into() };
    let same = match &failed.reference {
        Some(now) if now.commit == green.reference.commit => "the ref that failed now",
        Some(_) => "another ref than the one that failed now",
        None => "the ref that failed now is not recorded",
    };
    let name = green.reference.name.as_deref().unwrap_or(&green.reference.commit);
    plain(&format!("green {} at {} {name}: {same}", green.ts, green.reference.kind))
}

/// `5 of 5 green alone, 4 of 4 red under load`: the runs that the verdict counts, or without one those that may count.
fn isolation(case: &Case, verdict: Option<&FlakeVerdict>, fold: &Fold) -> String {
    let countable = |run: &&Run, load: &str| {
        level(&run.factors, "load") == load
            && level(&run.factors, "fix") == "none"
            && at_baseline(run, case.failed())
            && fold.runs.is_eligible(run, &case.key)
    };
    let tally = |load: &str| match verdict.filter(|verdict| is_decided(verdict)) {
        Some(verdict) => recount(verdict, fold, load),
        None => fold
            .runs
            .tally(fold.runs.of_case(&case.key).into_iter().filter(|run| countable(run, load)), &case.key),
    };
    let (alone, load) = (tally("isolated"), tally("loaded"));
    let n = |tally: Tally| tally.fail + tally.pass;
    let bound = |tally| match bound::words(tally) {
        words if words.is_empty() => words,
        words => format!(" ({words})"),
    };
    let words = |number, tally, how: &str, colour| match n(tally) {
        0 => format!("not run {how}"),
        runs => format!("{number} of {runs} {colour} {how}{}", bound(tally)),
    };
    [words(alone.pass, alone, "alone", "green"), words(load.fail, load, "under load", "red")].join(", ")
}

fn cause(verdict: &FlakeVerdict) -> String {
    let cause = verdict.cause.word();
    match &verdict.shown_by {
        None => format!("{cause} (no contrast recorded)"),
        Some(by) => plain(&format!(
            "{cause}: {} {} is red, {} is green (ratio {:.1})",
            by.factor, by.red, by.green, by.ratio
        )),
    }
}

fn routes(verdict: Option<&FlakeVerdict>) -> String {
    let words: Vec<_> = verdict.iter().flat_map(|v| &v.routes).copied().map(route_word).collect();
    if words.is_empty() { NONE.into() } else { words.join(", ") }
}

fn fix_name(proposed: Option<Proposal>, fix: Option<&FixVerdict>) -> String {
    match (proposed, fix) {
        (Some(one), _) => plain(&format!("{}, patch {}", one.fix_id(), m2::short(one.patch()))),
        (None, Some(fix)) => plain(&format!("patch {}", m2::short(&fix.fix))),
        (None, None) => NONE.into(),
    }
}

fn pull_words(proposed: Proposal, fold: &Fold) -> String {
    let state = proposed.is_open(fold).err().unwrap_or("open");
    let (name, route, title) = (proposed.name(), route_word(proposed.route()), cut(proposed.title(), 100));
    plain(&format!("{name} {state} ({route}): {title}"))
}

fn unproposed(case: &Case, fold: &Fold) -> String {
    proposal::skipped(case, fold).map_or_else(|| NONE.into(), |why| format!("{NONE}: {why}"))
}

fn ci(proposed: Proposal) -> String {
    let Proposal::Pull(_, _, opened) = proposed else { return "a comment has no CI".into() };
    let head = m2::short(&opened.head);
    match proposed.check() {
        None => format!("not asked for head {}", plain(head)),
        Some(checked) => plain(&format!("{} for head {head}", checked.state.word())),
    }
}

fn after(fix: &FixVerdict) -> String {
    let word = match fix.verdict {
        FixOutcome::Fixed => "fixed",
        FixOutcome::NotFixed => "not fixed",
        FixOutcome::Inconclusive => "inconclusive",
    };
    let (before, after) = (fix.before, fix.after);
    let condition: Vec<String> = fix
        .under
        .iter()
        .filter(|(factor, _)| *factor != "fix")
        .map(|(factor, red)| format!("{factor} {red}"))
        .collect();
    let under = if condition.is_empty() { String::new() } else { format!(" ({})", condition.join(", ")) };
    plain(&format!(
        "{word}: {} of {} green, before {} of {}{under}",
        after.pass,
        after.pass + after.fail,
        before.pass,
        before.pass + before.fail
    ))
}

fn promoted(case: &Case, fold: &Fold) -> String {
    fold.promotion(case).map_or_else(
        || "no".into(),
        |promoted| {
            let kind = if promoted.trial { "as a trial" } else { "released" };
            plain(&format!("{} {kind} on {}", promoted.version, promoted.domain))
        },
    )
}

fn evidence(verdict: Option<&FlakeVerdict>, fold: &Fold, proofs: &Proofs) -> String {
    let Some(verdict) = verdict else { return NONE.into() };
    let runs = counted(verdict, fold);
    let whole = |run: &&&Run| matches!(proofs.evidence.get(&run.attempt_id), Some(Ok(())));
    let verified = runs.iter().filter(whole).count();
    let snaps = runs.iter().filter_map(|run| fold.runs.snap(&run.attempt_id));
    let partial = snaps.filter(|snap| !snap.complete).count();
    let gaps = if partial == 0 { String::new() } else { format!(", {partial} with gaps in the logs") };
    format!("{verified} of {} deciding attempts verified{gaps}", verdict.attempts.len())
}

/// `url` if it is `http(s)` and has no character that could end a link.
fn web_address(url: &str) -> Option<String> {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@!$&'*+,;=%[]".contains(c);
    let web = url.starts_with("https://") || url.starts_with("http://");
    (web && url.chars().all(safe)).then(|| url.to_owned())
}

fn route_word(route: Route) -> &'static str {
    match route {
        Route::RecipePr => "recipe PR",
        Route::HarnessPr => "harness PR",
        Route::TestComment => "test comment",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_web_addresses_are_linked() {
        assert!(web_address("https://git.example/o/r/pulls/7").is_some());
        for bad in ["javascript:alert(1)", "https://x/>", "https://x/ y", "https://x/\u{202e}", "file:///x"] {
            assert_eq!(web_address(bad), None);
        }
    }
}
