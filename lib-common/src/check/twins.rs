//! What the environment sets, read by the parsers of the options themselves.

use std::collections::BTreeMap;
use std::error::Error as _;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::{Arg, Command};

use super::finding::Finding;

/// Every setting of the command and its subcommands that is set, in the order of their names.
pub fn read(tool: &'static str, command: &Command) -> Vec<Finding> {
    let mut all = BTreeMap::new();
    collect(command, &mut all);
    all.into_iter().filter_map(|(name, arg)| judge(tool, &name, arg)).collect()
}

fn collect<'c>(command: &'c Command, all: &mut BTreeMap<String, &'c Arg>) {
    for arg in command.get_arguments() {
        if let Some(name) = arg.get_env() {
            all.entry(name.to_string_lossy().into_owned()).or_insert(arg);
        }
    }
    for command in command.get_subcommands() {
        collect(command, all);
    }
}

/// Parses the value of one option alone, as if no other were there.
fn judge(tool: &'static str, name: &str, arg: &Arg) -> Option<Finding> {
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    let alone = arg
        .clone()
        .required(false)
        .required_unless_present(Resettable::Reset)
        .requires(Resettable::Reset)
        .conflicts_with(Resettable::Reset);
    let option = arg.get_long().map(|long| format!("--{long} in {tool}(1)")).unwrap_or_default();
    Some(match Command::new(tool).arg(alone).try_get_matches_from([tool]) {
        Ok(_) => Finding::ok(name, value),
        Err(refusal) => Finding::wrong(name, why(&value, &refusal, arg), option),
    })
}

/// What is wrong with it, and the value where that is not said.
fn why(value: &str, refusal: &clap::Error, arg: &Arg) -> String {
    let words: Vec<String> =
        arg.get_possible_values().iter().map(|word| word.get_name().to_owned()).collect();
    let cause = match (refusal.source(), refusal.kind()) {
        (Some(cause), _) => cause.to_string(),
        (None, ErrorKind::InvalidValue) if !words.is_empty() => format!("not one of {}", words.join(", ")),
        (None, kind) => kind.to_string(),
    };
    // A value that is an address with a password is repeated by nobody: its parser does not, and so it is left out here, too.
    if cause.contains(value) || value.contains('@') { cause } else { format!("{value}: {cause}") }
}

#[cfg(test)]
mod tests {
    use clap::builder::PossibleValuesParser;

    use super::*;
    use crate::cli::duration;

    fn option(name: &'static str) -> Arg {
        Arg::new("x").long("x").env(name)
    }

    #[test]
    fn each_is_read_by_the_parser_of_its_option() {
        // Variables that every process of a test run by cargo has.
        let (set, text) = ("CARGO_PKG_NAME", "lib-common");
        let command = Command::new("t")
            .arg(option(set).value_parser(duration))
            .subcommand(Command::new("s").arg(option("REDFIX_NOBODY_SETS_THIS").required(true)));
        let found = read("t", &command);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].is_bad() && found[0].value.contains(text), "{found:?}");
        assert_eq!(found[0].hint.as_deref(), Some("--x in t(1)"));

        let words = Command::new("t").arg(option(set).value_parser(PossibleValuesParser::new(["a", "b"])));
        assert_eq!(read("t", &words)[0].value, "lib-common: not one of a, b");
        let list = Command::new("t").arg(option(set).value_delimiter('-').action(clap::ArgAction::Append));
        assert_eq!(read("t", &list)[0], Finding::ok(set, text));
    }
}
