//! Attributes the cause by contrast: it compares the red baseline with runs that differ in one factor. A factor whose
//! change makes the case green names the cause. Pure.

use lib_common::record::case::CaseFailed;
use lib_common::record::verdict::{Cause, Route, ShownBy, Tally, Verdict};

use crate::cure::{self, Cure, RedsNeeded};
use crate::judge::Judgement;
use crate::pool::{Pool, count, tally};
use crate::rule::Load;
use crate::sample::{self, NO_FIX};

/// One level of one factor.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    pub factor: String,
    pub name: String,
    /// The baseline's level of this factor.
    pub red: String,
    /// The runs with this level under the condition that was red.
    pub tally: Tally,
    pub ratio: f64,
    pub cure: Cure,
    /// Whether `case.failed.contrasts` allows further runs with this level.
    pub allowed: bool,
}

/// The cause, and all contrasts that show it, the deciding one first.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribution {
    pub cause: Cause,
    pub shown: Vec<ShownBy>,
    pub routes: Vec<Route>,
    pub levels: Vec<Level>,
}

/// The condition under which the case is red.
pub fn red_load(judgement: &Judgement) -> Load {
    match judgement.verdict {
        Verdict::Genuine => Load::Isolated,
        Verdict::LoadFlake => Load::Loaded,
        Verdict::Flake | Verdict::Inconclusive => judgement.counts.reddest(),
    }
}

pub fn attribute(failed: &CaseFailed, pool: &Pool, judgement: &Judgement) -> Attribution {
    let levels = levels(failed, pool, red_load(judgement));
    let (cause, shown, routes) = match judgement.verdict {
        Verdict::LoadFlake => (Cause::Load, vec![by_load(judgement)], vec![Route::HarnessPr]),
        Verdict::Inconclusive => (Cause::Unattributed, vec![], vec![]),
        Verdict::Flake => {
            let (cause, shown, mut routes) = by_levels(&levels);
            insert(&mut routes, Route::HarnessPr);
            (cause, shown, routes)
        }
        Verdict::Genuine => by_levels(&levels),
    };
    Attribution { cause, shown, routes, levels }
}

fn by_load(judgement: &Judgement) -> ShownBy {
    ShownBy {
        factor: "load".into(),
        red: Load::Loaded.name().into(),
        green: Load::Isolated.name().into(),
        ratio: judgement.counts.ratios().load,
    }
}

/// Every level that the case allows, in the case's own order, then those that were run although it does not.
fn levels(failed: &CaseFailed, pool: &Pool, load: Load) -> Vec<Level> {
    let baseline = sample::baseline(failed);
    let before = count(&pool.base).of(load);
    let allowed = failed
        .contrasts
        .iter()
        .flat_map(|contrast| contrast.levels.iter().map(|level| (contrast.factor.clone(), level.clone())));
    let mut names: Vec<(String, String, bool)> = Vec::new();
    let seen = pool.contrasts.keys().cloned();
    for ((factor, level), allowed) in allowed.map(|key| (key, true)).chain(seen.map(|key| (key, false))) {
        let fixed = matches!(factor.as_str(), "load" | "fix") || baseline.get(&factor) == Some(&level);
        if !fixed && !names.iter().any(|(f, l, _)| *f == factor && *l == level) {
            names.push((factor, level, allowed));
        }
    }
    let finish = |(factor, level, allowed): (String, String, bool)| {
        let key = (factor, level);
        let after = pool.contrasts.get(&key).map_or(Tally::default(), |samples| tally(samples, load));
        let (factor, name) = key;
        Level {
            red: baseline.get(&factor).cloned().unwrap_or_else(|| "unnamed".into()),
            tally: after,
            ratio: cure::ratio(before, after),
            cure: cure::compare(before, after, RedsNeeded(1)),
            factor,
            name,
            allowed,
        }
    };
    names.into_iter().map(finish).collect()
}

/// Factors in the order in which they name the cause, the narrowest change first. If a current test passes on the same
/// deployment, only the test can be the cause; if another name makes it green with everything else equal, only the
/// namespace; if another path does with the same recipe, only the machinery. The recipe's own version changes most and
/// comes last.
const PRECEDENCE: [(&str, Cause, &[Route]); 4] = [
    ("test", Cause::Test, &[Route::TestComment]),
    ("domain", Cause::Namespace, &[Route::HarnessPr, Route::RecipePr]),
    ("path", Cause::Machinery, &[Route::HarnessPr]),
    ("version", Cause::Recipe, &[Route::RecipePr]),
];

/// The factors that name a cause, the narrowest first.
pub fn factors() -> impl Iterator<Item = &'static str> {
    PRECEDENCE.iter().map(|row| row.0)
}

