//! Gitea (from 1.22) and Forgejo over HTTP. What they do differently is avoided rather than asked for:
//! filters that one of them ignores are applied here, and nothing depends on a version number.

use std::time::Duration;

use lib_common::{Error, Result};
use reqwest::Url;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::address::RepoName;
use super::http::{Http, Reply, Sent, pause};
use super::marker::Marker;
use super::route::Call;
use super::{Draft, Forge, Pull, Site, Status, wire};

/// Pages of a list that are read before something must be wrong.
const MAX_PAGES: usize = 200;
/// How often a writing request is tried; before each new try the forge is asked whether the last one came through.
const TRIES: u32 = 3;

pub struct Gitea {
    http: Http,
    repo: RepoName,
}

impl Gitea {
    pub fn new(url: &Url, repo: RepoName, token: Option<&str>, timeout: Duration) -> Result<Self> {
        Ok(Self { http: Http::new(url, repo.clone(), token, timeout)?, repo })
    }

    fn get<T: DeserializeOwned>(&self, call: &Call) -> Result<T> {
        let reply = self.http.get(call)?;
        if reply.status == 200 { self.parse(call, &reply) } else { Err(self.http.refused(call, &reply)) }
    }

    fn get_if_there<T: DeserializeOwned>(&self, call: &Call) -> Result<Option<T>> {
        let reply = self.http.get(call)?;
        match reply.status {
            200 => self.parse(call, &reply).map(Some),
            404 => Ok(None),
            _ => Err(self.http.refused(call, &reply)),
        }
    }

    fn parse<T: DeserializeOwned>(&self, call: &Call, reply: &Reply) -> Result<T> {
        serde_json::from_slice(&reply.body).map_err(|e| {
            Error::cannot("reading the forge's answer", e)
                .on(format!("{} {}", call.allowed().0, call.path(&self.repo)))
                .hint("is this the address of a Gitea or Forgejo?")
        })
    }

    /// All pages. The page size may be less than asked for, so only the count, or an empty page, ends it.
    fn pages<'c, T: DeserializeOwned>(&self, call: impl Fn(usize) -> Call<'c>) -> Result<Vec<T>> {
        let mut all = Vec::new();
        for page in 1..=MAX_PAGES {
            let call = call(page);
            let reply = self.http.get(&call)?;
            if reply.status != 200 {
                return Err(self.http.refused(&call, &reply));
            }
            let items: Vec<T> = self.parse(&call, &reply)?;
            let last = items.is_empty();
            all.extend(items);
            if last || reply.total.is_some_and(|total| all.len() >= total) {
                return Ok(all);
            }
        }
        Err(Error::cannot("reading a list of the forge", format!("more than {MAX_PAGES} pages")))
    }

    /// A writing request. After a lost answer `came_through` looks whether it happened, before it is sent again.
    fn write<T>(
        &self,
        call: &Call,
        body: &Value,
        accept: impl Fn(&Reply) -> Option<Result<T>>,
        came_through: impl Fn() -> Result<Option<T>>,
    ) -> Result<T> {
        let mut tries = 1;
        loop {
            match self.http.send(call, Some(body)) {
                Sent::Answered(reply) => {
                    return accept(&reply).unwrap_or_else(|| Err(self.http.refused(call, &reply)));
                }
                Sent::Lost(error, asked) => {
                    pause(tries, asked);
                    if let Some(there) = came_through()? {
                        return Ok(there);
                    }
                    if tries == TRIES {
                        return Err(error);
                    }
                }
            }
            tries += 1;
        }
    }

    fn find_open(&self, base: &str, branch: &str) -> Result<Option<Pull>> {
        let same = |pull: &Pull| pull.same_repo && pull.branch == branch && pull.base == base;
        Ok(self.open_pulls()?.into_iter().find(same))
    }

    fn comments(&self, number: u64) -> Result<Vec<wire::Comment>> {
        self.get(&Call::Comments(number))
    }

    fn patch(&self, number: u64, title: &str, body: &str) -> Result<Pull> {
        let call = Call::EditPull(number);
        let accept = |reply: &Reply| {
            let good = [200, 201].contains(&reply.status);
            good.then(|| self.parse::<wire::PullRequest>(&call, reply).map(wire::PullRequest::into_pull))
        };
        // Sending the same title and body twice is harmless.
        self.write(&call, &json!({ "title": title, "body": body }), accept, || Ok(None))
    }

    fn comment(&self, number: u64, text: &str, newer_than: u64) -> Result<()> {
        let call = Call::Comment(number);
        let accept = |reply: &Reply| (reply.status == 201).then_some(Ok(()));
        let came_through = || {
            let found = self.comments(number)?.iter().any(|c| c.id > newer_than && c.body == text);
            Ok(found.then_some(()))
        };
        self.write(&call, &json!({ "body": text }), accept, came_through)
    }

    /// Notes in the body for which head a run is asked for, and what is there before. Noted first: a run that
    /// dies in between asks again, none asks twice.
    fn note(&self, pull: &Pull, comments: &[wire::Comment]) -> Result<Marker> {
        let after = self.statuses(&pull.head)?.iter().map(|status| status.id).max().unwrap_or(0);
        let newest = comments.iter().map(|comment| comment.id).max().unwrap_or(0);
        let marker = Marker { head: pull.head.clone(), after, comments: newest };
        self.patch(pull.number, &pull.title, &marker.on(&pull.body))?;
        Ok(marker)
    }

    /// For a body that is not ours to note anything in: a comment that is there already is told from older
    /// statuses by the forge's clock.
    fn trigger_by_time(&self, pull: &Pull, text: &str) -> Result<Marker> {
        let statuses = self.statuses(&pull.head)?;
        let comments = self.comments(pull.number)?;
        let newest = comments.iter().map(|comment| comment.id).max().unwrap_or(0);
        let asked = comments.iter().rfind(|comment| comment.body.trim() == text);
        if asked.is_none() {
            self.comment(pull.number, text, newest)?;
        }
        let before = |status: &&Status| asked.is_none_or(|comment| status.created < comment.created_at);
        let after = statuses.iter().filter(before).map(|status| status.id).max().unwrap_or(0);
        Ok(Marker { head: pull.head.clone(), after, comments: newest })
    }
}

