//! The oldest docker client that our scripts support is Debian's: it must know every flag that they pass to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use e2e::root;

/// Finds our shell scripts, which may have no suffix.
fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()) {
        if entry.is_dir() {
            scripts(&entry, found);
        } else if fs::read(&entry).is_ok_and(|text| {
            let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let first = String::from_utf8_lossy(first).into_owned();
            first.starts_with("#!") || first.contains("shellcheck shell")
        }) {
            found.push(entry);
        }
    }
}

/// The words of each call of the docker client in a shell script, as far as the text shows them. Continued lines are joined,
/// and a call ends at the next shell operator. `dock NODE` and `on NODE` are functions of ours that call the client.
fn calls(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let mut found = Vec::new();
    for line in joined.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        // An expansion of the shell or a template of the client counts as one word.
        let mut line = line.to_owned();
        for (open, close) in [("{{", "}}"), ("${", "}")] {
            while let Some(at) = line.find(open) {
                let end = line[at..].find(close).map_or(line.len(), |end| at + end + close.len());
                line.replace_range(at..end, "X");
            }
        }
        let parts = line.split(['|', ';', '(', ')', '&', '`', '{', '}']);
        for words in parts.map(|part| part.split_whitespace().collect::<Vec<_>>()) {
            let at = |name: &str| words.iter().position(|word| *word == name);
            let start = at("docker").or_else(|| at("dock").or_else(|| at("on")).map(|at| at + 1));
            let Some(start) = start else { continue };
            found.push(words[(start + 1).min(words.len())..].iter().map(ToString::to_string).collect());
        }
    }
    found
}

type Flags = BTreeMap<String, bool>;

/// The flags that the client's help lists for a command, and whether each takes a value. Empty for an unknown command.
fn flags(client: &Path, command: &[&str]) -> Flags {
    static ASKED: Mutex<BTreeMap<String, Flags>> = Mutex::new(BTreeMap::new());
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    asked
        .entry(format!("{} {}", client.display(), command.join(" ")))
        .or_insert_with(|| ask(client, command))
        .clone()
}

fn ask(client: &Path, command: &[&str]) -> Flags {
    let output =
        Command::new(client).args(command).arg("--help").env("DOCKER_HOST", "unix:///nonexistent").output();
    let output = output.expect("the docker client");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let usage = format!("docker {}", command.join(" "));
    if !text.contains(&usage) {
        return BTreeMap::new();
    }
    let mut known = BTreeMap::from([("--help".to_owned(), false)]);
    for line in text.lines().map(str::trim_start).filter(|line| line.starts_with('-')) {
        let names: Vec<&str> = line.split_whitespace().take_while(|word| word.starts_with('-')).collect();
        let after = line.split("  ").next().unwrap_or_default();
        let value = after.split_whitespace().next_back().is_some_and(|word| !word.starts_with('-'));
        known.extend(names.iter().map(|name| (name.trim_end_matches(',').to_owned(), value)));
    }
    known
}

/// The docker command at the start of these words, and the words after it.
fn command<'w>(client: &Path, words: &'w [String]) -> Option<(Vec<&'w str>, &'w [String])> {
    let mut rest = words;
    // Skip global options in front of the command.
    while let [flag, tail @ ..] = rest {
        match flag.as_str() {
            "-H" | "--host" | "--context" => rest = tail.get(1..)?,
            _ => break,
        }
    }
    let plain = |word: &String| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    };
    let named: Vec<&str> = rest.iter().take(2).take_while(|word| plain(word)).map(String::as_str).collect();
    (1..=named.len()).rev().map(|count| &named[..count]).find_map(|name| {
        let is_one = !flags(client, name).is_empty();
        is_one.then(|| (name.to_vec(), &rest[name.len()..]))
    })
}

/// The flags in one word: `--name=value` has one, `-aq` has two.
fn flags_of(word: &str) -> Vec<String> {
    let name = word.split('=').next().unwrap_or_default();
    match name.strip_prefix("--") {
        Some("") => Vec::new(),
        Some(_) => vec![name.to_owned()],
        None if name.starts_with('-') => name
            .chars()
            .skip(1)
            .take_while(char::is_ascii_alphabetic)
            .map(|letter| format!("-{letter}"))
            .collect(),
        None => Vec::new(),
    }
}

/// Every flag of a call. After the first operand of `run`, `exec` and the like, another program's command line begins.
fn used(known: &Flags, command: &[&str], words: &[String]) -> Vec<String> {
    let ends = matches!(command.last(), Some(&("exec" | "run" | "create")));
    let mut found = Vec::new();
    let mut words = words.iter().map(|word| word.trim_matches(['"', '\'']));
    while let Some(word) = words.next() {
        let flags = flags_of(word);
        if flags.is_empty() && ends && !word.starts_with('-') {
            break;
        }
        if flags.last().is_some_and(|flag| known.get(flag) == Some(&true)) && !word.contains('=') {
            words.next();
        }
        found.extend(flags);
    }
    found
}

#[test]
fn the_distributions_client_knows_every_flag_that_our_scripts_use() {
    // A developer may have another client; in CI it is Debian's.
    let own = Path::new("/usr/bin/docker");
    assert!(own.exists() || std::env::var_os("APART").is_none(), "{} is not there", own.display());
    let client = if own.exists() { own } else { Path::new("docker") };
    let mut files = Vec::new();
    for folder in ["scripts", "ground", "check", "benches", "examples", "dist"] {
        scripts(&root().join(folder), &mut files);
    }
    let (mut checked, mut unknown) = (0, BTreeSet::new());
    for file in files {
        for words in calls(&fs::read_to_string(&file).unwrap_or_default()) {
            let Some((command, rest)) = command(client, &words) else { continue };
            let known = flags(client, &command);
            for flag in used(&known, &command, rest) {
                checked += 1;
                if !known.contains_key(&flag) {
                    unknown.insert(format!("{}: docker {} {flag}", file.display(), command.join(" ")));
                }
            }
        }
    }
    assert!(checked > 100, "only {checked} flags were found in our scripts");
    assert_eq!(unknown, BTreeSet::new(), "not known to {}", client.display());
}

#[test]
fn a_flag_that_it_does_not_know_is_found() {
    let words =
        calls("run docker cp --quiet a b | cat\n# docker cp --nothing\ndocker -H x service ls \\\n  --quiet");
    assert_eq!(words, [vec!["cp", "--quiet", "a", "b"], vec!["-H", "x", "service", "ls", "--quiet"]]);
    let client = Path::new("docker");
    let (name, rest) = command(client, &words[1]).expect("a command");
    assert_eq!((name, rest), (vec!["service", "ls"], &["--quiet".to_owned()][..]));
    assert_eq!(flags(client, &["service", "ls"]).get("--filter"), Some(&true));
    assert_eq!(flags(client, &["service", "ls"]).get("--quiet"), Some(&false));
    assert_eq!(flags(client, &["service", "ls"]).get("--frobnicate"), None);
    let words = calls("docker exec -it --user ${who} $(id) sh -c x").concat();
    let (name, rest) = command(client, &words).expect("a command");
    assert_eq!(used(&flags(client, &name), &name, rest), ["-i", "-t", "--user"]);
}
