//! A small forge that speaks the Gitea API over real HTTP, with switches for the traps of the real ones.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

const TIME: &str = "2026-01-01T00:00:00Z";

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub method: String,
    pub template: &'static str,
    pub path: String,
    pub body: Option<Value>,
    pub status: u16,
    pub reply: Value,
    /// The answer was spoilt on purpose.
    pub fault: bool,
}

/// What real forges do to those who do not expect it.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // a row of independent switches
pub struct Traps {
    /// Largest page; 0: 50.
    pub max_page: usize,
    /// No `X-Total-Count`.
    pub no_total: bool,
    /// The list is empty until somebody tries to open one, who then gets 409.
    pub hide_until_post: bool,
    /// Methods whose next successful answer is replaced by 502, in this order.
    pub lose_answers: VecDeque<&'static str>,
    /// So many reading requests get 503 first.
    pub fail_reads: u32,
    /// Comments get 403.
    pub no_issue_scope: bool,
    /// Everything is answered with a redirect to this host.
    pub redirect: Option<String>,
    /// Everything gets 200 and this.
    pub nonsense: Option<&'static str>,
    /// Fields of the repository to replace.
    pub repo: Value,
    /// This branch is protected.
    pub protected: Option<&'static str>,
    /// The token may push to and merge into anything.
    pub strong: bool,
    /// After a comment, each look at the statuses adds one of these first: (context, status).
    pub ci: VecDeque<(&'static str, &'static str)>,
    /// CRLF in bodies, as a web form leaves them.
    pub crlf: bool,
}

pub struct State {
    pub bare: PathBuf,
    pub pulls: Vec<Value>,
    pub comments: Vec<Value>,
    /// With the commit that each is of.
    pub statuses: Vec<(String, Value)>,
    pub log: Vec<Exchange>,
    /// `Authorization` and `User-Agent` of every request.
    pub headers: Vec<(String, String)>,
    pub traps: Traps,
}

#[derive(Clone)]
pub struct Fake {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub fn new(bare: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            bare,
            pulls: vec![],
            comments: vec![],
            statuses: vec![],
            log: vec![],
            headers: vec![],
            traps: Traps::default(),
        };
        let fake = Self { url, state: Arc::new(Mutex::new(state)) };
        let server = fake.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A client that hung up is its own affair.
                let _ = server.serve(stream);
            }
        });
        fake
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What was asked since the last call, as `METHOD path`.
    pub fn take_log(&self) -> Vec<String> {
        let log = std::mem::take(&mut self.state().log);
        crate::contract::check(&log);
        log.iter().map(|exchange| format!("{} {}", exchange.method, exchange.path)).collect()
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let (mut length, mut auth, mut agent) = (0, String::new(), String::new());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match name.to_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "authorization" => value.trim().clone_into(&mut auth),
                "user-agent" => value.trim().clone_into(&mut agent),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let body = (length > 0).then(|| serde_json::from_slice(&body).unwrap());
        let mut state = self.state();
        state.headers.push((auth, agent));
        let answer = state.answer(method, path, body);
        drop(state);
        let text = if let Some(text) = answer.text { text } else { answer.body.to_string() };
        let mut head = format!(
            "HTTP/1.1 {} x\r\nContent-Length: {}\r\nConnection: close\r\n",
            answer.status,
            text.len()
        );
        if let Some(total) = answer.total {
            head.push_str(&["X-Total-Count: ", &total.to_string(), "\r\n"].concat());
        }
        if let Some(location) = answer.location {
            head.push_str(&["Location: ", &location, "\r\n"].concat());
        }
        stream.write_all(format!("{head}\r\n{text}").as_bytes())
    }
}

#[derive(Default)]
struct Answer {
    status: u16,
    body: Value,
    text: Option<String>,
    total: Option<usize>,
    location: Option<String>,
}

fn ok(status: u16, body: Value) -> Answer {
    Answer { status, body, ..Answer::default() }
}

fn no(status: u16, message: &str) -> Answer {
    ok(status, json!({"message": message, "url": "https://docs"}))
}

