//! The API: repositories, branches, pull requests; `issues.rs` has the rest.

use std::process::Command;

use serde_json::{Value, json};

use super::{State, TIME};

#[derive(Default)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
    /// Of a list.
    pub total: Option<usize>,
}

pub fn ok(status: u16, body: Value) -> Reply {
    Reply { status, body, total: None }
}

pub fn no(status: u16, message: &str) -> Reply {
    ok(status, json!({"message": message, "url": "https://docs"}))
}

/// One page of a list, as the query asks for it.
pub fn page(all: &[Value], query: &str, max: usize) -> Reply {
    let number = |name: &str| {
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.map_or(1, |value| value.parse::<usize>().unwrap())
    };
    let size = number("limit").min(if max == 0 { 50 } else { max });
    let page: Vec<&Value> = all.iter().skip((number("page") - 1) * size).take(size).collect();
    Reply { total: Some(all.len()), ..ok(200, json!(page)) }
}

impl State {
    /// As the descriptions call this path.
    pub fn template(method: &str, below: &str) -> &'static str {
        let route = below.split('?').next().unwrap();
        let parts: Vec<&str> = route.split('/').skip(1).collect();
        match (method, &parts[..]) {
            ("GET", ["orgs", "o", "labels"]) => "/orgs/{org}/labels",
            ("GET", ["user"]) => "/user",
            ("GET", ["users", _]) => "/users/{username}",
            (_, ["repos", "o", "n", rest @ ..]) => match (method, rest) {
                ("GET", []) => "/repos/{owner}/{repo}",
                ("GET", ["branches", ..]) => "/repos/{owner}/{repo}/branches/{branch}",
                ("GET" | "POST", ["pulls"]) => "/repos/{owner}/{repo}/pulls",
                ("GET" | "PATCH", ["pulls", n]) if n.parse::<u64>().is_ok() => {
                    "/repos/{owner}/{repo}/pulls/{index}"
                }
                ("POST", ["pulls", _, "requested_reviewers"]) => {
                    "/repos/{owner}/{repo}/pulls/{index}/requested_reviewers"
                }
                ("GET", ["pulls", _, _, ..]) => "/repos/{owner}/{repo}/pulls/{base}/{head}",
                ("PATCH", ["issues", "comments", _]) => "/repos/{owner}/{repo}/issues/comments/{id}",
                ("GET" | "POST", ["issues", _, "comments"]) => {
                    "/repos/{owner}/{repo}/issues/{index}/comments"
                }
                ("GET", ["labels"]) => "/repos/{owner}/{repo}/labels",
                ("GET", ["commits", _, "statuses"]) => "/repos/{owner}/{repo}/commits/{ref}/statuses",
                _ => "(none)",
            },
            _ => "(none)",
        }
    }

    pub fn route(&mut self, method: &str, template: &str, below: &str, body: Option<&Value>) -> Reply {
        let (route, query) = below.split_once('?').unwrap_or((below, ""));
        let parts: Vec<&str> = route.split('/').skip(4).collect();
        let max = self.traps.max_page;
        match (method, template.rsplit("{repo}").next().unwrap()) {
            ("GET", "") => ok(200, self.repository()),
            ("GET", "/branches/{branch}") => self.branch(&parts[1..].join("/")),
            ("GET", "/pulls") => {
                let hidden = self.traps.hide_until_post;
                let open = self.live_pulls().into_iter().filter(|pull| pull["state"] == "open" && !hidden);
                page(&open.collect::<Vec<_>>(), query, max)
            }
            ("POST", "/pulls") => self.open(body.unwrap()),
            ("GET", "/pulls/{index}") => self.pull(parts[1]),
            ("PATCH", "/pulls/{index}") => self.edit(parts[1], body.unwrap()),
            ("GET", "/pulls/{base}/{head}") => {
                let (base, head) = (parts[1].replace("%2F", "/"), parts[2..].join("/"));
                // No filter on the state, and the oldest first: as the real one does it.
                let found = self.live_pulls().into_iter().find(|pull| {
                    pull["base"]["ref"] == base
                        && pull["head"]["label"] == head
                        && !self.traps.hide_until_post
                });
                found.map_or_else(|| no(404, "not found"), |pull| ok(200, pull))
            }
            ("POST", "/pulls/{index}/requested_reviewers") => self.review(parts[1], body.unwrap()),
            ("GET", "/issues/{index}/comments") => ok(200, json!(self.comments)),
            ("POST", "/issues/{index}/comments") => self.comment(parts[1], body.unwrap()),
            ("PATCH", "/issues/comments/{id}") => self.edit_comment(parts[2], body.unwrap()),
            ("GET", "/labels") => page(&self.labels, query, max),
            ("GET", "/orgs/{org}/labels") => page(&self.org_labels, query, max),
            ("GET", "/commits/{ref}/statuses") => self.statuses(parts[1], query),
            ("GET", "/user") => ok(200, json!({"id": 3, "login": "bot"})),
            ("GET", "/users/{username}") if below == "/users/o" => ok(200, json!({"id": 4, "login": "o"})),
            _ => no(404, "not found"),
        }
    }

    /// The commit that a branch is at.
    pub fn commit(&self, branch: &str) -> Option<String> {
        let name = format!("refs/heads/{branch}");
        let output = Command::new("git")
            .arg("--git-dir")
            .arg(&self.bare)
            .args(["rev-parse", "-q", "--verify", &name])
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().into())
    }

    fn repository(&self) -> Value {
        let mut repo = json!({
            "id": 5, "name": "n", "full_name": "o/n", "default_branch": "main", "archived": false,
            "mirror": false, "empty": false, "has_pull_requests": true,
            "permissions": {"admin": false, "push": true, "pull": true},
        });
        for (name, value) in self.traps.repo.as_object().into_iter().flatten() {
            repo[name] = value.clone();
        }
        repo
    }

    fn branch(&self, name: &str) -> Reply {
        let Some(commit) = self.commit(name) else { return no(404, "branch does not exist") };
        let (protected, strong) = (self.traps.protected == Some(name), self.traps.strong);
        ok(
            200,
            json!({"name": name, "commit": {"id": commit}, "protected": protected,
                   "user_can_push": strong, "user_can_merge": strong}),
        )
    }

    /// Heads are where the branches are now.
    fn live_pulls(&self) -> Vec<Value> {
        let mut pulls = self.pulls.clone();
        for pull in &mut pulls {
            if let Some(commit) = self.commit(pull["head"]["label"].as_str().unwrap()) {
                pull["head"]["sha"] = json!(commit);
            }
            if self.traps.crlf {
                pull["body"] = json!(pull["body"].as_str().unwrap().replace('\n', "\r\n"));
            }
        }
        pulls
    }

    fn pull(&self, number: &str) -> Reply {
        let number: u64 = number.parse().unwrap();
        let found = self.live_pulls().into_iter().find(|pull| pull["number"] == number);
        found.map_or_else(|| no(404, "not found"), |pull| ok(200, pull))
    }

    fn open(&mut self, body: &Value) -> Reply {
        self.traps.hide_until_post = false;
        let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let (Some(head), Some(base), Some(title)) = (text("head"), text("base"), text("title")) else {
            return no(422, "[Head]: Required");
        };
        let same = |pull: &&Value| {
            let (from, to) = (&pull["head"], &pull["base"]);
            pull["state"] == "open" && from["label"] == *head && from["repo_id"] == 5 && to["ref"] == *base
        };
        if let Some(pull) = self.pulls.iter().find(same) {
            let text = format!(
                "pull request already exists for these targets [id: 1, issue_id: {}]",
                pull["number"]
            );
            return no(409, &text);
        }
        if head == base {
            return no(422, "base and head are the same");
        }
        let Some(commit) = self.commit(&head) else { return no(404, "branch does not exist") };
        self.put_pull(&head, &base, &title, body["body"].as_str().unwrap_or(""), &commit);
        let pull = self.pulls.last_mut().unwrap();
        if !self.traps.drop_labels {
            let asked =
                |label: &&Value| body["labels"].as_array().is_some_and(|ids| ids.contains(&label["id"]));
            let known: Vec<&Value> = self.labels.iter().chain(&self.org_labels).filter(asked).collect();
            pull["labels"] = json!(known);
        }
        pull["draft"] = json!(self.traps.draft_prefix.is_some_and(|prefix| title.starts_with(prefix)));
        ok(201, self.live_pulls().pop().unwrap())
    }

    /// A pull request as the database has it.
    pub fn put_pull(&mut self, head: &str, base: &str, title: &str, body: &str, commit: &str) {
        let number = self.pulls.len() as u64 + 1;
        let end = |branch: &str, sha: &str| json!({"label": branch, "ref": branch, "sha": sha, "repo_id": 5, "repo": null});
        let url = format!("https://git.example/o/n/pulls/{number}");
        self.pulls.push(json!({
            "id": 100 + number, "number": number, "html_url": url, "url": url, "title": title, "body": body,
            "state": "open", "draft": false, "merged": false, "mergeable": false, "labels": [],
            "base": end(base, "0"), "head": end(head, commit), "created_at": TIME, "updated_at": TIME,
            "merged_at": null, "merge_base": "0", "requested_reviewers": null,
        }));
        let name = format!("refs/pull/{number}/head");
        let set =
            Command::new("git").arg("--git-dir").arg(&self.bare).args(["update-ref", &name, commit]).status();
        assert!(set.unwrap().success());
    }

    fn edit(&mut self, number: &str, body: &Value) -> Reply {
        let index: u64 = number.parse().unwrap();
        let Some(pull) = self.pulls.iter_mut().find(|pull| pull["number"] == index) else {
            return no(404, "not found");
        };
        for name in ["title", "body"] {
            if body[name].is_string() {
                pull[name] = body[name].clone();
            }
        }
        Reply { status: 201, ..self.pull(number) }
    }

    fn review(&mut self, number: &str, body: &Value) -> Reply {
        if let Some(status) = self.traps.no_reviewers {
            return no(status, "not a collaborator");
        }
        let index: u64 = number.parse().unwrap();
        let Some(pull) = self.pulls.iter_mut().find(|pull| pull["number"] == index) else {
            return no(404, "not found");
        };
        let users = body["reviewers"].as_array().unwrap().iter().map(|user| json!({"login": user}));
        pull["requested_reviewers"] = users.collect();
        ok(201, json!([]))
    }
}
