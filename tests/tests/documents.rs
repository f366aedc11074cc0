//! The files and tests that the documents name exist, and each promise of SECURITY.md names a test.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::root;

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The words between backquotes in running text; indented and fenced examples are left out.
fn quoted(text: &str) -> Vec<String> {
    let prose: Vec<&str> = text.lines().filter(|line| !line.starts_with("    ")).collect();
    prose.join("\n").split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

/// Every file of the repository that git tracks.
fn files() -> BTreeSet<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "git ls-files");
    String::from_utf8(output.stdout).unwrap().lines().map(PathBuf::from).collect()
}

#[test]
fn every_promise_has_a_test_and_every_test_that_it_names_exists() {
    let page = read("SECURITY.md");
    let promises = page.split("## What is promised").nth(1).unwrap().split("\n## ").next().unwrap();
    let promises: Vec<&str> = promises.split("\n- ").skip(1).collect();
    assert!(promises.len() > 15, "{} promises", promises.len());
    for promise in promises {
        let tests: Vec<String> = quoted(promise).into_iter().filter(|word| word.contains(".rs::")).collect();
        assert!(!tests.is_empty(), "without a test: {promise}");
        for test in tests {
            let (file, name) = test.split_once("::").unwrap();
            let text = read(file);
            let at = text.find(&format!("fn {name}(")).unwrap_or_else(|| panic!("{file} has no {name}"));
            let attribute = text[..at].trim_end().lines().last().unwrap_or_default().trim();
            assert_eq!(attribute, "#[test]", "{test} is no test");
        }
    }
}

#[test]
fn files_that_the_documents_name_are_there() {
    let files = files();
    let ends = ["rs", "sh", "md", "json", "toml", "html", "py"];
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"] {
        for word in quoted(&read(name)) {
            let path = Path::new(word.split("::").next().unwrap());
            let is_file = path.extension().is_some_and(|end| ends.iter().any(|known| end == *known));
            if !is_file || word.contains([' ', '*', '<', '{', '$']) {
                continue;
            }
            assert!(files.iter().any(|file| file.ends_with(path)), "{name} names {word}");
        }
    }
}

#[test]
fn the_walk_of_the_architecture_goes_through_files_that_are_there() {
    let page = read("ARCHITECTURE.md");
    let walk = page.split("## One record through all tools").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut tools: Vec<String> = Vec::new();
    for name in quoted(walk).into_iter().filter(|word| Path::new(word).extension() == Some("rs".as_ref())) {
        if let Some(tool) = name.strip_prefix("tools/").and_then(|rest| rest.split('/').next()) {
            tools.push(tool.to_owned());
        }
        let whole = name.starts_with("tools/") || name.starts_with("lib-common/");
        let path = if whole { name } else { format!("tools/{}/src/{name}", tools.last().expect("a tool")) };
        assert!(root().join(&path).is_file(), "{path}");
    }
    assert_eq!(tools.len(), 8, "{tools:?}");
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/monday.md",
        "examples/README.md",
    ] {
        let folder = root().join(name).parent().unwrap().to_owned();
        for target in
            read(name).split("](").skip(1).filter_map(|rest| rest.split(')').next().map(ToOwned::to_owned))
        {
            let path = target.split('#').next().unwrap();
            assert!(path.contains("://") || folder.join(path).exists(), "{name} links to {target}");
        }
    }
}

#[test]
fn the_manual_for_a_browser_is_whole() {
    let made = Command::new("make").args(["-s", "doc"]).current_dir(root()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let pages: Vec<PathBuf> = files().into_iter().filter(|file| file.starts_with("man")).collect();
    assert!(pages.len() >= 8, "{pages:?}");
    for page in pages {
        let folder = root().join("target/manual");
        let html =
            fs::read_to_string(folder.join(format!("{}.html", page.file_name().unwrap().display()))).unwrap();
        for target in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let file = target.split('#').next().unwrap();
            let is_there = file.is_empty() || folder.join(file).exists();
            assert!(
                is_there || file.starts_with("https://manpages.debian.org/"),
                "{} links to {target}",
                page.display()
            );
        }
    }
}

#[test]
fn no_crate_of_ours_has_a_build_script() {
    for file in files() {
        assert_ne!(file.file_name().unwrap(), "build.rs", "{}", file.display());
        if file.ends_with("Cargo.toml") {
            let text = read(&file.display().to_string());
            assert!(!text.lines().any(|line| line.starts_with("build =")), "{}", file.display());
        }
    }
}

#[test]
fn every_source_file_says_its_one_job_first() {
    // Files of a recipe's release come from its authors and need no such line.
    for file in
        files().into_iter().filter(|file| !file.iter().any(|part| part == "releases" || part == "pulls"))
    {
        let Ok(text) = fs::read_to_string(root().join(&file)) else { continue };
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let said = if first.starts_with("#!") { lines.next().unwrap_or_default() } else { first };
        let says = match file.extension().and_then(|end| end.to_str()) {
            Some("rs") => said.starts_with("//! "),
            Some("py" | "sh") => said.starts_with("# ") || said.starts_with("\"\"\""),
            None if first.starts_with("#!") => said.starts_with("# ") || said.starts_with("\"\"\""),
            _ => true,
        };
        assert!(says, "{}: {said}", file.display());
    }
}
