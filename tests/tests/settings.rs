//! The settings: each is in the table and on the page, none is read that is not; a folder that one names by a relative path
//! is the same one for all that is started from there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{TOOLS, root, tool};

/// What the settings are in a program that a script of ours starts in `/`, the script itself being started in `/usr`.
fn seen_elsewhere(setting: &str, value: &str) -> String {
    let lib = root().join("scripts/lib.sh");
    let script = format!(". {}; cd /; printenv {setting}; echo $recipes", lib.display());
    let output = Command::new("bash")
        .args(["-c", &script])
        .env("REDFIX_ENV", "/dev/null")
        .env_remove("REDFIX_RECIPES")
        .env(setting, value)
        .current_dir("/usr")
        .output()
        .expect("bash starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn relative_folders_are_those_of_who_named_them() {
    let ours = root().join("ground/rows").display().to_string();
    for name in ["REDFIX_DIR", "REDFIX_HARNESS", "REDFIX_BIN", "REDFIX_TOKEN_FILE", "REDFIX_CACHE"] {
        assert_eq!(seen_elsewhere(name, "some/folder"), format!("/usr/some/folder\n{ours}\n"));
    }
    assert_eq!(seen_elsewhere("REDFIX_RECIPES", "mine"), "/usr/mine\n/usr/mine\n");
    assert_eq!(seen_elsewhere("REDFIX_FORGE", "dir:queue"), format!("dir:/usr/queue\n{ours}\n"));
}

#[test]
fn what_needs_no_folder_stays_as_it_is() {
    for (name, value) in [
        ("REDFIX_DIR", "/var/lib/redfix"),
        ("REDFIX_FORGE", "dir:/srv/review"),
        ("REDFIX_FORGE", "https://forge.example"),
    ] {
        assert_eq!(seen_elsewhere(name, value).lines().next(), Some(value));
    }
}

/// `scripts/redfix.d/settings`: each name, whose option it is the twin of, what for.
fn table() -> BTreeMap<String, (Vec<String>, String)> {
    let text = fs::read_to_string(root().join("scripts/redfix.d/settings")).expect("the table");
    let row = |line: &str| {
        let (head, what) = line.split_once(": ").unwrap_or_else(|| panic!("what for is not said: {line}"));
        let mut words = head.split_whitespace().map(ToOwned::to_owned);
        let (name, kind) = (words.next().expect("a name"), words.next().expect("a kind"));
        assert!(kind == "path" || kind == "value", "{line}");
        (name, (words.collect(), what.to_owned()))
    };
    text.lines().filter(|line| !line.starts_with('#')).map(row).collect()
}

/// The items of a subsection of redfix(7), with their texts.
fn section(title: &str) -> BTreeMap<String, String> {
    let page = fs::read_to_string(root().join("man/redfix.7")).expect("the page");
    let section = page.split(&format!(".Ss {title}\n")).nth(1).unwrap_or_else(|| panic!(".Ss {title}"));
    let list = section.split(".El").next().expect("a list");
    let items = list.split(".It Ev ").skip(1).map(|item| item.split_once('\n').expect("a text"));
    items.map(|(name, text)| (name.to_owned(), text.trim().to_owned())).collect()
}

const SETTINGS: &str = "Settings";
const SEEN: &str = "What a command under test sees";

/// What every process of a system has: no setting of ours.
const SYSTEM: [&str; 4] = ["HOME", "PATH", "TERM", "TMPDIR"];
/// Shell variables that a script has set before it asks whether they are.
const OWN: [&str; 4] = ["NODES", "RUN", "SHA", "UNDO"];
/// What `scripts/redfix` and `scripts/recheck` tell a recipe's script.
const TOLD: [&str; 6] =
    ["REDFIX_LAST_STAGE", "REDFIX_ORDER", "REDFIX_PLAN", "REDFIX_STEP", "REDFIX_SURROUNDED", "SWEEP"];

#[test]
fn there_are_at_most_35_settings_and_the_page_says_them_all() {
    let table = table();
    assert!(table.len() <= 35, "{}", table.len());
    let texts: BTreeMap<String, String> = table.into_iter().map(|(name, (_, what))| (name, what)).collect();
    let said = section(SETTINGS).into_iter().map(|(name, text)| {
        let text = text.split_once(":\n").map_or(text.clone(), |(_, what)| what.to_owned());
        (name, text.trim_end_matches('.').to_owned())
    });
    assert_eq!(texts, said.collect());
}

#[test]
fn each_twin_is_one_of_the_tools_that_the_table_names() {
    let seen = section(SEEN);
    for tool_name in TOOLS {
        let help = |args: &[&str]| {
            let output = Command::new(tool(tool_name)).args(args).arg("--help").output().expect("starts");
            String::from_utf8(output.stdout).expect("UTF-8").split_whitespace().collect::<String>()
        };
        let own = [&[][..], &["attach"], &["gc"], &["probe"], &["review"], &["reap"]];
        let all: String = own.iter().map(|args| help(args)).collect();
        let twins: BTreeSet<&str> =
            all.split("[env:").skip(1).map(|rest| rest.split([']', '=']).next().expect("a name")).collect();
        for name in &twins {
            let ours = |(whose, _): &(Vec<String>, String)| whose.iter().any(|whose| whose == tool_name);
            let of_a_run = tool_name == "log-snap" || *name == "REDFIX_INVESTIGATION";
            assert!(
                table().get(*name).is_some_and(ours) || of_a_run && seen.contains_key(*name),
                "{tool_name}: {name} is in no list"
            );
        }
        for (name, (whose, _)) in table() {
            assert!(
                !whose.iter().any(|whose| whose == tool_name) || twins.contains(name.as_str()),
                "{tool_name}: {name}"
            );
        }
    }
}

#[test]
fn no_page_names_another_setting() {
    let known: BTreeSet<String> = table().into_keys().chain(section(SEEN).into_keys()).collect();
    for page in fs::read_dir(root().join("man")).expect("man").flatten() {
        let text = fs::read_to_string(page.path()).unwrap_or_default();
        let names = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
        for name in names.filter(|name| name.starts_with("REDFIX_") && *name != "REDFIX_") {
            let family = name.starts_with("REDFIX_FACTOR_");
            assert!(family || known.contains(name), "{} names {name}", page.path().display());
        }
    }
}

/// Every variable that a program reads is in one of the lists. Tests and checks of ours read `E2E_*` and more; they are no
/// programs of anybody else.
#[test]
fn no_program_reads_a_variable_that_is_in_no_list() {
    let known: BTreeSet<String> = table().into_keys().chain(section(SEEN).into_keys()).collect();
    let listed = |name: &str| {
        let family = |prefix: &str| name.starts_with(prefix);
        known.contains(name)
            || family("REDFIX_FACTOR_")
            || family("IMAGE_")
            || SYSTEM.contains(&name)
            || OWN.contains(&name)
            || TOLD.contains(&name)
    };
    let (mut read, mut unknown) = (0, Vec::new());
    for file in programs() {
        let text = fs::read_to_string(&file).unwrap_or_default();
        for name in reads(&file, &text) {
            read += 1;
            // For tests: what a debug build emits is held against the schema.
            if !listed(&name) && !name.starts_with("E2E_") {
                unknown.push(format!("{}: {name}", file.display()));
            }
        }
    }
    assert!(read > 200, "{read} reads were understood");
    assert_eq!(unknown, Vec::<String>::new());
}

/// The sources of what runs on an operator's machine: the tools, the scripts, the proving ground's life cycles.
fn programs() -> Vec<PathBuf> {
    let folders = ["lib-common/src", "tools/*/src/*", "scripts", "ground"];
    let output = Command::new("git").arg("ls-files").args(folders).current_dir(root()).output().expect("git");
    let names = String::from_utf8(output.stdout).expect("UTF-8");
    // Releases and patches are data, images have an environment of their own.
    let data = ["/releases/", "/fixes/", "/pulls/", "/images/", "/revisions/", "/neighbours/client.py"];
    let ours = |name: &&str| !data.iter().any(|part| name.contains(part)) || *name == "ground/images/build";
    names.lines().filter(ours).map(|name| root().join(name)).collect()
}

fn reads(file: &Path, text: &str) -> Vec<String> {
    let name = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_').collect()
    };
    let whole = |rest: &&str| rest[name(rest).len()..].starts_with('"');
    let behind = |mark: &str| -> Vec<String> { text.split(mark).skip(1).filter(whole).map(name).collect() };
    let mut found = Vec::new();
    if file.extension().is_some_and(|ending| ending == "rs") {
        for mark in ["env = \"", "env::var(\"", "env::var_os(\""] {
            found.extend(behind(mark));
        }
    } else if text.starts_with("#!/usr/bin/env python3")
        || file.extension().is_some_and(|ending| ending == "py")
    {
        for mark in ["environ[\"", "environ.get(\""] {
            found.extend(behind(mark));
        }
    } else if text.starts_with("#!") || text.starts_with("# shellcheck") {
        // `$NAME` may be a variable of the script; `${NAME:-...}` asks whether somebody has set it.
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            for rest in line.split('$').skip(1) {
                let (braces, rest) = rest.strip_prefix('{').map_or((false, rest), |rest| (true, rest));
                let name = name(rest);
                let asks =
                    braces && rest[name.len()..].trim_start_matches(':').starts_with(['-', '?', '+', '=']);
                if name.starts_with("REDFIX_") || asks && !name.is_empty() {
                    found.push(name);
                }
            }
        }
    }
    found.retain(|name| name.len() > 1);
    found
}
