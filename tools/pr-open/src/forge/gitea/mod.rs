//! Gitea (from 1.22) and Forgejo over HTTP. Only what both do alike is used, so that nothing depends on a version
//! number; filters that one of them ignores are applied here.

mod client;
mod comments;
mod dress;

use std::time::Duration;

use lib_common::{Error, Result};
use reqwest::Url;
use serde_json::{Value, json};

use super::address::RepoName;
use super::http::{Http, Reply};
use super::marker::Marker;
use super::route::Call;
use super::{Draft, Forge, Note, Noted, Opened, Pull, Site, Status, Step, Whose, wire};
use client::Request;
use dress::Labels;

pub struct Gitea {
    http: Http,
    repo: RepoName,
}

impl Gitea {
    pub fn new(url: &Url, repo: RepoName, token: Option<&str>, timeout: Duration) -> Result<Self> {
        Ok(Self { http: Http::new(url, repo.clone(), token, timeout)?, repo })
    }

    fn find_open(&self, base: &str, branch: &str) -> Result<Option<Pull>> {
        let same = |pull: &Pull| pull.same_repo && pull.branch == branch && pull.base == base;
        Ok(self.open_pulls()?.into_iter().find(same))
    }

    /// The request that opens the pull request. With `ask`, its body has the marker for the run that is asked for next,
    /// which saves a request.
    fn opening(&self, draft: &Draft, ask: bool) -> Result<(Request<'static>, Labels)> {
        let labels = self.labels(&draft.labels)?;
        let mut text = draft.body.clone();
        if ask {
            let after = self.newest_status(&draft.head)?;
            text = Marker { head: draft.head.clone(), after, comments: 0 }.on(&text);
        }
        let mut body = json!({
            "base": draft.base, "head": draft.branch, "title": draft.title, "body": text,
        });
        if !labels.known.is_empty() {
            body["labels"] = json!(labels.ids());
        }
        Ok((Request { call: Call::OpenPull, body }, labels))
    }

    fn editing(number: u64, title: &str, body: &str) -> Request<'static> {
        Request { call: Call::EditPull(number), body: json!({ "title": title, "body": body }) }
    }

    fn edited(pull: &Pull, draft: &Draft) -> Request<'static> {
        let asked = pull.asked.as_ref().filter(|marker| marker.head == draft.head);
        let body = asked.map_or_else(|| draft.body.clone(), |marker| marker.on(&draft.body));
        Self::editing(pull.number, &draft.title, &body)
    }

    fn patch(&self, request: &Request) -> Result<Pull> {
        let accept = |reply: &Reply| {
            let good = [200, 201].contains(&reply.status);
            let parse =
                || self.parse::<wire::PullRequest>(&request.call, reply).map(wire::PullRequest::into_pull);
            good.then(parse)
        };
        // After a lost answer just send it again: setting the same title and body twice is harmless.
        self.write(request, accept, || Ok(None))
    }
}

