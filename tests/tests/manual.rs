//! The manual pages and the binaries agree on flags, defaults, environment variables, names and exit codes.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use e2e::{TOOLS, root, tool};

fn page(name: &str) -> String {
    fs::read_to_string(root().join("man").join(format!("{name}.1")))
        .unwrap_or_else(|e| panic!("man/{name}.1: {e}"))
}

/// `--help` of the tool and of each of its subcommands, colours off.
fn helps(name: &str) -> Vec<String> {
    let help = |args: &[&str]| {
        let output =
            Command::new(tool(name)).args(args).arg("--help").env("COLUMNS", "100").output().unwrap();
        assert!(output.status.success(), "{name} {args:?} --help");
        String::from_utf8(output.stdout).unwrap()
    };
    let main = help(&[]);
    let commands: Vec<String> = main
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .map(ToOwned::to_owned)
        .collect();
    let mut all = vec![main];
    all.extend(commands.iter().map(|command| help(&[command])));
    all
}

/// Long flags that a help text declares, without those that it only mentions.
fn flags_of(help: &str) -> BTreeSet<String> {
    let declared = help.lines().filter_map(|line| {
        let line = line.strip_prefix("  ")?.trim_start();
        let rest = if line.starts_with("--") {
            line
        } else {
            line.get(4..).filter(|_| line.as_bytes().get(2) == Some(&b','))?
        };
        let name = rest.strip_prefix("--")?;
        Some(
            name.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                .next()
                .unwrap_or_default()
                .to_owned(),
        )
    });
    declared.filter(|name| !name.is_empty()).collect()
}

/// Long flags of a page: `Fl -name`, also after a comma as in `Fl q , -quiet`.
fn flags_in_page(page: &str) -> BTreeSet<String> {
    let macros = page.lines().filter(|line| line.starts_with('.') && line.contains("Fl "));
    let words = macros.flat_map(str::split_whitespace).filter_map(|word| word.strip_prefix('-'));
    words.filter(|name| name.len() > 1).map(ToOwned::to_owned).collect()
}

#[test]
fn every_flag_is_in_its_page_and_no_page_invents_one() {
    for name in TOOLS {
        let flags: BTreeSet<String> = helps(name).iter().flat_map(|help| flags_of(help)).collect();
        let page = flags_in_page(&page(name));
        assert!(flags.len() > 5, "{name}: --help was understood: {flags:?}");
        assert_eq!(
            flags.difference(&page).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "{name}: not in the page"
        );
        assert_eq!(
            page.difference(&flags).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "{name}: not in --help"
        );
    }
}

/// The options of a page: the names in each `.It`, and the text below it.
fn options_of(page: &str) -> Vec<(BTreeSet<String>, String)> {
    let mut found: Vec<(BTreeSet<String>, String)> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with(".It ") {
            inside = line.contains("Fl ");
            if inside {
                found.push((flags_in_page(line), line.to_owned()));
            }
        } else if line == ".El" {
            inside = false;
        } else if let Some((_, text)) = found.last_mut().filter(|_| inside) {
            *text = format!("{text} {line}");
        }
    }
    found
}

/// The options of a help text that name a default, and that default.
fn defaults_of(help: &str) -> Vec<(String, String)> {
    let mut options: Vec<String> = Vec::new();
    for line in help.lines() {
        match options.last_mut() {
            _ if !flags_of(line).is_empty() => options.push(line.to_owned()),
            Some(option) => *option = format!("{option} {}", line.trim()),
            None => {}
        }
    }
    let default = |option: &String| {
        let name = flags_of(option.lines().next()?).pop_first()?;
        let value = option.split("[default: ").nth(1)?.split(']').next()?;
        Some((name, value.trim_matches('"').to_owned()))
    };
    options.iter().filter_map(default).collect()
}

#[test]
fn defaults_are_those_of_the_page() {
    let overview = fs::read_to_string(root().join("man/redfix.7")).unwrap();
    let mut compared = 0;
    for name in TOOLS {
        let options = options_of(&page(name));
        for (flag, default) in helps(name).iter().flat_map(|help| defaults_of(help)) {
            let texts =
                options.iter().filter(|(flags, _)| flags.contains(&flag)).map(|(_, text)| text.as_str());
            let says = |text: &str| {
                let text = if text.contains(".Xr redfix 7") { overview.as_str() } else { text };
                default.split_whitespace().all(|word| text.contains(word))
            };
            assert!(
                texts.clone().any(says),
                "{name}: --{flag} is {default} by default: {:?}",
                texts.collect::<Vec<_>>()
            );
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared} defaults were understood");
}

#[test]
fn the_page_names_no_setting_that_nobody_reads() {
    // Variables that swarm-isolate sets for its command; no tool reads them as settings.
    let set = [
        "REDFIX_LEDGER_DIR",
        "REDFIX_FACTOR_",
        "REDFIX_SCRATCH",
        "REDFIX_NODE",
        "REDFIX_SECRETS_FD",
        "REDFIX_EVIDENCE",
        "REDFIX_STACK",
        "REDFIX_ATTEMPT",
    ];
    for name in TOOLS {
        let page = page(name);
        let section =
            page.split(".Sh ENVIRONMENT").nth(1).expect("ENVIRONMENT").split(".Sh ").next().unwrap();
        let helps: String = helps(name).iter().flat_map(|help| help.split_whitespace()).collect();
        let words = section.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with("REDFIX_") && !set.contains(word)) {
            assert!(
                helps.contains(&format!("[env:{word}]")) || helps.contains(&format!("[env:{word}=")),
                "{name}: {word}"
            );
        }
    }
}

#[test]
fn every_environment_twin_is_in_the_page() {
    for name in TOOLS {
        let page = page(name);
        for help in helps(name) {
            // clap wraps long texts, also between `[env:` and the name.
            let text = help.split_whitespace().collect::<Vec<_>>().join(" ");
            for part in text.split("[env: ").skip(1) {
                let twin = part.split(']').next().unwrap_or_default();
                assert!(page.contains(twin), "{name}: {twin} is not in the page");
            }
        }
    }
}

#[test]
fn the_name_line_is_what_help_says_first() {
    for name in TOOLS {
        let help = helps(name).remove(0);
        let about = help.lines().next().unwrap().to_lowercase();
        let page = page(name);
        let line = page.lines().find_map(|line| line.strip_prefix(".Nd ")).expect(".Nd");
        assert_eq!(line.to_lowercase(), about, "{name}");
    }
}

#[test]
fn every_page_has_the_exit_codes_of_the_tool() {
    for name in TOOLS {
        // flake-classify talks to no engine and no forge, so it has no code for "try again".
        let codes: &[&str] = if name == "flake-classify" { &["0", "1", "2"] } else { &["0", "1", "2", "75"] };
        let page = page(name);
        let section =
            page.split(".Sh EXIT STATUS").nth(1).expect("EXIT STATUS").split(".Sh ").next().unwrap();
        for code in codes {
            let stands = section.lines().any(|line| {
                line.strip_prefix(".It ")
                    .is_some_and(|rest| rest.split_whitespace().any(|word| word == *code))
            });
            assert!(stands, "{name}: exit code {code}");
        }
    }
}

#[test]
fn the_documents_name_every_tool() {
    for file in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "man/redfix.7"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        for name in TOOLS {
            assert!(text.contains(name), "{file}: {name}");
        }
    }
}

#[test]
fn make_help_lists_every_target() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let output = Command::new("make").args(["-s", "help"]).current_dir(root()).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let targets = makefile.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name);
    for target in
        targets.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
    {
        assert!(help.contains(&format!("make {target} ")), "{target} in make help");
    }
}
