//! Reads a fix: what it changes, which repository it belongs to, and why.

use std::fs;
use std::path::Path;

use lib_common::record::verdict::Route;
use lib_common::{Error, Result};

use crate::cli::WhatArgs;

/// Where the commits come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A diff in git's format, which becomes one commit.
    Patch(Vec<u8>),
    /// A branch that already has the commits, and is proposed as it is.
    Branch(String),
}

/// One fix, from its folder or from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// `--fix-id`, else the name of the folder, or the last part of the branch's name.
    pub id: String,
    /// The recipe in whose `fixes/` folder it lies, if it lies in one.
    pub recipe: Option<String>,
    pub change: Change,
    pub route: Route,
    /// One line.
    pub title: String,
    /// What the patch file says before the diff; may be empty.
    pub explanation: String,
}

impl Fix {
    /// Reads the fix that the options name; `--fix-id` and `--title` take precedence.
    pub fn of(what: &WhatArgs, title: Option<&str>) -> Result<Self> {
        let id = what.fix_id.as_deref();
        let fix = match (&what.fix, &what.branch, what.route) {
            (Some(folder), ..) => Self::read(folder, id)?,
            (None, Some(branch), Some(route)) => {
                let parts: Vec<&str> = branch.split('/').collect();
                let recipe = match parts[..] {
                    ["fix", recipe] | ["fix", recipe, _] => Some(recipe.to_owned()),
                    _ => None,
                };
                let id = id.or(parts.last().copied()).unwrap_or_default().to_owned();
                let change = Change::Branch(branch.clone());
                Self { id, recipe, change, route, title: String::new(), explanation: String::new() }
            }
            _ => return Err(Error::cannot("reading the fix", "neither --fix nor --branch with --route")),
        };
        match title {
            None => Ok(fix),
            Some(title) if is_title(title.trim()) => Ok(Self { title: title.trim().to_owned(), ..fix }),
            Some(_) => Err(Error::cannot("reading the title", NO_TITLE).on("--title")),
        }
    }

    /// Reads the folder; `id` overrides its name.
    pub fn read(folder: &Path, id: Option<&str>) -> Result<Self> {
        let cannot = |name: &str, cause: &dyn std::fmt::Display| {
            Error::cannot("reading the fix", cause).on(folder.join(name).display())
        };
        let text = |name: &str| {
            fs::read_to_string(folder.join(name)).map(|t| t.trim().to_owned()).map_err(|e| {
                cannot(name, &e).hint("a fix is a folder with the files patch, repo, route and title")
            })
        };
        let folder_path = folder.canonicalize().map_err(|e| cannot("", &e))?;
        let name = |path: Option<&Path>| Some(path?.file_name()?.to_string_lossy().into_owned());
        let parent = folder_path.parent();
        let in_fixes = name(parent).as_deref() == Some("fixes");
        let recipe = name(parent.and_then(Path::parent)).filter(|_| in_fixes);
        let id = id.map(ToOwned::to_owned).or_else(|| name(Some(&folder_path))).unwrap_or_default();

        let route_name = text("route")?;
        let route = route_of(&route_name).ok_or_else(|| {
            cannot("route", &format!("'{route_name}' is not recipe-pr, harness-pr or test-comment"))
        })?;
        let kind = text("repo")?;
        agree(&kind, route).map_err(|e| e.on(folder.join("repo").display()))?;
        let title = text("title")?;
        if !is_title(&title) {
            return Err(cannot("title", &NO_TITLE));
        }
        let patch = fs::read(folder.join("patch")).map_err(|e| cannot("patch", &e))?;
        let explanation = explanation(&String::from_utf8_lossy(&patch));
        Ok(Self { id, recipe, change: Change::Patch(patch), route, title, explanation })
    }
}

/// The name of a route, as the records spell it.
#[must_use]
pub fn route_name(route: Route) -> &'static str {
    match route {
        Route::RecipePr => "recipe-pr",
        Route::HarnessPr => "harness-pr",
        Route::TestComment => "test-comment",
    }
}

