//! Gitea (from 1.22) and Forgejo over HTTP. Only what both do alike is used, so that nothing depends on a version
//! number; filters that one of them ignores are applied here.

mod client;
mod comments;
mod dress;
mod note;
mod token;

use std::cell::OnceCell;

use lib_common::{Error, Result};
use serde_json::json;

use super::address::RepoName;
use super::http::{Http, Reply};
use super::marker::Marker;
use super::route::{Call, PullState};
use super::{
    Asking, Draft, Forge, Found, Note, Noted, Opened, Pull, Request, Site, Status, Step, Writes, wire,
};
use client::{Outcome, Sending};

pub struct Gitea {
    http: Http,
    repo: RepoName,
    has_token: bool,
    /// In place of the address that the forge was asked at, in links.
    web_url: Option<String>,
    /// What the forge says of the token, once it was asked.
    token: OnceCell<Option<wire::Token>>,
}

/// Branches whose name is a path of its own below a pull request's.
const OWN_PATHS: [&str; 7] =
    ["merge", "update", "files", "commits", "reviews", "requested_reviewers", "pinned"];

impl Gitea {
    #[must_use]
    pub fn new(http: Http, repo: RepoName, has_token: bool, web_url: Option<String>) -> Self {
        Self { http, repo, has_token, web_url, token: OnceCell::new() }
    }

    /// As `pr-open` sees it, with the address by which people find it.
    fn seen(&self, pull: wire::PullRequest) -> Pull {
        let pull = pull.into_pull();
        Pull { url: self.link(&pull.url), ..pull }
    }

    /// The forge begins its links with whatever address it was asked at.
    fn link(&self, url: &str) -> String {
        let below = format!("/{}/", self.repo);
        match (&self.web_url, url.find(&below)) {
            (Some(web), Some(at)) => format!("{}{}", web.trim_end_matches('/'), &url[at..]),
            _ => url.to_owned(),
        }
    }

    fn find_open(&self, base: &str, branch: &str) -> Result<Option<Pull>> {
        let same = |pull: &Pull| pull.same_repo && pull.branch == branch && pull.base == base;
        Ok(self.open_pulls()?.into_iter().filter(same).min_by_key(|pull| pull.number))
    }

    /// The request that opens it. Whoever asks for a run next finds the note for it in the body: one request less.
    fn opening(draft: &Draft, ask: bool) -> Sending<'static> {
        let mut text = draft.body.clone();
        if ask {
            text = Marker { head: draft.head.clone(), after: draft.found.after, comments: 0 }.on(&text);
        }
        let mut body = json!({
            "base": draft.base, "head": draft.branch, "title": draft.title, "body": text,
        });
        if !draft.found.labels.is_empty() {
            let ids: Vec<i64> = draft.found.labels.iter().map(|(id, _)| *id).collect();
            body["labels"] = json!(ids);
        }
        Sending { call: Call::OpenPull, body }
    }

    fn editing(number: u64, title: &str, body: &str) -> Sending<'static> {
        Sending { call: Call::EditPull(number), body: json!({ "title": title, "body": body }) }
    }

    fn edited(pull: &Pull, draft: &Draft) -> Sending<'static> {
        let asked = pull.asked.as_ref().filter(|marker| marker.head == draft.head);
        let body = asked.map_or_else(|| draft.body.clone(), |marker| marker.on(&draft.body));
        Self::editing(pull.number, &draft.title, &body)
    }

    /// Sending the same title and body twice is harmless. Where two edit at once the forge refuses one of them: what is
    /// there then may be what was wanted, and else it is sent again.
    fn patch(&self, number: u64, sending: &Sending) -> Result<Pull> {
        let accept = |reply: &Reply| match reply.status {
            200 | 201 => {
                Outcome::Done(self.parse::<wire::PullRequest>(&sending.call, reply).map(|p| self.seen(p)))
            }
            409 => Outcome::Again,
            _ => Outcome::Refused,
        };
        let wanted = |there: &wire::PullRequest| {
            sending.body["title"] == *there.title && sending.body["body"] == *there.body
        };
        self.write(sending, accept, || {
            let there: wire::PullRequest = self.get(&Call::Pull(number))?;
            Ok(wanted(&there).then(|| self.seen(there)))
        })
    }
}