impl State {
    /// The commit that a branch is at.
    fn commit(&self, branch: &str) -> Option<String> {
        let name = format!("refs/heads/{branch}");
        let output = Command::new("git")
            .arg("--git-dir")
            .arg(&self.bare)
            .args(["rev-parse", "-q", "--verify", &name])
            .output();
        output
            .ok()
            .filter(|output| output.status.success())
            .map(|o| String::from_utf8(o.stdout).unwrap().trim().into())
    }

    fn answer(&mut self, method: &str, path: &str, body: Option<Value>) -> Answer {
        if let Some(location) = &self.traps.redirect {
            return Answer { status: 307, location: Some(format!("{location}{path}")), ..Answer::default() };
        }
        if let Some(text) = self.traps.nonsense {
            return Answer { status: 200, text: Some(text.into()), ..Answer::default() };
        }
        let Some(below) = path.strip_prefix("/api/v1") else { return no(404, "not found") };
        let (route, query) = below.split_once('?').unwrap_or((below, ""));
        let Some(rest) = route.strip_prefix("/repos/o/n") else { return no(404, "not found") };
        let parts: Vec<&str> = rest.split('/').skip(1).collect();
        let (template, mut answer) = self.route(method, &parts, query, body.as_ref());
        let mut fault = false;
        if answer.status < 300 && self.traps.lose_answers.front() == Some(&method) {
            self.traps.lose_answers.pop_front();
            (answer, fault) = (no(502, "bad gateway"), true);
        } else if method == "GET" && self.traps.fail_reads > 0 {
            self.traps.fail_reads -= 1;
            (answer, fault) = (no(503, "away"), true);
        }
        if self.traps.no_total {
            answer.total = None;
        }
        self.log.push(Exchange {
            method: method.into(),
            template,
            path: below.into(),
            body,
            status: answer.status,
            reply: answer.body.clone(),
            fault,
        });
        answer
    }

    fn route(
        &mut self,
        method: &str,
        parts: &[&str],
        query: &str,
        body: Option<&Value>,
    ) -> (&'static str, Answer) {
        match (method, parts) {
            ("GET", []) => ("/repos/{owner}/{repo}", ok(200, self.repository())),
            ("GET", ["branches", name @ ..]) => {
                ("/repos/{owner}/{repo}/branches/{branch}", self.branch(&name.join("/")))
            }
            ("GET", ["pulls"]) => {
                let hidden = self.traps.hide_until_post;
                let open: Vec<Value> =
                    self.live_pulls().into_iter().filter(|pull| pull["state"] == "open" && !hidden).collect();
                ("/repos/{owner}/{repo}/pulls", self.page(open, query))
            }
            ("POST", ["pulls"]) => ("/repos/{owner}/{repo}/pulls", self.open(body.unwrap())),
            ("GET", ["pulls", number]) if number.parse::<u64>().is_ok() => {
                ("/repos/{owner}/{repo}/pulls/{index}", self.pull(number))
            }
            ("PATCH", ["pulls", number]) => {
                ("/repos/{owner}/{repo}/pulls/{index}", self.edit(number, body.unwrap()))
            }
            ("GET", ["pulls", base, head @ ..]) => {
                let (base, head) = (base.replace("%2F", "/"), head.join("/"));
                // No filter on the state, and the oldest first: as the real one does it.
                let found = self.live_pulls().into_iter().find(|pull| {
                    pull["base"]["ref"] == base
                        && pull["head"]["label"] == head
                        && !self.traps.hide_until_post
                });
                let answer = found.map_or_else(|| no(404, "not found"), |pull| ok(200, pull));
                ("/repos/{owner}/{repo}/pulls/{base}/{head}", answer)
            }
            ("GET", ["issues", _, "comments"]) => {
                ("/repos/{owner}/{repo}/issues/{index}/comments", ok(200, json!(self.comments)))
            }
            ("POST", ["issues", _, "comments"]) => {
                ("/repos/{owner}/{repo}/issues/{index}/comments", self.comment(body.unwrap()))
            }
            ("GET", ["commits", commit, "statuses"]) => {
                if let Some((context, status)) =
                    self.traps.ci.front().copied().filter(|_| !self.comments.is_empty())
                {
                    self.traps.ci.pop_front();
                    self.add_status(commit, context, status);
                }
                let mut newest_first: Vec<Value> = self
                    .statuses
                    .iter()
                    .filter(|(of, _)| of == commit)
                    .map(|(_, status)| status.clone())
                    .collect();
                newest_first.reverse();
                ("/repos/{owner}/{repo}/commits/{ref}/statuses", self.page(newest_first, query))
            }
            _ => ("(none)", no(404, "not found")),
        }
    }

