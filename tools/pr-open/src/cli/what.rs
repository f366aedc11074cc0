//! Arguments: what is proposed, in which words, and what a person takes upon themselves.

use std::path::PathBuf;

use lib_common::record::verdict::Route;

use crate::fix::parse_route;
use crate::git::Author;

/// What is proposed: a patch in a folder, or a branch that has the commits.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub struct WhatArgs {
    /// The fix's folder: the files `patch`, `repo`, `route` and `title`
    #[arg(long, value_name = "DIR", required_unless_present = "branch")]
    pub fix: Option<PathBuf>,
    /// A branch that has the fix already, instead of --fix
    #[arg(long, value_name = "BRANCH", conflicts_with_all = ["fix", "author"], requires_all = ["route", "title"])]
    pub branch: Option<String>,
    /// Where the fix of --branch belongs: recipe-pr, harness-pr or test-comment
    #[arg(long, value_name = "ROUTE", value_parser = parse_route, requires = "branch")]
    pub route: Option<Route>,
    /// A clone to push --branch from, and to borrow objects from; never changed
    #[arg(long, value_name = "DIR")]
    pub repo_dir: Option<PathBuf>,
    /// Name of the fix (default: the folder's name, or the last part of the branch's)
    #[arg(long, value_name = "ID")]
    pub fix_id: Option<String>,
    /// Recipe in the branch's name (default: from the folder's path, else from the patch)
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
    /// Case that the fix is for; may be repeated (default: all of the recipe whose route is the fix's)
    #[arg(long, value_name = "KEY")]
    pub case: Vec<String>,
    /// Author and committer
    #[arg(
        long,
        value_name = "NAME <MAIL>",
        default_value = "redfix <noreply@redfix.invalid>",
        env = "REDFIX_AUTHOR",
        hide_env_values = true
    )]
    pub author: Author,
}

/// The words.
#[derive(clap::Args, Debug)]
pub struct TextArgs {
    /// Title (default: the folder's)
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// The text as it is, instead of a template; `-` is standard input, and the records are then --ledger's
    #[arg(long, value_name = "FILE", conflicts_with = "template")]
    pub body_file: Option<PathBuf>,
    /// Text of the pull request with {title}, {explanation}, {cases}, {evidence}, {fix}, {diff}, {verified}, {upstream}
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// Issue of the upstream project that tracks the defect; in the text and in the record
    #[arg(long, value_name = "URL", value_parser = web_address)]
    pub upstream_issue: Option<String>,
    /// Label for a new pull request, by its name; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub label: Vec<String>,
    /// User who is asked to review a new pull request; may be repeated
    #[arg(
        long,
        value_name = "USER",
        value_delimiter = ',',
        env = "REDFIX_REVIEWERS",
        hide_env_values = true
    )]
    pub reviewer: Vec<String>,
}

/// What a person takes upon themselves.
#[derive(clap::Args, Debug)]
pub struct ConsentArgs {
    /// Open it without a verdict that supports it; recorded, and the gates see it
    #[arg(long)]
    pub no_verdict: bool,
    /// Allow a patch that touches tests
    #[arg(long)]
    pub with_tests: bool,
    /// Allow a patch that touches more than one recipe
    #[arg(long)]
    pub multi: bool,
    /// What counts as a test; may be repeated
    #[arg(long, value_name = "GLOB", value_delimiter = ',', default_values = crate::guard::TESTS)]
    pub tests_glob: Vec<String>,
}

/// An address for people: in one line, and nothing that a text's markup would stumble over.
fn web_address(text: &str) -> Result<String, String> {
    let web = text.starts_with("https://") || text.starts_with("http://");
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"`".contains(c));
    if web && plain { Ok(text.to_owned()) } else { Err("not an address such as https://HOST/PATH".into()) }
}
