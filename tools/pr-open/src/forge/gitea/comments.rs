//! The comment that asks CI for a run, and what CI has said. It is planned first (only reading), then sent, so that a
//! dry run shows what would be sent.

use std::time::Instant;

use lib_common::Result;
use serde_json::json;

use super::Gitea;
use super::client::{Outcome, Sending};
use crate::checks::{self, at};
use crate::forge::http::Reply;
use crate::forge::marker::Marker;
use crate::forge::route::Call;
use crate::forge::{Asking, Forge as _, Pull, Status, Whose, wire};
use crate::retry;

/// What asking for a run takes.
pub struct AskingPlan<'a> {
    pub marker: Marker,
    /// Notes the marker in the body. First: a run that dies in between asks again, none asks twice.
    pub note: Option<Sending<'a>>,
    pub comment: Option<Sending<'a>>,
}

impl Gitea {
    pub fn comments(&self, number: u64) -> Result<Vec<wire::Comment>> {
        self.get(&Call::Comments(number))
    }

    /// The largest id of the statuses that a commit has now.
    pub fn newest_status(&self, commit: &str) -> Result<u64> {
        Ok(max(self.all_statuses(commit)?.iter().map(|status| status.id)))
    }

    /// A commit that the forge lacks has none.
    pub fn all_statuses(&self, commit: &str) -> Result<Vec<Status>> {
        let all: Option<Vec<wire::CommitStatus>> =
            self.pages_if_there(|page| Call::Statuses { commit, page })?;
        Ok(all.unwrap_or_default().into_iter().map(Status::from).collect())
    }

    /// Asks, unless somebody has. Where another process may be about to ask (it opened or pushed, this one did not), it is
    /// waited for.
    pub fn ask(&self, pull: &Pull, asking: &Asking) -> Result<Marker> {
        let mut plan = self.plan_asking(pull, asking)?;
        if let Some(grace) = asking.grace.filter(|_| plan.comment.is_some() && !asking.again) {
            let (start, grace) = (Instant::now(), retry::jittered(grace));
            while plan.comment.is_some() && start.elapsed() < grace {
                std::thread::sleep((grace / 4).min(grace.saturating_sub(start.elapsed())));
                plan = self.plan_asking(&self.pull(pull.number)?, asking)?;
            }
        }
        if let Some(note) = &plan.note {
            self.patch(pull.number, note)?;
        }
        if let Some(comment) = &plan.comment {
            self.comment(pull.number, comment, plan.marker.comments)?;
        }
        Ok(plan.marker)
    }

    pub fn plan_asking<'a>(&self, pull: &Pull, asking: &Asking) -> Result<AskingPlan<'a>> {
        let number = pull.number;
        let comment = || Sending { call: Call::Comment(number), body: json!({ "body": asking.text }) };
        let noted = pull.asked.clone().filter(|marker| marker.head == pull.head);
        if let Some(marker) = noted.clone().filter(|_| asking.whose == Whose::JustOpened) {
            return Ok(AskingPlan { marker, note: None, comment: Some(comment()) });
        }
        let comments = self.comments(number)?;
        let newest = max(comments.iter().map(|comment| comment.id));
        let requests = || comments.iter().filter(|comment| comment.body.trim() == asking.text);
        if asking.whose == Whose::Others {
            let asked = requests().max_by_key(|comment| comment.id).filter(|_| !asking.again);
            let statuses = self.all_statuses(&pull.head)?;
            let after = asked.map_or_else(
                || max(statuses.iter().map(|status| status.id)),
                |comment| checks::before(&statuses, &at(&comment.created_at), false),
            );
            let marker = Marker { head: pull.head.clone(), after, comments: newest };
            return Ok(AskingPlan { marker, note: None, comment: asked.is_none().then(comment) });
        }
        if let Some(marker) = noted.filter(|_| !asking.again) {
            let asked = requests().any(|comment| comment.id > marker.comments);
            return Ok(AskingPlan { marker, note: None, comment: (!asked).then(comment) });
        }
        // The marker goes into the body before the comment is written. After a crash between the two, the next call finds the
        // marker without a comment and writes the comment.
        let after = self.newest_status(&pull.head)?;
        let marker = Marker { head: pull.head.clone(), after, comments: newest };
        let note = Self::editing(number, &pull.title, &marker.on(&pull.body));
        Ok(AskingPlan { marker, note: Some(note), comment: Some(comment()) })
    }

    /// Sends a comment; one of the same text and newer than `newest` is this one come through.
    pub fn comment(&self, number: u64, sending: &Sending, newest: u64) -> Result<wire::Comment> {
        let accept = |reply: &Reply| match reply.status {
            201 => Outcome::Done(self.parse(&sending.call, reply)),
            _ => Outcome::Refused,
        };
        let came_through = || {
            let same = |comment: &wire::Comment| comment.id > newest && sending.body["body"] == *comment.body;
            Ok(self.comments(number)?.into_iter().find(same))
        };
        self.write(sending, accept, came_through)
    }
}

pub fn max(ids: impl Iterator<Item = u64>) -> u64 {
    ids.max().unwrap_or(0)
}
