//! Labels and reviewers of a new pull request. None of them is worth failing for: what cannot be had becomes a sentence.
//! A forge drops labels that it does not like without a word, so the answer is compared with what was asked for.

use lib_common::Error;
use serde_json::json;

use super::Gitea;
use super::client::{Outcome, Sending};
use crate::forge::route::Call;
use crate::forge::wire;

/// A sentence for each label that the forge has and did not give.
pub fn dropped(asked: &[(i64, String)], there: &[wire::Label]) -> Vec<String> {
    let dropped = asked.iter().filter(|(id, _)| !there.iter().any(|label| label.id == *id));
    dropped
        .map(|(_, name)| format!("the forge dropped the label '{name}': has the bot write access?"))
        .collect()
}

impl Gitea {
    /// The ids of the labels of these names, and a sentence for each that nobody has: the repository's first, then its
    /// owner's, if that is an organization and the token may look.
    pub fn labels(&self, names: &[String]) -> (Vec<(i64, String)>, Vec<String>) {
        let (mut known, mut unknown) = (vec![], names.to_vec());
        if names.is_empty() {
            return (known, vec![]);
        }
        let mut take = |there: Vec<wire::Label>, unknown: &mut Vec<String>| {
            for label in there {
                if let Some(at) = unknown.iter().position(|name| *name == label.name) {
                    known.push((label.id, unknown.remove(at)));
                }
            }
        };
        let mut why = String::new();
        match self.pages(|page| Call::Labels { page }) {
            Ok(there) => take(there, &mut unknown),
            Err(error) => why = reason(&error),
        }
        if !unknown.is_empty() {
            match self.pages(|page| Call::OwnersLabels { page }) {
                Ok(there) => take(there, &mut unknown),
                // The owner is a person, or the token may not look.
                Err(error) if !error.cause().starts_with("HTTP 404") && why.is_empty() => {
                    why = reason(&error);
                }
                Err(_) => {}
            }
        }
        let lacking = unknown.iter().map(|name| match &*why {
            "" => format!("there is no label '{name}'"),
            why => format!("there is no label '{name}' that the token can see: {why}"),
        });
        let lacking = lacking.collect();
        (known, lacking)
    }

    /// In a request of its own for each: not every version takes reviewers when a pull request is opened, and one that
    /// is refused would keep all others from being asked.
    pub fn review<'a>(number: u64, user: &str) -> Sending<'a> {
        Sending { call: Call::RequestReviewers(number), body: json!({ "reviewers": [user] }) }
    }

    /// Asks for reviews; returns a sentence if the forge refuses.
    pub fn request_reviews(&self, number: u64, users: &[String]) -> Vec<String> {
        let refusal = |user: &String| {
            let sending = Self::review(number, user);
            // Asking somebody twice is harmless, so nothing is looked for.
            let accept = |reply: &crate::forge::http::Reply| match reply.status {
                201 => Outcome::Done(Ok(())),
                _ => Outcome::Refused,
            };
            let asked = self.write(&sending, accept, || Ok(None));
            asked.err().map(|error| format!("no review was asked of {user}: {}", reason(&error)))
        };
        users.iter().filter_map(refusal).collect()
    }
}

/// Why, and what to do, in one line.
fn reason(error: &Error) -> String {
    match error.hint_text() {
        Some(hint) => format!("{} ({hint})", error.cause()),
        None => error.cause().to_owned(),
    }
}
