//! Each command of a tool takes the options that mean something to it, and no other: the tables say which.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, Command};
use lib_common::exit::{ToolArgs, parse};
use lib_common::vain::Vain;

/// What every command of every tool takes.
const VOICE: &str = "quiet verbose color";
const ENGINE: &str = "host engine-timeout";
const COMMON: &str = "lenient max-line investigation";

/// A command (empty: the tool itself), words that make it whole, and its options.
type Row<'r> = (&'r str, &'r str, &'r [&'r str]);

/// The error of these words, if they are refused.
fn refused<A: ToolArgs>(line: &[&str]) -> Option<clap::Error> {
    let name = A::command().get_name().to_owned();
    parse::<A>(std::iter::once(name.as_str()).chain(line.iter().copied()).map(OsString::from)).err()
}

fn options(command: &Command) -> BTreeSet<&str> {
    let named = command.get_arguments().filter_map(Arg::get_long);
    named.filter(|name| !matches!(*name, "help" | "version")).collect()
}

/// Everything that any command of the tool takes.
fn all(command: &Command) -> Vec<&Arg> {
    let own = command.get_arguments().filter(|arg| arg.get_long().is_some());
    let below = command.get_subcommands().flat_map(all);
    own.chain(below).filter(|arg| !matches!(arg.get_long(), Some("help" | "version"))).collect()
}

/// The option as it may be typed, behind this command, so that its value is none to complain about.
fn typed<A: ToolArgs>(before: &str, arg: &Arg) -> String {
    const VALUES: [&str; 19] = [
        "1",
        "3",
        "20",
        "1m",
        "64MiB",
        "A=b",
        "a=b",
        "network=x",
        "n=unix:///x",
        "22:00-06:00Z",
        "a.example",
        "run",
        "{class}-{short}",
        "1.2.3.4",
        "a<a@b.c>",
        "dir:/x",
        "o/n",
        "recipe-pr",
        "https://a/b",
    ];
    let name = arg.get_long().unwrap();
    if !arg.get_action().takes_values() {
        return format!("--{name}");
    }
    let possible: Vec<String> =
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let values = possible.into_iter().chain(VALUES.map(ToOwned::to_owned));
    let sound = |typed: &String| {
        let line: Vec<&str> = before.split_whitespace().chain([typed.as_str()]).collect();
        let kind = refused::<A>(&line).map(|error| error.kind());
        !matches!(kind, Some(ErrorKind::ValueValidation | ErrorKind::InvalidValue))
    };
    let mut lines = values.map(|value| format!("--{name}={value}"));
    lines.find(sound).unwrap_or_else(|| panic!("no value is known for --{name}"))
}

/// The command itself, built as the tool builds it.
fn find<'c>(command: &'c Command, path: &str) -> &'c Command {
    path.split_whitespace().fold(command, |command, name| command.find_subcommand(name).unwrap())
}

/// Every command takes what its row says; any other option of the tool is refused behind it, and all but help and
/// version before it.
fn check<A: ToolArgs>(rows: &[Row]) {
    let mut command = A::command();
    command.build();
    let tool = command.get_name();
    for (path, whole, takes) in rows {
        // Settings are checked by the tool, not by one of its commands.
        let own = if path.is_empty() { "self-check" } else { "" };
        let expected: BTreeSet<&str> =
            takes.iter().copied().chain([VOICE, own]).flat_map(str::split_whitespace).collect();
        assert_eq!(options(find(&command, path)), expected, "{tool} {path}");
        let line: Vec<&str> = path.split_whitespace().chain(whole.split_whitespace()).collect();
        assert!(refused::<A>(&line).is_none(), "{tool} {line:?}: {:?}", refused::<A>(&line));
        let depth = path.split_whitespace().count();
        for arg in all(&command) {
            let name = arg.get_long().unwrap();
            if depth > 0 && !expected.contains(name) {
                let foreign = format!("--{name}");
                let error = refused::<A>(&[&line[..depth], &[&foreign], &line[depth..]].concat()).unwrap();
                assert_eq!((error.kind(), error.exit_code()), (ErrorKind::UnknownArgument, 2), "{error}");
            }
            for at in 0..depth {
                let above = path.split_whitespace().take(at).collect::<Vec<_>>().join(" ");
                let typed = typed::<A>(&above, arg);
                let error = refused::<A>(&[&line[..at], &[typed.as_str()], &line[at..]].concat());
                assert_eq!(error.map(|error| error.exit_code()), Some(2), "{tool} {typed} before {path}");
            }
        }
    }
    let known: BTreeSet<&str> = rows.iter().map(|(path, ..)| *path).collect();
    assert!(paths(&command, "").iter().all(|path| known.contains(path.as_str())), "{tool}: {known:?}");
}