const NO_TITLE: &str = "not one line of at most 255 characters";

/// Whether it is a title: one line, of at most 255 characters, because forges cut longer ones.
fn is_title(title: &str) -> bool {
    !title.trim().is_empty() && title.lines().count() == 1 && title.chars().count() <= 255
}

/// Parses a route on the command line.
pub fn parse_route(name: &str) -> std::result::Result<Route, String> {
    route_of(name).ok_or_else(|| "not recipe-pr, harness-pr or test-comment".into())
}

fn route_of(name: &str) -> Option<Route> {
    [Route::RecipePr, Route::HarnessPr, Route::TestComment].into_iter().find(|r| route_name(*r) == name)
}

/// Checks that repository and route agree, so that a load flake does not become a recipe patch, nor a recipe's defect
/// a harness patch. Tests belong to the harness.
fn agree(kind: &str, route: Route) -> Result<()> {
    let right = match kind {
        "recipe" => route == Route::RecipePr,
        "harness" => route != Route::RecipePr,
        _ => {
            let cause = format!("'{kind}' is not harness or recipe");
            return Err(Error::cannot("reading the fix", cause));
        }
    };
    if right {
        return Ok(());
    }
    let cause = format!("the repository is a {kind}, but the route is {}", route_name(route));
    Err(Error::no("checking the fix", cause).hint("one of the files repo and route is wrong"))
}

/// The text before the diff, without a mailed patch's header and `diffstat`.
fn explanation(patch: &str) -> String {
    let preface = patch.split("\ndiff --git ").next().unwrap_or("");
    let preface = if patch.starts_with("diff --git ") { "" } else { preface };
    let preface = preface.split("\n---\n").next().unwrap_or("");
    let mailed = preface.starts_with("From ") || preface.starts_with("From: ");
    let text = if mailed { preface.split_once("\n\n").map_or("", |(_, text)| text) } else { preface };
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("mumble/fixes/ready");
        fs::create_dir_all(&dir).unwrap();
        for (name, text) in files {
            fs::write(dir.join(name), text).unwrap();
        }
        root
    }

    fn read(files: &[(&str, &str)]) -> Result<Fix> {
        let root = folder(files);
        Fix::read(&root.path().join("mumble/fixes/ready"), None)
    }

    #[test]
    fn a_whole_folder() {
        let fix = read(&[
            ("patch", "From 0\nSubject: x\n\nBecause.\nTwice.\n---\n 1 file\n\ndiff --git a/m/f b/m/f\n"),
            ("repo", "harness\n"),
            ("route", "harness-pr\n"),
            ("title", "mumble: wait\n"),
        ])
        .unwrap();
        assert_eq!((fix.id.as_str(), fix.recipe.as_deref()), ("ready", Some("mumble")));
        assert_eq!((fix.route, fix.title.as_str()), (Route::HarnessPr, "mumble: wait"));
        assert_eq!(fix.explanation, "Because.\nTwice.");
    }

    #[test]
    fn a_bare_diff_has_no_explanation() {
        assert_eq!(explanation("diff --git a/x b/x\n--- a/x\n"), "");
        assert_eq!(explanation("Why.\n\ndiff --git a/x b/x\n"), "Why.");
    }

    #[test]
    fn route_and_repository_must_agree() {
        let with = |repo, route| read(&[("patch", ""), ("repo", repo), ("route", route), ("title", "t")]);
        assert_eq!(with("recipe", "harness-pr").unwrap_err().exit().code(), 1);
        assert_eq!(with("harness", "recipe-pr").unwrap_err().exit().code(), 1);
        assert_eq!(with("planet", "recipe-pr").unwrap_err().exit().code(), 2);
        assert_eq!(with("harness", "nowhere").unwrap_err().exit().code(), 2);
        assert!(with("harness", "test-comment").is_ok());
        assert_eq!(read(&[("repo", "recipe")]).unwrap_err().exit().code(), 2);
    }
}
