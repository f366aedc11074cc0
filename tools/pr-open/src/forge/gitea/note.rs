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
    /// Ours that are there, the oldest first.
    there: Vec<wire::Comment>,
    newest: u64,
}

impl Gitea {
    pub fn plan_explaining<'a>(&self, pull: u64, note: &Note) -> Result<Explaining<'a>> {
        let comments = self.comments(pull)?;
        let newest = max(comments.iter().map(|comment| comment.id));
        let there = self.own(note, comments)?;
        let call = match there.first() {
            Some(comment) if is_same(comment, note) => None,
            Some(comment) => Some(Call::EditComment(comment.id)),
            None => Some(Call::Comment(pull)),
        };
        let sending = call.map(|call| Sending { call, body: json!({ "body": note.body }) });
        Ok(Explaining { sending, there, newest })
    }

    pub fn carry_out_explaining(&self, pull: u64, note: &Note, plan: Explaining) -> Result<Noted> {
        let Explaining { sending, there, newest } = plan;
        let (action, all) = match sending {
            None => (PrAction::Unchanged, there),
            Some(sending) if there.is_empty() => {
                let mine = self.comment(pull, &sending, newest)?;
                // Two who leave it at once both find none: the one with the lowest number stays, and is kept up to date.
                let by = |comment: &wire::Comment| comment.user.login == mine.user.login;
                let mut all = marked(note, self.comments(pull)?);
                all.retain(by);
                (PrAction::Created, if all.is_empty() { vec![mine] } else { all })
            }
            Some(sending) => {
                self.edit_comment(&sending)?;
                (PrAction::Updated, there)
            }
        };
        let mut links = all.iter().map(|comment| self.link(&comment.html_url));
        Ok(Noted { url: links.next().unwrap_or_default(), action, twins: links.collect() })
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