impl Forge for Gitea {
    fn may(&self, writes: Writes) -> Result<()> {
        self.token_may(writes)
    }

    fn site(&self, base: &str) -> Result<Site> {
        let repo: wire::Repository = self.get(&Call::Repo)?;
        if let Some((cause, hint)) = unfit(&repo, self.has_token) {
            return Err(Error::cannot("checking the repository", cause).on(&self.repo).hint(hint));
        }
        let Some(onto) = self.get_if_there::<wire::Branch>(&Call::Branch(base))? else {
            return Err(Error::cannot("checking the repository", "there is no such branch")
                .on(format!("{} {base}", self.repo))
                .hint("set --base"));
        };
        Ok(Site {
            default_branch: repo.default_branch,
            too_strong: onto.user_can_push == Some(true) || onto.user_can_merge,
        })
    }

    /// Who is on the list of a protection may push to it; where the forge does not say who is, a protection refuses.
    fn may_push(&self, branch: &str) -> Result<bool> {
        let there = self.get_if_there::<wire::Branch>(&Call::Branch(branch))?;
        Ok(there.is_none_or(|branch| branch.user_can_push.unwrap_or(!branch.protected)))
    }

    fn open_pulls(&self) -> Result<Vec<Pull>> {
        let all: Vec<wire::PullRequest> = self.pages(|page| Call::Pulls { state: PullState::Open, page })?;
        Ok(all.into_iter().map(|pull| self.seen(pull)).filter(|pull| pull.open).collect())
    }

    /// Asked by base and branch, a forge gives any that there was, in no order: that there is none at all is the only
    /// thing to learn from it. The list begins with the newest.
    fn past_pull(&self, base: &str, branch: &str) -> Result<Option<Pull>> {
        let first = branch.split('/').next().unwrap_or_default();
        if !OWN_PATHS.contains(&first) {
            let any: Option<wire::PullRequest> = self.get_if_there(&Call::PullOf { base, branch })?;
            if any.is_none() {
                return Ok(None);
            }
        }
        let same = |pull: &Pull| pull.same_repo && pull.branch == branch && pull.base == base && !pull.open;
        self.find_in_pages(
            |page| Call::Pulls { state: PullState::Closed, page },
            |all: Vec<wire::PullRequest>| {
                all.into_iter().map(|pull| self.seen(pull)).filter(same).max_by_key(|pull| pull.number)
            },
        )
    }

    fn look_up(&self, draft: &Draft, asks: bool) -> Result<Found> {
        let (labels, lacking) = self.labels(&draft.labels);
        let after = if asks { self.newest_status(&draft.head)? } else { 0 };
        Ok(Found { labels, lacking, after })
    }

    fn open(&self, draft: &Draft, ask: bool) -> Result<Opened> {
        let sending = Self::opening(draft, ask);
        let there = |created| {
            let found = self.find_open(&draft.base, &draft.branch)?;
            Ok(found.map(|pull| Opened { pull, created, lacking: vec![] }))
        };
        let accept = |reply: &Reply| match reply.status {
            201 => Outcome::Done(self.parse::<wire::PullRequest>(&sending.call, reply).map(|pull| {
                let mut lacking = draft.found.lacking.clone();
                lacking.extend(dress::dropped(&draft.found.labels, &pull.labels));
                lacking.extend(pull.draft.then(|| UNFINISHED.to_owned()));
                Opened { pull: self.seen(pull), created: true, lacking }
            })),
            // Somebody was faster: what they opened is ours, too.
            409 => there(false).transpose().map_or(Outcome::Refused, Outcome::Done),
            _ => Outcome::Refused,
        };
        let mut opened = self.write(&sending, accept, || there(true))?;
        if opened.created {
            opened.lacking.extend(self.request_reviews(opened.pull.number, &draft.reviewers));
        }
        Ok(opened)
    }

    fn opens_in_one_step(&self) -> bool {
        false
    }

    fn edit(&self, pull: &Pull, draft: &Draft) -> Result<Pull> {
        self.patch(pull.number, &Self::edited(pull, draft))
    }

    fn pull(&self, number: u64) -> Result<Pull> {
        self.get(&Call::Pull(number)).map(|pull| self.seen(pull))
    }

