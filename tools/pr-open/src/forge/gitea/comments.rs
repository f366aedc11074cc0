//! Comments: one asks CI for a run, one explains a fix. Each is first planned, which only reads, then sent, so that a
//! dry run can show what would be sent.

use lib_common::Result;
use lib_common::record::pr::PrAction;
use serde_json::json;

use super::Gitea;
use super::client::Request;
use crate::forge::http::Reply;
use crate::forge::marker::Marker;
use crate::forge::route::Call;
use crate::forge::{Note, Noted, Pull, Status, Whose, wire};

/// The requests that ask CI for a run.
pub struct Asking<'a> {
    pub marker: Marker,
    /// Writes the marker into the pull request's body. It is sent before the comment: if the process dies in between,
    /// the next one sees a marker without a comment after it and asks, and no run is asked for twice.
    pub note: Option<Request<'a>>,
    /// The comment itself; `None` if CI was asked already.
    pub comment: Option<Request<'a>>,
}

/// The request that writes a note; `None` if the note exists and is up to date.
pub struct Explaining<'a> {
    pub request: Option<Request<'a>>,
    there: Option<wire::Comment>,
    newest: u64,
}

impl Gitea {
    fn comments(&self, number: u64) -> Result<Vec<wire::Comment>> {
        self.get(&Call::Comments(number))
    }

    /// The largest id of the statuses that a commit has now.
    pub fn newest_status(&self, commit: &str) -> Result<u64> {
        Ok(max(self.all_statuses(commit)?.iter().map(|status| status.id)))
    }

    pub fn all_statuses(&self, commit: &str) -> Result<Vec<Status>> {
        let all: Vec<wire::CommitStatus> = self.pages(|page| Call::Statuses { commit, page })?;
        Ok(all.into_iter().map(Status::from).collect())
    }

    pub fn plan_asking<'a>(&self, pull: &Pull, text: &str, whose: Whose) -> Result<Asking<'a>> {
        let number = pull.number;
        let comment = || Request { call: Call::Comment(number), body: json!({ "body": text }) };
        let noted = pull.asked.clone().filter(|marker| marker.head == pull.head);
        if let Some(marker) = noted.clone().filter(|_| whose == Whose::JustOpened) {
            return Ok(Asking { marker, note: None, comment: Some(comment()) });
        }
        let said = |comment: &&wire::Comment| comment.body.trim() == text;
        let comments = self.comments(number)?;
        let newest = max(comments.iter().map(|comment| comment.id));
        // There is no marker in other people's text, since we do not write into it: compare times instead.
        if whose == Whose::Others {
            return self.plan_asking_by_time(pull, &comments, comment, text);
        }
        if let Some(marker) = noted {
            let asked = comments.iter().filter(said).any(|comment| comment.id > marker.comments);
            return Ok(Asking { marker, note: None, comment: (!asked).then(comment) });
        }
        // The marker goes into the body before the comment is written. After a crash between the two, the next call finds the
        // marker without a comment and writes the comment.
        let after = self.newest_status(&pull.head)?;
        let marker = Marker { head: pull.head.clone(), after, comments: newest };
        let body = json!({ "title": pull.title, "body": marker.on(&pull.body) });
        let note = Request { call: Call::EditPull(number), body };
        Ok(Asking { marker, note: Some(note), comment: Some(comment()) })
    }

    /// For a pull request of somebody else, into whose body we write nothing: whether a status is older than the comment
    /// that asked for a run is told by the forge's times.
    fn plan_asking_by_time<'a>(
        &self,
        pull: &Pull,
        comments: &[wire::Comment],
        comment: impl Fn() -> Request<'a>,
        text: &str,
    ) -> Result<Asking<'a>> {
        let statuses = self.all_statuses(&pull.head)?;
        let asked = comments.iter().rfind(|comment| comment.body.trim() == text);
        let before = |status: &&Status| asked.is_none_or(|comment| status.created < comment.created_at);
        let after = max(statuses.iter().filter(before).map(|status| status.id));
        let newest = max(comments.iter().map(|comment| comment.id));
        let marker = Marker { head: pull.head.clone(), after, comments: newest };
        Ok(Asking { marker, note: None, comment: asked.is_none().then(comment) })
    }

    /// Sends a comment. After a lost answer, a comment with the same text and an id above `newest` is taken for it.
    pub fn comment(&self, number: u64, request: &Request, newest: u64) -> Result<wire::Comment> {
        let accept = |reply: &Reply| (reply.status == 201).then(|| self.parse(&request.call, reply));
        let came_through = || {
            let same = |comment: &wire::Comment| comment.id > newest && request.body["body"] == *comment.body;
            Ok(self.comments(number)?.into_iter().find(same))
        };
        self.write(request, accept, came_through)
    }

    pub fn plan_explaining<'a>(&self, pull: u64, note: &Note) -> Result<Explaining<'a>> {
        let comments = self.comments(pull)?;
        let newest = max(comments.iter().map(|comment| comment.id));
        // The mark must be the last line: somebody who quotes our comment has it further up.
        let marked = |comment: &wire::Comment| comment.body.lines().next_back() == Some(&*note.mark);
        let there = comments.into_iter().find(marked);
        let plain = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned();
        let call = match &there {
            Some(comment) if plain(&comment.body) == plain(&note.body) => None,
            Some(comment) => Some(Call::EditComment(comment.id)),
            None => Some(Call::Comment(pull)),
        };
        let request = call.map(|call| Request { call, body: json!({ "body": note.body }) });
        Ok(Explaining { request, there, newest })
    }

    pub fn carry_out_explaining(&self, pull: u64, plan: Explaining) -> Result<Noted> {
        let Explaining { request, there, newest } = plan;
        let noted = |comment: &wire::Comment, action| Noted { url: comment.html_url.clone(), action };
        match (request, there) {
            (Some(request), None) => Ok(noted(&self.comment(pull, &request, newest)?, PrAction::Created)),
            (Some(request), Some(there)) => {
                let accept = |reply: &Reply| [200, 201, 204].contains(&reply.status).then_some(Ok(()));
                // After a lost answer just send it again: setting the same text twice is harmless.
                self.write(&request, accept, || Ok(None))?;
                Ok(noted(&there, PrAction::Updated))
            }
            (None, there) => Ok(noted(&there.unwrap_or_default(), PrAction::Unchanged)),
        }
    }
}

fn max(ids: impl Iterator<Item = u64>) -> u64 {
    ids.max().unwrap_or(0)
}