impl Forge for Gitea {
    fn site(&self, base: &str, branch: Option<&str>) -> Result<Site> {
        let repo: wire::Repository = self.get(&Call::Repo)?;
        if let Some((cause, hint)) = unfit(&repo) {
            return Err(Error::cannot("checking the repository", cause).on(&self.repo).hint(hint));
        }
        let Some(onto) = self.get_if_there::<wire::Branch>(&Call::Branch(base))? else {
            return Err(Error::cannot("checking the repository", "there is no such branch")
                .on(format!("{} {base}", self.repo))
                .hint("set --base"));
        };
        let from = match branch {
            Some(branch) => self.get_if_there::<wire::Branch>(&Call::Branch(branch))?,
            None => None,
        };
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

    fn open(&self, draft: &Draft, ask: bool) -> Result<Opened> {
        let (request, labels) = self.opening(draft, ask)?;
        let there = |created| {
            let found = self.find_open(&draft.base, &draft.branch)?;
            Ok(found.map(|pull| Opened { pull, created, lacking: vec![] }))
        };
        let accept = |reply: &Reply| match reply.status {
            201 => Some(self.parse::<wire::PullRequest>(&request.call, reply).map(|pull| {
                let mut lacking = labels.lacking(&pull.labels);
                lacking.extend(pull.draft.then(|| UNFINISHED.to_owned()));
                Opened { pull: pull.into_pull(), created: true, lacking }
            })),
            // 409: another process of ours was faster. The pull request that it opened is the one we want.
            409 => there(false).transpose(),
            _ => None,
        };
        let mut opened = self.write(&request, accept, || there(true))?;
        if opened.created {
            opened.lacking.extend(self.request_reviews(opened.pull.number, &draft.reviewers));
        }
        Ok(opened)
    }

    fn edit(&self, pull: &Pull, draft: &Draft) -> Result<Pull> {
        self.patch(&Self::edited(pull, draft))
    }

    fn pull(&self, number: u64) -> Result<Pull> {
        self.get(&Call::Pull(number)).map(wire::PullRequest::into_pull)
    }

    fn trigger(&self, pull: &Pull, text: &str, whose: Whose) -> Result<Marker> {
        let asking = self.plan_asking(pull, text, whose)?;
        if let Some(note) = &asking.note {
            self.patch(note)?;
        }
        if let Some(comment) = &asking.comment {
            self.comment(pull.number, comment, asking.marker.comments)?;
        }
        Ok(asking.marker)
    }

    fn explain(&self, pull: u64, note: &Note) -> Result<Noted> {
        let plan = self.plan_explaining(pull, note)?;
        self.carry_out_explaining(pull, plan)
    }

    fn statuses(&self, commit: &str) -> Result<Vec<Status>> {
        self.all_statuses(commit)
    }

    fn preview(&self, step: &Step) -> Result<Vec<String>> {
        let requests = match step {
            Step::Open { draft, ask } => {
                let (request, labels) = self.opening(draft, *ask)?;
                let reviews = Self::reviewers(0, &draft.reviewers);
                let mut lines = self.literal(&request);
                lines.extend(reviews.iter().flat_map(|request| self.literal(request)));
                lines.extend(labels.unknown.iter().map(|name| format!("  there is no label '{name}'")));
                return Ok(lines);
            }
            Step::Edit { pull, draft } => vec![Self::edited(pull, draft)],
            Step::Ask { pull: None, text, .. } => {
                let body: Value = json!({ "body": text });
                vec![Request { call: Call::Comment(0), body }]
            }
            Step::Ask { pull: Some(pull), text, whose } => {
                let asking = self.plan_asking(pull, text, *whose)?;
                asking.note.into_iter().chain(asking.comment).collect()
            }
            Step::Explain { pull, note } => self.plan_explaining(*pull, note)?.request.into_iter().collect(),
        };
        Ok(requests.iter().flat_map(|request| self.literal(request)).collect())
    }
}

const UNFINISHED: &str = "the forge takes it for a draft, because its title begins with a word such as WIP";

/// Why no pull request can be opened in a repository, and what to do about it.
fn unfit(repo: &wire::Repository) -> Option<(&'static str, &'static str)> {
    let may_not_push = repo.permissions.as_ref().is_some_and(|may| !may.push);
    let reasons = [
        (repo.archived, "it is archived", "unarchive it, or choose another repository"),
        (repo.mirror, "it is a pull mirror, which takes no pushes", "turn it into a normal repository"),
        (repo.empty, "it is empty", "push its base first"),
        (repo.has_pull_requests == Some(false), "it has no pull requests", "enable them in its settings"),
        (
            may_not_push,
            "the token's user may not push",
            "give the bot write access, and the token the scope write:repository",
        ),
    ];
    reasons.into_iter().find(|(unfit, ..)| *unfit).map(|(_, cause, hint)| (cause, hint))
}
