//! The comment that explains a fix: one of our own, found by its mark and brought up to date. A comment of somebody else
//! is never edited, whatever stands in it.

use lib_common::record::pr::PrAction;
use lib_common::{Error, Result};
use serde_json::json;

use super::Gitea;
use super::client::{Outcome, Sending};
use super::comments::max;
use crate::forge::http::Reply;
use crate::forge::route::Call;
use crate::forge::{Note, Noted, wire};

/// What leaving a note takes; without a request it is there already.
pub struct Explaining<'a> {
    pub sending: Option<Sending<'a>>,
    there: Option<wire::Comment>,
    newest: u64,
}

impl Gitea {
    pub fn plan_explaining<'a>(&self, pull: u64, note: &Note) -> Result<Explaining<'a>> {
        let comments = self.comments(pull)?;
        let newest = max(comments.iter().map(|comment| comment.id));
        let there = self.own(note, comments)?.into_iter().next();
        let call = match &there {
            Some(comment) if is_same(comment, note) => None,
            Some(comment) => Some(Call::EditComment(comment.id)),
            None => Some(Call::Comment(pull)),
        };
        let sending = call.map(|call| Sending { call, body: json!({ "body": note.body }) });
        Ok(Explaining { sending, there, newest })
    }

    pub fn carry_out_explaining(&self, pull: u64, note: &Note, plan: Explaining) -> Result<Noted> {
        let Explaining { sending, there, newest } = plan;
        let action = match (&sending, &there) {
            (None, _) => PrAction::Unchanged,
            (Some(_), Some(_)) => PrAction::Updated,
            (Some(_), None) => PrAction::Created,
        };
        let mut mine = there;
        if let Some(sending) = &sending {
            mine = Some(match mine {
                None => self.comment(pull, sending, newest)?,
                Some(there) => self.edit_comment(sending).map(|()| there)?,
            });
        }
        // Two who leave it at once both find none: the one with the lowest number stays, and is kept up to date.
        let all = self.own_or_of(note, self.comments(pull)?, mine.as_ref());
        let link = |comment: &wire::Comment| self.link(&comment.html_url);
        let first = all.first().or(mine.as_ref()).map(link).unwrap_or_default();
        Ok(Noted { url: first, action, twins: all.iter().skip(1).map(link).collect() })
    }

    fn edit_comment(&self, sending: &Sending) -> Result<()> {
        let accept = |reply: &Reply| match reply.status {
            200 | 201 | 204 => Outcome::Done(Ok(())),
            _ => Outcome::Refused,
        };
        self.write(sending, accept, || Ok(None))
    }

    /// Our own comments with this mark, the oldest first. One of somebody else that has the mark is none; where nothing
    /// tells whose the token is, only one that is as it should be can stay, and any other is refused.
    fn own(&self, note: &Note, comments: Vec<wire::Comment>) -> Result<Vec<wire::Comment>> {
        let marked = marked(note, comments);
        if marked.is_empty() {
            return Ok(marked);
        }
        if let Some(login) = self.own_login() {
            return Ok(marked.into_iter().filter(|comment| comment.user.login == login).collect());
        }
        if marked.iter().all(|comment| is_same(comment, note)) {
            return Ok(marked);
        }
        Err(Error::cannot("updating the comment", "nothing tells whether it is ours")
            .on(&marked[0].html_url)
            .hint("the token needs the scope read:user where the forge does not say whose it is"))
    }

    /// The same once we know a comment that is ours.
    fn own_or_of(&self, note: &Note, comments: Vec<wire::Comment>, mine: Option<&wire::Comment>) -> Vec<wire::Comment> {
        let login = mine.map(|comment| comment.user.login.clone()).filter(|login| !login.is_empty());
        let ours = |comment: &wire::Comment| login.as_ref().is_none_or(|login| comment.user.login == *login);
        marked(note, comments).into_iter().filter(ours).collect()
    }
}

/// Comments with the mark as their last line, the oldest first. Somebody who quotes ours has it in the middle.
fn marked(note: &Note, comments: Vec<wire::Comment>) -> Vec<wire::Comment> {
    let marked = |comment: &wire::Comment| comment.body.trim_end().lines().next_back() == Some(&*note.mark);
    let mut marked: Vec<wire::Comment> = comments.into_iter().filter(marked).collect();
    marked.sort_by_key(|comment| comment.id);
    marked
}

fn is_same(comment: &wire::Comment, note: &Note) -> bool {
    let plain = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    plain(&comment.body) == plain(&note.body)
}