fn by_levels(levels: &[Level]) -> (Cause, Vec<ShownBy>, Vec<Route>) {
    let place =
        |level: &Level| PRECEDENCE.iter().position(|row| row.0 == level.factor).unwrap_or(PRECEDENCE.len());
    let mut flips: Vec<&Level> = levels.iter().filter(|level| level.cure == Cure::Cured).collect();
    flips.sort_by_key(|level| place(level));
    let mut routes = Vec::new();
    for (_, _, follow) in flips.iter().filter_map(|level| PRECEDENCE.get(place(level))) {
        follow.iter().for_each(|route| insert(&mut routes, *route));
    }
    let cause = flips.first().and_then(|level| PRECEDENCE.get(place(level)));
    let shown = flips.iter().map(|level| ShownBy {
        factor: level.factor.clone(),
        red: level.red.clone(),
        green: level.name.clone(),
        ratio: level.ratio,
    });
    (cause.map_or(Cause::Unattributed, |row| row.1), shown.collect(), routes)
}

/// Shows a fix that cures, if no other factor does. The records do not say whether it changed recipe or harness, so the
/// cause stays unattributed and both routes are given.
pub fn confirm(attribution: &mut Attribution, verdict: Verdict, fix: &str, ratio: f64) {
    if verdict == Verdict::Inconclusive || attribution.shown.iter().any(|shown| shown.factor != "fix") {
        return;
    }
    let shown = ShownBy { factor: "fix".into(), red: NO_FIX.into(), green: fix.into(), ratio };
    attribution.shown.push(shown);
    insert(&mut attribution.routes, Route::RecipePr);
    insert(&mut attribution.routes, Route::HarnessPr);
}

fn insert(routes: &mut Vec<Route>, route: Route) {
    if !routes.contains(&route) {
        routes.push(route);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{case, contrast, find, history};
    use lib_common::record::Factors;

    fn attributed(contrasts: &[(&str, &str, &str)]) -> Attribution {
        let mut case = case();
        for (factor, level, _) in contrasts {
            case.baseline.insert((*factor).into(), "red".into());
            case.contrasts.push(contrast(factor, &["red", level]));
        }
        case.baseline.insert("version".into(), "1".into());
        let mut records = history("a", "IIIII", 5, &[]);
        for (factor, level, letters) in contrasts {
            records.extend(history(factor, letters, 5, &[(factor, level)]));
        }
        find(&case, records).attribution
    }

    #[test]
    fn each_factor_names_its_cause() {
        let expected = [
            ("test", Cause::Test, Route::TestComment),
            ("domain", Cause::Namespace, Route::HarnessPr),
            ("path", Cause::Machinery, Route::HarnessPr),
            ("version", Cause::Recipe, Route::RecipePr),
        ];
        for (factor, cause, route) in expected {
            let found = attributed(&[(factor, "green", "ii")]);
            assert_eq!((found.cause, found.routes[0]), (cause, route), "{factor}");
            assert_eq!((found.shown[0].green.as_str(), found.shown.len()), ("green", 1));
        }
    }

    #[test]
    fn where_two_flip_the_narrower_decides_and_both_are_shown() {
        let gitea = attributed(&[("version", "3.5.3", "ii"), ("path", "cold", "ii")]);
        assert_eq!((gitea.cause, gitea.shown.len()), (Cause::Machinery, 2));
        assert_eq!(gitea.shown[0].factor, "path");
        assert_eq!(gitea.routes, [Route::HarnessPr, Route::RecipePr]);
        assert_eq!(attributed(&[("path", "cold", "ii"), ("domain", "b", "ii")]).cause, Cause::Namespace);
    }

    #[test]
    fn a_red_or_short_contrast_shows_nothing() {
        for letters in ["I", "i", "Ii", ""] {
            assert_eq!(attributed(&[("path", "cold", letters)]).cause, Cause::Unattributed, "{letters}");
        }
    }

    #[test]
    fn a_users_factor_is_shown_without_a_cause() {
        let found = attributed(&[("cpu", "4", "ii")]);
        assert_eq!((found.cause, found.shown.len()), (Cause::Unattributed, 1));
    }

    #[test]
    fn load_is_the_cause_of_a_load_flake() {
        let mut case = case();
        case.baseline = Factors::from([("path".into(), "warm".into())]);
        let found = find(&case, history("a", "iliLi", 1, &[])).attribution;
        assert_eq!(found.cause, Cause::Unattributed);
        let found = find(&case, history("a", "iLiLi", 1, &[])).attribution;
        assert_eq!((found.cause, found.shown[0].factor.as_str()), (Cause::Load, "load"));
        assert!(found.shown[0].ratio > 28.9);
    }
}