    fn page(&self, all: Vec<Value>, query: &str) -> Answer {
        let number = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.map_or(1, |value| value.parse::<usize>().unwrap())
        };
        let max = if self.traps.max_page == 0 { 50 } else { self.traps.max_page };
        let size = number("limit").min(max);
        let total = all.len();
        let page: Vec<Value> = all.into_iter().skip((number("page") - 1) * size).take(size).collect();
        Answer { total: Some(total), ..ok(200, json!(page)) }
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

    fn branch(&self, name: &str) -> Answer {
        let Some(commit) = self.commit(name) else { return no(404, "branch does not exist") };
        let protected = self.traps.protected == Some(name);
        let strong = self.traps.strong;
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
            let branch = pull["head"]["label"].as_str().unwrap().to_owned();
            if let Some(commit) = self.commit(&branch) {
                pull["head"]["sha"] = json!(commit);
            }
            if self.traps.crlf {
                pull["body"] = json!(pull["body"].as_str().unwrap().replace('\n', "\r\n"));
            }
        }
        pulls
    }

    fn pull(&self, number: &str) -> Answer {
        let found = self
            .live_pulls()
            .into_iter()
            .find(|pull| number.parse::<u64>().is_ok_and(|n| pull["number"] == n));
        found.map_or_else(|| no(404, "not found"), |pull| ok(200, pull))
    }

    fn open(&mut self, body: &Value) -> Answer {
        self.traps.hide_until_post = false;
        let (head, base) = (body["head"].as_str().unwrap(), body["base"].as_str().unwrap());
        let same = |pull: &&Value| {
            pull["state"] == "open" && pull["head"]["label"] == head && pull["base"]["ref"] == base
        };
        if let Some(pull) = self.pulls.iter().find(same) {
            let text = format!(
                "pull request already exists for these targets [id: 1, issue_id: {}]",
                pull["number"]
            );
            return no(409, &text);
        }
        let Some(commit) = self.commit(head) else { return no(404, "branch does not exist") };
        let number = self.pulls.len() as u64 + 1;
        let end = |branch: &str, sha: &str| json!({"label": branch, "ref": branch, "sha": sha, "repo_id": 5, "repo": null});
        self.pulls.push(json!({
            "id": 100 + number, "number": number, "html_url": format!("https://git.example/o/n/pulls/{number}"),
            "url": format!("https://git.example/o/n/pulls/{number}"), "title": body["title"], "body": body["body"],
            "state": "open", "draft": false, "merged": false, "mergeable": false, "labels": [],
            "base": end(base, "0"), "head": end(head, &commit), "created_at": TIME, "updated_at": TIME,
            "merged_at": null, "merge_base": "0",
        }));
        ok(201, self.live_pulls().pop().unwrap())
    }

    fn edit(&mut self, number: &str, body: &Value) -> Answer {
        let found =
            self.pulls.iter_mut().find(|pull| number.parse::<u64>().is_ok_and(|n| pull["number"] == n));
        let Some(pull) = found else { return no(404, "not found") };
        for name in ["title", "body"] {
            if body[name].is_string() {
                pull[name] = body[name].clone();
            }
        }
        let answer = self.pull(number);
        Answer { status: 201, ..answer }
    }

    fn comment(&mut self, body: &Value) -> Answer {
        if self.traps.no_issue_scope {
            return no(403, "token does not have at least one of required scope(s): [write:issue]");
        }
        let id = self.comments.len() as u64 + 7;
        let comment = json!({"id": id, "body": body["body"], "created_at": TIME, "updated_at": TIME});
        self.comments.push(comment.clone());
        ok(201, comment)
    }

    pub fn add_status(&mut self, commit: &str, context: &str, status: &str) {
        let id = self.statuses.len() as u64 + 1;
        let status = json!({"id": id, "context": context, "status": status, "description": "d",
            "target_url": "https://ci.example/1", "created_at": TIME, "updated_at": TIME, "url": "u"});
        self.statuses.push((commit.to_owned(), status));
    }
}
