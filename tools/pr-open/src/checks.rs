//! Combines a commit's statuses into one verdict. Pure. The forge's own combined state is not used: it covers only one
//! page, its rules differ between versions, and it counts a green from before the run that was asked for.

use std::collections::BTreeMap;

use lib_common::record::pr::{CheckState, Context};

use crate::forge::Status;

/// The combined verdict of CI so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Green, red, pending, or none.
    pub state: CheckState,
    /// The newest status of each context, by name.
    pub contexts: Vec<Context>,
}

/// Judges the newest status of each context, of those with an id above `after`. Red as soon as one is red. Green when
/// each of `required` has succeeded, even if others are not done yet; if none is required, when all are done and at
/// least one has succeeded.
#[must_use]
pub fn judge(statuses: &[Status], after: u64, required: &[String]) -> Judgement {
    let mut newest: BTreeMap<&str, &Status> = BTreeMap::new();
    for status in statuses.iter().filter(|status| status.id > after) {
        let slot = newest.entry(&status.context).or_insert(status);
        if status.id > slot.id {
            *slot = status;
        }
    }
    let is = |state: &str| newest.values().any(|status| status.state == state);
    let all = |good: &[&str]| newest.values().all(|status| good.contains(&status.state.as_str()));
    let there = |name: &String| newest.get(name.as_str()).is_some_and(|status| status.state == "success");
    let whole = if required.is_empty() {
        all(&["success", "skipped"]) && is("success")
    } else {
        required.iter().all(there)
    };
    let state = if newest.is_empty() {
        CheckState::None
    } else if is("failure") || is("error") || is("warning") {
        CheckState::Red
    } else if whole {
        CheckState::Green
    } else {
        CheckState::Pending
    };
    let contexts = newest.into_values().map(|status| Context {
        context: status.context.clone(),
        status: status.state.clone(),
        description: status.description.clone(),
        url: status.url.clone(),
    });
    Judgement { state, contexts: contexts.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(statuses: &[(u64, &str, &str)], after: u64, required: &[&str]) -> CheckState {
        let statuses: Vec<Status> = statuses
            .iter()
            .map(|(id, context, state)| Status {
                id: *id,
                context: (*context).into(),
                state: (*state).into(),
                ..Status::default()
            })
            .collect();
        let required: Vec<String> = required.iter().map(ToString::to_string).collect();
        judge(&statuses, after, &required).state
    }

    #[test]
    fn nothing_new_is_none_however_green_the_old() {
        assert_eq!(state(&[], 0, &[]), CheckState::None);
        assert_eq!(state(&[(3, "ci", "success")], 3, &[]), CheckState::None);
        assert_eq!(state(&[(3, "ci", "success"), (4, "ci", "pending")], 3, &[]), CheckState::Pending);
    }

    #[test]
    fn the_newest_of_a_context_counts_in_any_order() {
        assert_eq!(state(&[(2, "ci", "success"), (1, "ci", "failure")], 0, &[]), CheckState::Green);
        assert_eq!(state(&[(1, "ci", "success"), (2, "ci", "failure")], 0, &[]), CheckState::Red);
    }

    #[test]
    fn one_red_is_red() {
        for bad in ["failure", "error", "warning"] {
            assert_eq!(state(&[(1, "a", "success"), (2, "b", bad)], 0, &[]), CheckState::Red);
        }
    }

    #[test]
    fn green_is_whole() {
        assert_eq!(state(&[(1, "a", "success"), (2, "b", "skipped")], 0, &["a"]), CheckState::Green);
        assert_eq!(state(&[(1, "b", "skipped")], 0, &[]), CheckState::Pending);
        assert_eq!(state(&[(1, "a", "success")], 0, &["b"]), CheckState::Pending);
        assert_eq!(state(&[(1, "a", "success"), (2, "b", "skipped")], 0, &["b"]), CheckState::Pending);
        assert_eq!(state(&[(1, "a", "success"), (2, "b", "")], 0, &[]), CheckState::Pending);
        assert_eq!(state(&[(1, "a", "success"), (2, "b", "pending")], 0, &["a"]), CheckState::Green);
        assert_eq!(state(&[(1, "a", "success"), (2, "b", "failure")], 0, &["a"]), CheckState::Red);
        assert_eq!(state(&[(1, "a", "new-word")], 0, &[]), CheckState::Pending);
    }
}
