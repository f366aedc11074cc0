//! Combines a commit's statuses into one verdict. Pure. The forge's own combined state is not used: it covers only one
//! page, its rules differ between versions, and it counts a green from before the run that was asked for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lib_common::record::pr::{CheckState, Context};

use crate::forge::{Marker, Request, Status};

/// The combined verdict of CI so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Green, red, pending, or none.
    pub state: CheckState,
    /// The newest status of each context, by name.
    pub contexts: Vec<Context>,
}

/// Judges statuses with an id above `after`, the newest of each run per context. Red as soon as one is. Green when each
/// of `required` succeeded, whatever else is not done yet; where none is required, when all are done and one at least
/// succeeded. Where all that count are done and were skipped, nothing was tested, and that is red, too.
#[must_use]
pub fn judge(statuses: &[Status], after: u64, required: &[String]) -> Judgement {
    let newest = newest(statuses, after);
    let is = |state: &str| newest.iter().any(|status| status.state == state);
    let all = |good: &[&str]| newest.iter().all(|status| good.contains(&status.state.as_str()));
    let of = |name: &String| newest.iter().filter(|status| status.context == *name).collect::<Vec<_>>();
    let there = |name: &String, good: &[&str]| {
        let of = of(name);
        !of.is_empty() && of.iter().all(|status| good.contains(&status.state.as_str()))
    };
    let done = ["success", "skipped"];
    let whole = if required.is_empty() {
        all(&done) && is("success")
    } else {
        required.iter().all(|name| there(name, &done[..1]))
    };
    let skipped =
        if required.is_empty() { all(&done) } else { required.iter().all(|name| there(name, &done)) };
    let state = if newest.is_empty() {
        CheckState::None
    } else if is("failure") || is("error") || is("warning") {
        CheckState::Red
    } else if whole {
        CheckState::Green
    } else if skipped {
        CheckState::Red
    } else {
        CheckState::Pending
    };
    let contexts = newest.into_iter().map(|status| Context {
        context: status.context.clone(),
        status: status.state.clone(),
        description: status.description.clone(),
        url: status.url.clone(),
    });
    Judgement { state, contexts: contexts.collect() }
}

/// The newest status of each run of each context. Two runs of one name (workflows may share it, and the list does not
/// tell them apart) are known by their links; one that began after another had its last word takes that one's place.
fn newest(statuses: &[Status], after: u64) -> Vec<&Status> {
    struct Run<'a> {
        first: u64,
        last: &'a Status,
    }
    let mut runs: BTreeMap<(&str, Option<&str>), Run> = BTreeMap::new();
    for status in statuses.iter().filter(|status| status.id > after) {
        let run = runs
            .entry((&status.context, status.url.as_deref()))
            .or_insert(Run { first: status.id, last: status });
        run.first = run.first.min(status.id);
        if status.id > run.last.id {
            run.last = status;
        }
    }
    let replaced = |run: &Run| {
        runs.values().any(|other| other.last.context == run.last.context && other.first > run.last.id)
    };
    runs.values().filter(|run| !replaced(run)).map(|run| run.last).collect()
}

/// A forge's time; where it cannot be read, the text orders as well as it can.
#[must_use]
pub fn at(text: &str) -> String {
    text.parse::<Timestamp>().map_or_else(|_| text.to_owned(), |time| format!("{:020}", time.as_second()))
}

/// The largest id of the statuses that were there before `time`, which is whole seconds. `strict`: what came in that very
/// second was, too, unless it says that something is still to come.
#[must_use]
pub fn before(statuses: &[Status], time: &str, strict: bool) -> u64 {
    let old = |status: &&Status| {
        let created = at(&status.created);
        *created < *time || (strict && *created == *time && status.state != "pending")
    };
    statuses.iter().filter(old).map(|status| status.id).max().unwrap_or(0)
}

/// Statuses with a larger id answer the newest request, whoever made it. `asked`: the request that we know of.
#[must_use]
pub fn answers_after(statuses: &[Status], asked: Option<&Marker>, request: Option<&Request>) -> u64 {
    let known = asked.map_or(0, |asked| asked.after);
    let Some(request) = request else { return known };
    // Ours is the next one after the comments that were there before it: what it answers is known by number.
    let newer = request.after.unwrap_or_else(|| before(statuses, &at(&request.at), !request.ours));
    known.max(newer)
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
        assert_eq!(state(&[(1, "b", "skipped")], 0, &[]), CheckState::Red);
        assert_eq!(state(&[(1, "a", "success")], 0, &["b"]), CheckState::Pending);
        assert_eq!(state(&[(1, "a", "success"), (2, "b", "skipped")], 0, &["b"]), CheckState::Red);
        assert_eq!(state(&[(1, "a", "success"), (2, "b", "")], 0, &[]), CheckState::Pending);
        assert_eq!(state(&[(1, "a", "success"), (2, "b", "pending")], 0, &["a"]), CheckState::Green);
        assert_eq!(state(&[(1, "a", "success"), (2, "b", "failure")], 0, &["a"]), CheckState::Red);
        assert_eq!(state(&[(1, "a", "new-word")], 0, &[]), CheckState::Pending);
    }

    fn run(id: u64, state: &str, url: &str) -> Status {
        Status {
            id,
            context: "test / unit".into(),
            state: state.into(),
            url: Some(url.into()),
            ..Status::default()
        }
    }

    #[test]
    fn two_runs_of_one_name_do_not_hide_each_other() {
        let both = [run(1, "pending", "runs/1"), run(2, "pending", "runs/2"), run(3, "failure", "runs/1")];
        let green = [&both[..], &[run(4, "success", "runs/2")]].concat();
        assert_eq!(judge(&green, 0, &[]).state, CheckState::Red);
        assert_eq!(judge(&green, 0, &["test / unit".into()]).state, CheckState::Red);
        // One that was begun again takes the place of the first.
        let again = [run(1, "pending", "runs/1"), run(2, "failure", "runs/1"), run(3, "success", "runs/3")];
        assert_eq!(judge(&again, 0, &[]).state, CheckState::Green);
    }

    #[test]
    fn who_asks_again_gets_a_new_answer() {
        let status = |id, state: &str, second: u64| Status {
            id,
            state: state.into(),
            created: format!("2026-01-01T00:00:{second:02}Z"),
            ..Status::default()
        };
        let all = [
            status(1, "success", 1),
            status(2, "success", 5),
            status(3, "pending", 5),
            status(4, "success", 7),
        ];
        let asked = |second: u64, ours| Request {
            id: 9,
            at: format!("2026-01-01T02:00:{second:02}+02:00"),
            ours,
            after: None,
        };
        let marker = Marker { head: "h".into(), after: 1, comments: 0 };
        assert_eq!(answers_after(&all, Some(&marker), None), 1);
        assert_eq!(answers_after(&all, Some(&marker), Some(&asked(0, false))), 1);
        assert_eq!(
            answers_after(&all, Some(&marker), Some(&asked(5, false))),
            2,
            "in doubt it is an old one"
        );
        assert_eq!(answers_after(&all, Some(&marker), Some(&asked(5, true))), 1, "the numbers tell");
        assert_eq!(answers_after(&all, None, Some(&asked(6, false))), 3);
        let counted = Request { after: Some(4), ..asked(0, false) };
        assert_eq!(answers_after(&all, None, Some(&counted)), 4);
    }
}