impl Forge for Gitea {
    fn site(&self, base: &str, branch: &str) -> Result<Site> {
        let repo: wire::Repository = self.get(&Call::Repo)?;
        let unfit = [
            (repo.archived, "it is archived", "unarchive it, or choose another repository"),
            (repo.mirror, "it is a pull mirror, which takes no pushes", "turn it into a normal repository"),
            (repo.empty, "it is empty", "push its base first"),
            (
                repo.has_pull_requests == Some(false),
                "it has no pull requests",
                "switch them on in its settings",
            ),
            (
                repo.permissions.as_ref().is_some_and(|may| !may.push),
                "the token's user may not push",
                "give the bot write access, and the token the scope write:repository",
            ),
        ];
        if let Some((_, cause, hint)) = unfit.into_iter().find(|(unfit, ..)| *unfit) {
            return Err(Error::cannot("checking the repository", cause).on(&self.repo).hint(hint));
        }
        let Some(onto) = self.get_if_there::<wire::Branch>(&Call::Branch(base))? else {
            return Err(Error::cannot("checking the repository", "there is no such branch")
                .on(format!("{} {base}", self.repo))
                .hint("set --base"));
        };
        let from: Option<wire::Branch> = self.get_if_there(&Call::Branch(branch))?;
        Ok(Site {
            default_branch: repo.default_branch,
            head_protected: from.is_some_and(|branch| branch.protected),
            too_strong: onto.user_can_push || onto.user_can_merge,
        })
    }

    fn open_pulls(&self) -> Result<Vec<Pull>> {
        let all: Vec<wire::PullRequest> = self.pages(|page| Call::OpenPulls { page })?;
        Ok(all.into_iter().map(wire::PullRequest::into_pull).filter(|pull| pull.open).collect())
    }

    fn past_pull(&self, base: &str, branch: &str) -> Result<Option<Pull>> {
        let found: Option<wire::PullRequest> = self.get_if_there(&Call::PullOf { base, branch })?;
        Ok(found.map(wire::PullRequest::into_pull).filter(|pull| pull.number > 0))
    }

    fn open(&self, draft: &Draft) -> Result<(Pull, bool)> {
        let body = json!({
            "base": draft.base, "head": draft.branch, "title": draft.title, "body": draft.body,
        });
        let there = |created| {
            let found = self.find_open(&draft.base, &draft.branch)?;
            Ok(found.map(|pull| (pull, created)))
        };
        let accept = |reply: &Reply| match reply.status {
            201 => {
                let pull = self.parse::<wire::PullRequest>(&Call::OpenPull, reply);
                Some(pull.map(|pull| (pull.into_pull(), true)))
            }
            // Somebody was faster: what they opened is ours, too.
            409 => there(false).transpose(),
            _ => None,
        };
        self.write(&Call::OpenPull, &body, accept, || there(true))
    }

    fn edit(&self, pull: &Pull, draft: &Draft) -> Result<Pull> {
        let asked = pull.asked.as_ref().filter(|marker| marker.head == draft.head);
        let body = asked.map_or_else(|| draft.body.clone(), |marker| marker.on(&draft.body));
        self.patch(pull.number, &draft.title, &body)
    }

    fn pull(&self, number: u64) -> Result<Pull> {
        self.get(&Call::Pull(number)).map(wire::PullRequest::into_pull)
    }

    fn trigger(&self, pull: &Pull, text: &str, ours: bool) -> Result<Marker> {
        if !ours {
            return self.trigger_by_time(pull, text);
        }
        let noted = pull.asked.clone().filter(|marker| marker.head == pull.head);
        let comments = self.comments(pull.number)?;
        let marker = match noted {
            Some(marker) => marker,
            None => self.note(pull, &comments)?,
        };
        if !comments.iter().any(|comment| comment.id > marker.comments && comment.body.trim() == text) {
            self.comment(pull.number, text, marker.comments)?;
        }
        Ok(marker)
    }

    fn statuses(&self, commit: &str) -> Result<Vec<Status>> {
        let all: Vec<wire::CommitStatus> = self.pages(|page| Call::Statuses { commit, page })?;
        Ok(all.into_iter().map(Status::from).collect())
    }
}
