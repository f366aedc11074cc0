//! Labels and reviewers of a new pull request. A forge silently drops those that it does not accept, so its answer is
//! compared with what was asked for. What is missing is a warning, not an error.

use lib_common::Result;
use serde_json::json;

use super::Gitea;
use super::client::Request;
use crate::forge::route::Call;
use crate::forge::wire;

/// The labels that the forge has, and the names that it does not know.
#[derive(Default)]
pub struct Labels {
    pub known: Vec<wire::Label>,
    pub unknown: Vec<String>,
}

impl Labels {
    pub fn ids(&self) -> Vec<i64> {
        self.known.iter().map(|label| label.id).collect()
    }

    /// A sentence for each label that the pull request did not get.
    pub fn lacking(&self, there: &[wire::Label]) -> Vec<String> {
        let unknown = self.unknown.iter().map(|name| format!("there is no label '{name}'"));
        let dropped = self.known.iter().filter(|label| !there.iter().any(|other| other.id == label.id));
        let dropped = dropped
            .map(|label| format!("the forge dropped the label '{}': has the bot write access?", label.name));
        unknown.chain(dropped).collect()
    }
}

impl Gitea {
    /// Looks the labels up among the repository's, then among its owner's, if that is an organization.
    pub fn labels(&self, names: &[String]) -> Result<Labels> {
        let mut labels = Labels { unknown: names.to_vec(), ..Labels::default() };
        if names.is_empty() {
            return Ok(labels);
        }
        labels.take_from(self.pages(|page| Call::Labels { page })?);
        if !labels.unknown.is_empty() {
            // 404 means that the owner is a person, or that the token may not read this.
            let owners = self.get_if_there::<Vec<wire::Label>>(&Call::OwnersLabels { page: 1 })?;
            let more = owners.as_ref().is_some_and(|page| page.len() >= crate::forge::route::PAGE);
            labels.take_from(owners.unwrap_or_default());
            if more && !labels.unknown.is_empty() {
                labels.take_from(self.pages(|page| Call::OwnersLabels { page: page + 1 })?);
            }
        }
        Ok(labels)
    }

    /// The request for reviews. It is sent separately because not every version takes reviewers when a pull request is
    /// opened.
    pub fn reviewers<'a>(number: u64, users: &[String]) -> Option<Request<'a>> {
        let body = json!({ "reviewers": users });
        (!users.is_empty()).then_some(Request { call: Call::RequestReviewers(number), body })
    }

    /// Asks for reviews; returns a sentence if the forge refuses.
    pub fn request_reviews(&self, number: u64, users: &[String]) -> Vec<String> {
        let Some(request) = Self::reviewers(number, users) else { return vec![] };
        // After a lost answer just send it again: asking somebody twice is harmless.
        let asked = self.write(&request, |reply| (reply.status == 201).then_some(Ok(())), || Ok(None));
        let refused = asked.err().map(|error| match error.hint_text() {
            Some(hint) => format!("no review was asked of {}: {} ({hint})", users.join(", "), error.cause()),
            None => format!("no review was asked of {}: {}", users.join(", "), error.cause()),
        });
        refused.into_iter().collect()
    }
}

impl Labels {
    fn take_from(&mut self, there: Vec<wire::Label>) {
        for label in there {
            if let Some(at) = self.unknown.iter().position(|name| *name == label.name) {
                self.unknown.remove(at);
                self.known.push(label);
            }
        }
    }
}