/// Every command that is shown, by its whole name.
fn paths(command: &Command, above: &str) -> Vec<String> {
    let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help");
    let below = shown.flat_map(|sub| paths(sub, format!("{above} {}", sub.get_name()).trim()));
    std::iter::once(above.to_owned()).chain(below).collect()
}

/// Each option that a rule of the tool calls vain is refused, by that rule. `choose`: words with which a choice is made
/// or, if it is not, that make the line whole.
fn check_vain<A: ToolArgs>(above: &str, choose: impl Fn(&str, bool) -> &'static str) {
    let mut command = A::command();
    command.build();
    let level = find(&command, above);
    let arg = |id: &str| level.get_arguments().find(|arg| arg.get_id() == id);
    for rule in A::VAIN {
        let (Vain::Beside(choice, options) | Vain::Without(choice, options)) = rule;
        if arg(choice).is_none() {
            continue;
        }
        let beside = matches!(rule, Vain::Beside(..));
        for option in *options {
            let typed = typed::<A>(above, arg(option).unwrap_or_else(|| panic!("{option} is no option")));
            let mut line: Vec<&str> =
                above.split_whitespace().chain(choose(choice, beside).split_whitespace()).collect();
            assert!(refused::<A>(&line).is_none(), "{line:?}: {:?}", refused::<A>(&line));
            let end = line.iter().position(|word| *word == "--").unwrap_or(line.len());
            line.insert(end, &typed);
            let error = refused::<A>(&line).unwrap_or_else(|| panic!("{line:?} is accepted"));
            let kind = if beside { ErrorKind::ArgumentConflict } else { ErrorKind::MissingRequiredArgument };
            assert_eq!((error.kind(), error.exit_code()), (kind, 2), "{line:?}: {error}");
        }
    }
}

#[test]
fn flake_classify() {
    check::<flake_classify::Args>(&[(
        "",
        "",
        &[
            COMMON,
            "next plan explain recheck require ledger cap order-free spacing accept-correlated accept-claimed",
            "from emit key sweep-wide recipe version-under-test contrast condition selected",
        ],
    )]);
    check_vain::<flake_classify::Args>("", |choice, beside| match choice {
        "from" if beside => "--from junit f",
        "emit" => "--from junit f --emit cases",
        "plan" => "--next --plan f",
        "explain" => "--explain",
        "next" => "--next",
        "recheck" => "--recheck",
        _ => "",
    });
}

#[test]
fn log_snap() {
    const SECRECY: &str = "secrets-fd rules key-file relative-to";
    const CAPTURE: &str =
        "stack out evidence attempt node no-files deadline idle memory max-bytes max-log-line";
    check::<log_snap::Args>(&[
        ("", "", &[COMMON, ENGINE, SECRECY, CAPTURE]),
        ("snap", "", &[COMMON, ENGINE, SECRECY, CAPTURE]),
        ("attach", "", &["investigation until-gone", ENGINE, SECRECY, CAPTURE]),
        ("verify", "b", &[]),
        ("cat", "b", &["service task since until grep blob offset bytes"]),
        ("redact", "b --out c", &["investigation out", SECRECY]),
        ("diff", "a b", &[]),
        ("first-error", "b", &[]),
        ("gc", "d", &["lenient max-line keep ledger dry-run"]),
    ]);
}