    fn trigger(&self, pull: &Pull, asking: &Asking) -> Result<Marker> {
        self.ask(pull, asking)
    }

    fn newest_request(&self, number: u64, text: &str, asked: Option<&Marker>) -> Result<Option<Request>> {
        let comments = self.comments(number)?;
        let requests = || comments.iter().filter(|comment| comment.body.trim() == text);
        let Some(newest) = requests().max_by_key(|comment| comment.id) else { return Ok(None) };
        let noted = asked.and_then(|asked| {
            requests().filter(|comment| comment.id > asked.comments).min_by_key(|comment| comment.id)
        });
        if noted.is_some_and(|noted| noted.id == newest.id) {
            return Ok(None);
        }
        let ours = self.own_login().is_some_and(|login| login == newest.user.login);
        Ok(Some(Request { id: newest.id, at: newest.created_at.clone(), ours, after: None }))
    }

    fn explain(&self, pull: u64, note: &Note) -> Result<Noted> {
        let plan = self.plan_explaining(pull, note)?;
        self.carry_out_explaining(pull, note, plan)
    }

    fn statuses(&self, commit: &str) -> Result<Vec<Status>> {
        self.all_statuses(commit)
    }

    fn preview(&self, step: &Step) -> Result<Vec<String>> {
        let sendings = match step {
            Step::Open { draft, ask } => {
                let mut lines = self.literal(&Self::opening(draft, *ask));
                let reviews = draft.reviewers.iter().map(|user| Self::review(0, user));
                lines.extend(reviews.flat_map(|sending| self.literal(&sending)));
                lines.extend(draft.found.lacking.iter().map(|sentence| format!("  {sentence}")));
                return Ok(lines);
            }
            Step::Edit { pull, draft } => vec![Self::edited(pull, draft)],
            Step::Ask { pull: None, asking } => {
                vec![Sending { call: Call::Comment(0), body: json!({ "body": asking.text }) }]
            }
            Step::Ask { pull: Some(pull), asking } => {
                let plan = self.plan_asking(pull, asking)?;
                plan.note.into_iter().chain(plan.comment).collect()
            }
            Step::Explain { pull, note } => self.plan_explaining(*pull, note)?.sending.into_iter().collect(),
        };
        Ok(sendings.iter().flat_map(|sending| self.literal(sending)).collect())
    }
}

const UNFINISHED: &str = "the forge takes it for a draft, because its title begins with a word such as WIP";

/// Why no pull request can be opened in a repository, and what to do about it.
fn unfit(repo: &wire::Repository, has_token: bool) -> Option<(&'static str, &'static str)> {
    let may_not_push = repo.permissions.as_ref().is_some_and(|may| !may.push);
    let reasons = [
        (repo.archived, "it is archived", "unarchive it, or choose another repository"),
        (repo.mirror, "it is a pull mirror, which takes no pushes", "turn it into a normal repository"),
        (repo.empty, "it is empty", "push its base first"),
        (repo.has_pull_requests == Some(false), "it has no pull requests", "switch them on in its settings"),
        (may_not_push && !has_token, "nobody may push without a token", "give the bot's: --token-file"),
        (
            may_not_push,
            "the token's user may not push",
            "give the bot write access, and the token the scope write:repository",
        ),
    ];
    reasons.into_iter().find(|(unfit, ..)| *unfit).map(|(_, cause, hint)| (cause, hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::Trust;
    use std::time::Duration;

    #[test]
    fn links_are_for_people() {
        let gitea = |web: Option<&str>| {
            let (url, repo): (_, RepoName) =
                ("http://10.0.0.1:3000/git".parse().unwrap(), "o/n".parse().unwrap());
            let trust = Trust { ca_file: None, timeout: Duration::from_secs(1) };
            let http = Http::new(&url, repo.clone(), None, &trust).unwrap();
            Gitea::new(http, repo, false, web.map(ToOwned::to_owned))
        };
        let asked = "http://10.0.0.1:3000/git/o/n/pulls/4#issuecomment-7";
        let shown = gitea(Some("https://git.example/")).link(asked);
        assert_eq!(shown, "https://git.example/o/n/pulls/4#issuecomment-7");
        assert_eq!(gitea(None).link(asked), asked);
    }
}
