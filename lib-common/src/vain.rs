//! Options that would be accepted and ignored: a command line that has one is refused.
//!
//! Clap's own rules also hold for what the environment sets, and that is meant for every call of an operator.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, error::ErrorKind};

/// Options that mean nothing beside a choice, or without it; all by their ids, on one level of the command line.
#[derive(Clone, Copy, Debug)]
pub enum Vain {
    Beside(&'static str, &'static [&'static str]),
    Without(&'static str, &'static [&'static str]),
}

impl Vain {
    /// The refusal of such an option, by this rule.
    fn refusal(self, command: &mut Command, matches: &ArgMatches) -> Option<clap::Error> {
        let (Self::Beside(choice, options) | Self::Without(choice, options)) = self;
        let source = |id: &str| matches.try_contains_id(id).ok().and_then(|_| matches.value_source(id));
        if command.get_arguments().all(|arg| arg.get_id() != choice) {
            return None;
        }
        let chosen = source(choice).is_some_and(|source| source != ValueSource::DefaultValue);
        if chosen == matches!(self, Self::Without(..)) {
            return None;
        }
        let vain = options.iter().find(|option| source(option) == Some(ValueSource::CommandLine))?;
        let name = |id: &str| {
            let arg = command.get_arguments().find(|arg| arg.get_id() == id);
            arg.map_or_else(|| id.to_owned(), ToString::to_string)
        };
        let (vain, choice) = (name(vain), name(choice));
        Some(if chosen {
            let said = format!("the argument '{vain}' cannot be used with '{choice}'");
            command.error(ErrorKind::ArgumentConflict, said)
        } else {
            let said = format!("the argument '{vain}' means nothing without '{choice}'");
            command.error(ErrorKind::MissingRequiredArgument, said)
        })
    }
}

/// The first refusal by any of the rules, on any level of the command line.
pub(crate) fn refusal(rules: &[Vain], command: &mut Command, matches: &ArgMatches) -> Option<clap::Error> {
    let found = rules.iter().find_map(|rule| rule.refusal(command, matches));
    found.or_else(|| {
        let (name, matches) = matches.subcommand()?;
        refusal(rules, command.find_subcommand_mut(name)?, matches)
    })
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    const RULES: [Vain; 2] = [Vain::Beside("list", &["size"]), Vain::Without("list", &["sort"])];

    /// What is said of these words; `size` also has a value by the environment of every process.
    fn said(words: &[&str]) -> String {
        let options = || {
            [
                Arg::new("list").long("list").action(ArgAction::SetTrue),
                Arg::new("size").long("size").env("PATH"),
                Arg::new("sort").long("sort").action(ArgAction::SetTrue),
            ]
        };
        let command = Command::new("tool").args(options()).subcommand(Command::new("sub").args(options()));
        let mut command = command.args_conflicts_with_subcommands(true);
        let matches = command.try_get_matches_from_mut([&["tool"], words].concat()).unwrap();
        let refused = refusal(&RULES, &mut command, &matches);
        assert!(refused.iter().all(|error| error.exit_code() == 2));
        refused.map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn only_what_was_typed_is_refused() {
        for fine in [&[][..], &["--list"], &["--list", "--sort"], &["--size", "1"], &["sub", "--list"]] {
            assert_eq!(said(fine), "", "{fine:?}");
        }
        for level in [&[][..], &["sub"]] {
            let beside = said(&[level, &["--size", "1", "--list"]].concat());
            assert!(beside.contains("'--size <size>' cannot be used with '--list'"), "{beside}");
            let without = said(&[level, &["--sort"]].concat());
            assert!(without.contains("'--sort' means nothing without '--list'"), "{without}");
        }
    }
}
