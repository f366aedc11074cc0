//! Makes the command that repeats a case's deciding run. Pure.

use lib_common::record::verdict::FlakeVerdict;

use crate::escape::plain;
use crate::fold::Fold;
use crate::gate::LOAD_WITH;
use crate::runs::level;
use crate::shell::quote;

/// The command, with a domain of its own and the same version, condition and factor levels.
pub fn deciding(verdict: &FlakeVerdict, fold: &Fold) -> Option<Vec<String>> {
    let run = verdict.attempts.iter().rev().find_map(|id| fold.runs.get(id))?;
    let word = |word: &str| quote(&plain(word));
    let condition = level(&run.factors, "load");
    let mut pieces = vec![
        format!("warm-domain-alloc --recipe {} --class run", word(&run.recipe)),
        "| swarm-isolate".into(),
        format!("--recipe {}", word(&run.recipe)),
        format!("--version-under-test {}", word(&run.version)),
        format!("--condition {}", if condition.is_empty() { "isolated" } else { condition }),
    ];
    if condition == "loaded" {
        pieces.push(LOAD_WITH.into());
    }
    let untold = |factor: &str, level: &str| factor == "load" || (factor, level) == ("fix", "none");
    let others = run.factors.iter().filter(|(factor, level)| !untold(factor, level));
    pieces.extend(others.map(|(factor, level)| format!("--factor {}", word(&format!("{factor}={level}")))));
    pieces.push(format!("-- scripts/lifecycle {}", word(&run.recipe)));
    Some(pieces)
}
