//! What a patch may touch: no test without consent, one recipe at a time. Pure: works on the paths that the
//! commit changes.

use std::collections::BTreeSet;

use lib_common::{Error, Result};

use crate::glob;

/// What counts as a test unless `--tests-glob` says otherwise.
pub const TESTS: [&str; 10] = [
    "**/test_*",
    "**/*_test.*",
    "**/*.test.*",
    "**/*.spec.*",
    "**/conftest.py",
    "**/test/**",
    "**/tests/**",
    "**/spec/**",
    "**/__tests__/**",
    "**/custom/**",
];

/// A patch must not weaken a test to turn a red green.
pub fn tests(paths: &[String], globs: &[String], with_tests: bool) -> Result<()> {
    let touched = paths.iter().find(|path| globs.iter().any(|glob| glob::matches(glob, path)));
    match touched {
        Some(path) if !with_tests => Err(Error::no("checking the patch", "it changes a test")
            .on(path)
            .hint("fix the cause; for a test that is itself wrong say --with-tests")),
        _ => Ok(()),
    }
}

/// One fix, one recipe.
pub fn recipes(paths: &[String], multi: bool) -> Result<()> {
    let recipes = recipes_of(paths);
    if multi || recipes.len() <= 1 {
        return Ok(());
    }
    let names: Vec<&str> = recipes.iter().map(String::as_str).collect();
    Err(Error::no("checking the patch", "it changes more than one recipe")
        .on(names.join(", "))
        .hint("one fix per pull request; split it, or say --multi"))
}

/// The recipe folders below which something changes: first parts of the paths that have more than one.
#[must_use]
pub fn recipes_of(paths: &[String]) -> BTreeSet<String> {
    paths.iter().filter_map(|path| path.split_once('/')).map(|(first, _)| first.to_owned()).collect()
}

/// A branch of the form `fix/<recipe>/<fix-id>`; refused if it is one that people merge into.
pub fn branch(recipe: &str, fix_id: &str, forbidden: &[&str]) -> Result<String> {
    for (what, part) in [("recipe", recipe), ("fix id", fix_id)] {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        let good = part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(plain)
            && !part.contains("..")
            && !part.ends_with('.')
            && part.rsplit('.').next() != Some("lock");
        if !good {
            return Err(Error::cannot("naming the branch", format!("not usable as a {what}"))
                .on(format!("'{part}'"))
                .hint("letters, digits, and . _ + - inside; set --fix-id or --recipe"));
        }
    }
    let name = format!("fix/{recipe}/{fix_id}");
    if forbidden.contains(&name.as_str()) {
        return Err(Error::no("naming the branch", "people merge into this one").on(name));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(paths: &[&str]) -> Vec<String> {
        paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tests_need_consent() {
        let globs = owned(&TESTS);
        for path in ["mumble/custom/test_x.py", "tests/a", "a/x_test.go", "m/conftest.py", "test_top.sh"] {
            let error = tests(&owned(&["a/b", path]), &globs, false).unwrap_err();
            assert_eq!(error.exit().code(), 1, "{path}");
            assert!(error.to_string().contains(path), "{error}");
            assert!(tests(&owned(&[path]), &globs, true).is_ok());
        }
        assert!(tests(&owned(&["mumble/lifecycle", "mumble/latest.py"]), &globs, false).is_ok());
    }

    #[test]
    fn one_recipe_unless_multi() {
        let two = owned(&["a/x", "b/y", "README.md"]);
        assert_eq!(recipes(&two, false).unwrap_err().exit().code(), 1);
        assert!(recipes(&two, true).is_ok());
        assert!(recipes(&owned(&["a/x", "a/z/y", "README.md"]), false).is_ok());
    }

    #[test]
    fn branch_names() {
        assert_eq!(branch("mumble", "readiness", &["main"]).unwrap(), "fix/mumble/readiness");
        for bad in ["", "..", "a..b", "a/b", "-x", "x.lock", "a b", "x.", "é"] {
            assert!(branch("mumble", bad, &[]).is_err(), "{bad}");
            assert!(branch(bad, "x", &[]).is_err(), "{bad}");
        }
        assert_eq!(branch("a", "b", &["fix/a/b"]).unwrap_err().exit().code(), 1);
    }
}