#[test]
fn pr_open() {
    const WHOLE: &str = "--fix d --forge dir:/x --repo o/n";
    check::<pr_open::Args>(&[(
        "",
        WHOLE,
        &[
            COMMON,
            "ledger fix branch route repo-dir fix-id recipe case author title body-file template",
            "upstream-issue label reviewer forge owner repo base token-file git-url insecure-http strict",
            "forge-timeout git-timeout no-verdict with-tests multi tests-glob testme trigger wait deadline",
            "first-wait poll settle require-context comment pr reopen dry-run ca-file grace retest web-url",
        ],
    )]);
    check_vain::<pr_open::Args>("", |choice, _| match choice {
        "comment" => "--fix d --forge dir:/x --repo o/n --comment --pr 1",
        "with_tests" => "--fix d --forge dir:/x --repo o/n --with-tests",
        _ => WHOLE,
    });
}

#[test]
fn redfix_report() {
    const PROOF: &str = "evidence verify-evidence bundle-timeout recheck recheck-timeout author";
    check::<redfix_report::Args>(&[
        ("", "", &["lenient max-line format max-bytes gate ledger out state-dir", PROOF]),
        ("review", "--reviewer a --gate M1", &[COMMON, PROOF, "reviewer gate reject note ledger"]),
    ]);
    check_vain::<redfix_report::Args>("", |_, _| "");
    check_vain::<redfix_report::Args>("review", |_, _| "--reviewer a --gate M1");
}

#[test]
fn swarm_guard() {
    check::<swarm_guard::Args>(&[(
        "",
        "--owner o --socket s",
        &[ENGINE, "investigation owner allow policy socket records secrets hide-others read-only"],
    )]);
}

#[test]
fn swarm_isolate() {
    const DOWN: &str = "protect node teardown-timeout";
    const SLOT: &str = "slots slot-ttl wait window busy budget";
    check::<swarm_isolate::Args>(&[
        (
            "",
            "-- c",
            &[
                COMMON,
                ENGINE,
                DOWN,
                SLOT,
                "ledger env allow pty check timeout idle-timeout grace records min-free condition load-with",
                "neighbours max-foreign-cpu min-foreign-cpu max-pressure min-pressure factor runs until",
                "companion recipe version-under-test domain evidence dry-run apart keep-on-success",
            ],
        ),
        ("hold", "-- c", &[ENGINE, DOWN, SLOT, "all grace dry-run"]),
        ("reap", "", &[ENGINE, DOWN, "ledger slots slot-ttl dry-run"]),
        ("kept", "", &[ENGINE, "investigation"]),
        ("kept release", "s", &[ENGINE, DOWN, "dry-run"]),
        ("slots", "", &[ENGINE, "investigation slots resize wait slot-ttl dry-run"]),
    ]);
    check_vain::<swarm_isolate::Args>("", |_, _| "--until u -- c");
    check_vain::<swarm_isolate::Args>("slots", |_, _| "");
}

#[test]
fn swarm_wait() {
    check::<swarm_wait::Args>(&[(
        "",
        "s",
        &[
            ENGINE,
            "investigation ready stable deadline idle-timeout same-error stuck-after settle allow-empty",
        ],
    )]);
}

#[test]
fn warm_domain_alloc() {
    const SELECT: &str = "ledger lease holder recipe purpose";
    const ALLOC: &str = "ledger base recipe class purpose holder ttl pattern avoid compose shared-network \
                         nodes abra-dir certificate dry-run";
    const PROBE: &str = "ledger from resolve traefik proxy ca-file insecure expect compose timeout deadline \
                         wait at-once";
    check::<warm_domain_alloc::Args>(&[
        ("", "", &[COMMON, ENGINE, ALLOC]),
        ("alloc", "", &[COMMON, ENGINE, ALLOC]),
        ("renew", "", &[COMMON, ENGINE, SELECT, "dry-run"]),
        ("release", "", &[COMMON, ENGINE, SELECT, "dry-run"]),
        ("list", "", &["investigation", ENGINE, SELECT]),
        ("gc", "", &["investigation", ENGINE, SELECT, "nodes dry-run"]),
        ("audit", "", &["investigation", ENGINE, "ledger nodes base"]),
        ("probe", "", &[COMMON, ENGINE, PROBE]),
    ]);
}
