//! The arguments of `scripts/redfix`, as its `--help` says them.

use clap::{Arg, ArgAction, Command, ValueHint};

/// What is a script of its own and takes its own arguments.
const OTHERS: [&str; 7] =
    ["sweep", "recheck", "investigate", "promote", "case-failed", "review-ci", "engine"];

pub fn redfix() -> Command {
    let folder =
        |name: &'static str| Arg::new(name).long(name).value_name("DIR").value_hint(ValueHint::DirPath);
    let options = [
        folder("sweep"),
        Arg::new("budget").long("budget").value_name("TIME"),
        folder("state-dir"),
        Arg::new("short").long("short").action(ArgAction::SetTrue),
    ];
    let recipes = Arg::new("RECIPE").num_args(0..);
    Command::new("redfix")
        .about("Investigate what a sweep left red, fix it, verify the fixes, report")
        .subcommand(Command::new("plan").args(&options).arg(recipes.clone()))
        .subcommand(Command::new("run").args(&options).arg(recipes))
        .subcommand(Command::new("pending"))
        .subcommand(Command::new("doctor"))
        .subcommands(OTHERS.map(|name| Command::new(name).arg(Arg::new("ARG").num_args(0..))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_in_the_help_of_the_script_and_the_other_way_round() {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/redfix");
        let output = std::process::Command::new(script).arg("--help").output().expect("the script starts");
        let help = String::from_utf8(output.stdout).expect("UTF-8");
        let usage = help.split("options:").next().expect("a usage");
        let command = redfix();
        for word in command.get_subcommands().map(Command::get_name) {
            assert!(usage.contains(&format!("redfix {word}")), "{word} is not in the help");
        }
        for line in usage.lines().filter_map(|line| line.split_once("redfix ")) {
            let word = line.1.split_whitespace().next().unwrap_or_default();
            assert!(command.find_subcommand(word).is_some(), "{word} is not completed");
        }
        let run = command.find_subcommand("run").expect("run");
        for long in help.lines().filter_map(|line| line.trim_start().strip_prefix("--")) {
            let name = long.split([' ', '=']).next().unwrap_or_default();
            assert!(run.get_arguments().any(|arg| arg.get_long() == Some(name)), "--{name} is not completed");
        }
    }
}
