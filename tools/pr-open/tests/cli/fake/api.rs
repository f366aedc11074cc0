//! The fake API: repositories, branches and pull requests; `issues.rs` has the rest.

use std::process::Command;

use serde_json::{Value, json};

use super::{State, TIME};

#[derive(Default)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
    /// `X-Total-Count` of a list.
    pub total: Option<usize>,
}

pub fn ok(status: u16, body: Value) -> Reply {
    Reply { status, body, total: None }
}

pub fn no(status: u16, message: &str) -> Reply {
    ok(status, json!({"message": message, "url": "http://forge/api/swagger"}))
}

/// A status without a body, as Gitea sends some refusals.
pub fn bare(status: u16) -> Reply {
    ok(status, Value::Null)
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
    /// The path template of the API descriptions for this path.
    pub fn template(method: &str, below: &str) -> &'static str {
        let route = below.split('?').next().unwrap();
        let parts: Vec<&str> = route.split('/').skip(1).collect();
        match (method, &parts[..]) {
            ("GET", ["orgs", "o", "labels"]) => "/orgs/{org}/labels",
            ("GET", ["token"]) => "/token",
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
        if let Err(refused) = self.admitted(method, template) {
            return refused;
        }
        match (method, template.rsplit("{repo}").next().unwrap()) {
            ("GET", "/token") if self.traps.no_introspection => no(404, "not found"),
            ("GET", "/token") => {
                let who = self.who.clone();
                ok(
                    200,
                    json!({"id": 1, "name": "t", "scopes": who.scopes, "user": {"id": 3, "login": who.login}}),
                )
            }
            ("GET", "") => ok(200, self.repository()),
            ("GET", "/branches/{branch}") => self.branch(&parts[1..].join("/")),
            ("GET", "/pulls") => {
                let (hidden, closed) = (self.traps.hide_until_post, query.contains("state=closed"));
                let state = if closed { "closed" } else { "open" };
                let all = self.live_pulls().into_iter().rev();
                let all = all.filter(|pull| pull["state"] == state && !hidden);
                page(&all.collect::<Vec<_>>(), query, max)
            }
            ("POST", "/pulls") => self.open(body.unwrap()),
            ("GET", "/pulls/{index}") => self.pull(parts[1]),
            ("PATCH", "/pulls/{index}") => self.edit(parts[1], body.unwrap()),
            ("GET", "/pulls/{base}/{head}") => {
                let (base, head) = (parts[1].replace("%2F", "/"), parts[2..].join("/"));
                if ["merge", "files", "commits", "reviews"].contains(&&*head) {
                    return no(404, "not found");
                }
                // No filter on the state, and the oldest first: as the real one does it.
                let found = self.live_pulls().into_iter().find(|pull| {
                    pull["base"]["ref"] == base
                        && pull["head"]["label"] == head
                        && pull["head"]["repo_id"] == 5
                        && !self.traps.hide_until_post
                });
                found.map_or_else(|| no(404, "not found"), |pull| ok(200, pull))
            }
            ("POST", "/pulls/{index}/requested_reviewers") => self.review(parts[1], body.unwrap()),
            ("GET", "/issues/{index}/comments") => self.list_comments(parts[1]),
            ("POST", "/issues/{index}/comments") => self.comment(parts[1], body.unwrap()),
            ("PATCH", "/issues/comments/{id}") => self.edit_comment(parts[2], body.unwrap()),
            ("GET", "/labels") => page(&self.labels, query, max),
            ("GET", "/orgs/{org}/labels") => page(&self.org_labels, query, max),
            ("GET", "/commits/{ref}/statuses") => self.statuses(parts[1], query),
            ("GET", "/user") => ok(200, json!({"id": 3, "login": self.who.login})),
            ("GET", "/users/{username}") if below == "/users/o" => ok(200, json!({"id": 4, "login": "o"})),
            _ => no(404, "not found"),
        }
    }

    /// Who asks, and whether the token's scopes cover the route: that is looked at before anything else.
    fn admitted(&self, method: &str, template: &str) -> Result<(), Reply> {
        if self.who.login.is_empty() {
            return match method {
                _ if self.who.is_wrong => Err(no(401, "invalid username, password or token")),
                "GET" if template != "/user" && template != "/token" => Ok(()),
                _ => Err(no(401, "token is required")),
            };
        }
        let category = match template.rsplit("{repo}").next().unwrap() {
            "/token" => return Ok(()),
            "/user" | "/users/{username}" => "user",
            "/orgs/{org}/labels" => "organization",
            "/labels" => "issue",
            below if below.starts_with("/issues") => "issue",
            _ => "repository",
        };
        let (read, write) = (format!("read:{category}"), format!("write:{category}"));
        let has = |scope: &str| self.who.scopes.iter().any(|one| one == scope || one == "all");
        if has(&write) || (method == "GET" && has(&read)) {
            return Ok(());
        }
        let required = if method == "GET" { read } else { write };
        let scopes = self.who.scopes.join(",");
        Err(no(
            403,
            &format!(
                "token does not have at least one of required scope(s), required=[{required}], token scope={scopes}"
            ),
        ))
    }

    /// Whether the bare repository has the commit.
    pub fn has_commit(&self, commit: &str) -> bool {
        let there = Command::new("git")
            .arg("--git-dir")
            .arg(&self.bare)
            .args(["cat-file", "-e", &format!("{commit}^{{commit}}")])
            .stderr(std::process::Stdio::null())
            .status();
        there.unwrap().success()
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
            "permissions": {"admin": false, "push": !self.who.login.is_empty(), "pull": true},
        });
        for (name, value) in self.traps.repo.as_object().into_iter().flatten() {
            repo[name] = value.clone();
        }
        repo
    }

    /// The base is protected, and only people merge; any other branch is not, unless a trap says so.
    fn branch(&self, name: &str) -> Reply {
        let Some(commit) = self.commit(name) else { return no(404, "not found") };
        let traps = &self.traps;
        let base = name == "main" && !traps.strong;
        let protected = base || traps.protected == Some(name);
        let can_push = !protected || (traps.protected == Some(name) && traps.on_push_list);
        ok(
            200,
            json!({"name": name, "commit": {"id": commit}, "protected": protected,
                   "user_can_push": can_push, "user_can_merge": !base}),
        )
    }

    /// Heads are where the branches are now; one whose branch is gone is closed.
    fn live_pulls(&mut self) -> Vec<Value> {
        let mut pulls = self.pulls.clone();
        for (pull, kept) in pulls.iter_mut().zip(0..) {
            let label = pull["head"]["label"].as_str().unwrap().to_owned();
            match self.commit(&label) {
                Some(commit) => pull["head"]["sha"] = json!(commit),
                None if pull["state"] == "open" && pull["head"]["repo_id"] == 5 && !label.is_empty() => {
                    self.pulls[kept]["state"] = json!("closed");
                    self.pulls[kept]["head"]["ref"] = json!(format!("refs/pull/{}/head", pull["number"]));
                    *pull = self.pulls[kept].clone();
                }
                None => {}
            }
            if self.traps.crlf {
                pull["body"] = json!(pull["body"].as_str().unwrap().replace('\n', "\r\n"));
            }
            // Links begin with the address that was asked.
            let url = format!("http://{}/o/n/pulls/{}", self.host, pull["number"]);
            (pull["html_url"], pull["url"]) = (json!(url), json!(url));
            let title = pull["title"].as_str().unwrap();
            let draft = self.traps.draft_prefix.is_some_and(|prefix| title.starts_with(prefix));
            let wip = ["wip:", "[wip]"].iter().any(|word| title.to_lowercase().starts_with(word));
            pull["draft"] = json!(draft || wip);
        }
        pulls
    }

    fn pull(&mut self, number: &str) -> Reply {
        let number: u64 = number.parse().unwrap();
        let found = self.live_pulls().into_iter().find(|pull| pull["number"] == number);
        found.map_or_else(|| no(404, "not found"), |pull| ok(200, pull))
    }

    /// The number of an open one of these targets, or null: looking is a step of its own.
    pub fn taken(&mut self, body: &Value) -> Value {
        let (head, base) = (body["head"].clone(), body["base"].clone());
        let same = |pull: &Value| {
            let (from, to) = (&pull["head"], &pull["base"]);
            pull["state"] == "open" && from["label"] == head && from["repo_id"] == 5 && to["ref"] == base
        };
        self.live_pulls().into_iter().find(same).map_or(Value::Null, |pull| pull["number"].clone())
    }

    fn open(&mut self, body: &Value) -> Reply {
        self.traps.hide_until_post = false;
        let taken = self.looked.take().unwrap_or_else(|| self.taken(body));
        let text = |name: &str| body[name].as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
        let (Some(head), Some(base)) = (text("head"), text("base")) else {
            return no(422, "[Head]: Required");
        };
        let Some(title) = text("title") else { return no(422, "[Title]: Required") };
        if self.traps.repo["archived"] == true {
            return no(423, "repo is archived");
        }
        if head == base {
            return no(422, "Invalid PullRequest: There are no changes between the head and the base");
        }
        for name in [&head, &base] {
            if self.commit(name).is_none() {
                return no(404, &format!("ref \"{name}\" does not exist"));
            }
        }
        if !taken.is_null() {
            return no(
                409,
                &format!(
                    "pull request already exists for these targets [id: 1, issue_id: {taken}, head_repo_id: 5, \
                 base_repo_id: 5, head_branch: {head}, base_branch: {base}]"
                ),
            );
        }
        let commit = self.commit(&head).unwrap();
        self.put_pull(&head, &base, title.trim(), body["body"].as_str().unwrap_or(""), &commit);
        let login = self.who.login.clone();
        let pull = self.pulls.last_mut().unwrap();
        pull["user"] = json!({"id": 3, "login": login});
        if !self.traps.drop_labels {
            let asked =
                |label: &&Value| body["labels"].as_array().is_some_and(|ids| ids.contains(&label["id"]));
            let known: Vec<&Value> = self.labels.iter().chain(&self.org_labels).filter(asked).collect();
            pull["labels"] = json!(known);
        }
        ok(201, self.live_pulls().pop().unwrap())
    }

    /// Adds a pull request, as if it were in the database.
    pub fn put_pull(&mut self, head: &str, base: &str, title: &str, body: &str, commit: &str) {
        let number = self.pulls.len() as u64 + 1;
        let end = |branch: &str, sha: &str| json!({"label": branch, "ref": branch, "sha": sha, "repo_id": 5, "repo": null});
        if self.commit(head).is_none() && !head.is_empty() {
            self.set(&format!("refs/heads/{head}"), commit);
        }
        self.pulls.push(json!({
            "id": 100 + number, "number": number, "html_url": "", "url": "", "title": title, "body": body,
            "user": {"id": 9, "login": "ann"},
            "state": "open", "draft": false, "merged": false, "mergeable": false, "labels": [],
            "base": end(base, "0"), "head": end(head, commit), "created_at": TIME, "updated_at": TIME,
            "merged_at": null, "merge_base": "0", "requested_reviewers": null,
        }));
        self.set(&format!("refs/pull/{number}/head"), commit);
    }

    fn set(&self, name: &str, commit: &str) {
        let set =
            Command::new("git").arg("--git-dir").arg(&self.bare).args(["update-ref", name, commit]).status();
        assert!(set.unwrap().success());
    }

    fn edit(&mut self, number: &str, body: &Value) -> Reply {
        let index: u64 = number.parse().unwrap();
        let Some(pull) = self.pulls.iter_mut().find(|pull| pull["number"] == index) else {
            return no(404, "not found");
        };
        // Nothing is trimmed here, an empty title is passed over, and a long one is cut.
        if let Some(title) = body["title"].as_str().filter(|title| !title.is_empty()) {
            pull["title"] = json!(title.chars().take(255).collect::<String>());
        }
        if body["body"].is_string() {
            pull["body"] = body["body"].clone();
        }
        Reply { status: 201, ..self.pull(number) }
    }

    /// All or nothing.
    fn review(&mut self, number: &str, body: &Value) -> Reply {
        if let Some(status) = self.traps.no_reviewers {
            return no(status, "not a collaborator");
        }
        let index: u64 = number.parse().unwrap();
        let Some(pull) = self.pulls.iter_mut().find(|pull| pull["number"] == index) else {
            return no(404, "not found");
        };
        let users = body["reviewers"].as_array().unwrap();
        for user in users.iter().map(|user| user.as_str().unwrap()) {
            if pull["user"]["login"] == user {
                return no(422, "poster of pr can't be reviewer [user_id: 3, repo_id: 5]");
            }
            if !["ann", "bob", "bot"].contains(&user) {
                return no(404, &format!("user doesn't exist: {user}"));
            }
        }
        let asked: Vec<Value> = users.iter().map(|user| json!({"login": user})).collect();
        let mut all = pull["requested_reviewers"].as_array().cloned().unwrap_or_default();
        all.extend(asked.into_iter().filter(|user| !all.contains(user)).collect::<Vec<_>>());
        pull["requested_reviewers"] = json!(all);
        ok(201, json!([]))
    }
}
