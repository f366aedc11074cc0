//! Finds out for which cases a fix is, and whether a verdict supports it.

use std::collections::BTreeSet;

use lib_common::record::verdict::Route;
use lib_common::{Error, Result};

use super::Given;
use crate::grounds::{self, Claim};
use crate::guard;

/// The cases that the fix serves, and whether it is proposed without a verdict.
pub struct Grounds {
    pub cases: Vec<String>,
    pub no_verdict: bool,
}

/// The recipe in the branch's name. It must not depend on standard input, because the branch's name is how a second call
/// finds the pull request of the first.
pub fn recipe(given: Given, paths: &[String]) -> Result<String> {
    let what = &given.args.what;
    let touched = guard::recipes_of(paths);
    let only = touched.first().filter(|_| touched.len() == 1).cloned();
    // A recipe has a repository of its own name; the harness has a folder for each.
    let only = if given.fix.route == Route::RecipePr { Some(given.to.repo.name.clone()) } else { only };
    what.recipe.clone().or_else(|| given.fix.recipe.clone()).or(only).ok_or_else(|| {
        Error::cannot("naming the fix", "nothing says for which recipe it is")
            .on(&given.fix.id)
            .hint("give --recipe, or put the folder into RECIPE/fixes/")
    })
}

/// Checks the verdicts. `patches` are the hashes by which runs may name the fix. With `report_only` nothing will be
/// opened, so a missing verdict is no error.
pub fn grounds(
    given: Given,
    recipe: &str,
    paths: &[String],
    patches: &[String],
    report_only: bool,
) -> Result<Grounds> {
    let Given { args, fix, seen, .. } = given;
    let mut recipes = BTreeSet::from([recipe.to_owned()]);
    if args.consent.multi {
        recipes.extend(guard::recipes_of(paths));
    }
    let claim = Claim { route: fix.route, cases: &args.what.case, recipes: &recipes, patches };
    match grounds::cases(seen, &claim) {
        Ok(cases) => Ok(Grounds { cases, no_verdict: false }),
        Err(_) if args.consent.no_verdict || report_only => {
            Ok(Grounds { cases: grounds::named(seen, &claim), no_verdict: true })
        }
        Err(error) => Err(error),
    }
}
