//! Guards what a patch may touch: no test without consent, and one recipe at a time. Pure: works on the paths that the
//! commit changes.

use std::collections::BTreeSet;

use lib_common::{Error, Result, glob};

/// Globs of files that count as tests, unless `--tests-glob` says otherwise.
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

/// Refuses a patch that changes a test, since weakening a test is no fix.
pub fn tests(paths: &[String], globs: &[String], with_tests: bool) -> Result<()> {
    let touched = paths.iter().find(|path| globs.iter().any(|glob| glob::matches_path(glob, path)));
    match touched {
        Some(path) if !with_tests => Err(Error::no("checking the patch", "it changes a test")
            .on(path)
            .hint("fix the cause; if the test itself is wrong, allow it with --with-tests")),
        _ => Ok(()),
    }
}

/// Refuses a patch that changes more than one recipe.
pub fn recipes(paths: &[String], multi: bool) -> Result<()> {
    let recipes = recipes_of(paths);
    if multi || recipes.len() <= 1 {
        return Ok(());
    }
    let names: Vec<&str> = recipes.iter().map(String::as_str).collect();
    Err(Error::no("checking the patch", "it changes more than one recipe")
        .on(names.join(", "))
        .hint("split it into one pull request per recipe, or allow it with --multi"))
}

/// The recipe folders in which something changes: the first parts of the paths that have several.
#[must_use]
pub fn recipes_of(paths: &[String]) -> BTreeSet<String> {
    paths.iter().filter_map(|path| path.split_once('/')).map(|(first, _)| first.to_owned()).collect()
}

/// The branch's name, `fix/<recipe>/<fix-id>`.
pub fn fix_branch(recipe: &str, fix_id: &str) -> Result<String> {
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
    Ok(format!("fix/{recipe}/{fix_id}"))
}

/// Checks the name of a head branch: git must accept it (git-check-ref-format(1)), and it must not be one of
/// `forbidden`, into which people merge.
pub fn head(name: &str, forbidden: &[&str]) -> Result<()> {
    let strange = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    let part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && part.rsplit('.').next() != Some("lock");
    let good = !name.starts_with(['-', '/'])
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && name != "@"
        && !name.contains(strange)
        && name.split('/').all(part);
    if !good {
        return Err(Error::cannot("naming the branch", "not a branch's name").on(format!("'{name}'")));
    }
    if forbidden.contains(&name) {
        return Err(Error::no("naming the branch", "people merge into this one").on(name));
    }
    Ok(())
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
        assert_eq!(fix_branch("mumble", "readiness").unwrap(), "fix/mumble/readiness");
        for bad in ["", "..", "a..b", "a/b", "-x", "x.lock", "a b", "x.", "é"] {
            assert!(fix_branch("mumble", bad).is_err(), "{bad}");
            assert!(fix_branch(bad, "x").is_err(), "{bad}");
        }
        for bad in ["", "-x", "/x", "x/", "a//b", "a..b", "a b", "a:b", "x.lock", "a/.b", "@", "a@{1}", "x."]
        {
            assert_eq!(head(bad, &[]).unwrap_err().exit().code(), 2, "{bad}");
        }
        for good in ["fix/a/b", "feature", "v1.2", "a@b"] {
            head(good, &["main"]).unwrap();
            assert_eq!(head(good, &["main", good]).unwrap_err().exit().code(), 1, "{good}");
        }
    }
}
