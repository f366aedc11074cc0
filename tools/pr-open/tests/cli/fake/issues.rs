//! The fake API: comments and commit statuses.

use serde_json::{Value, json};

use super::State;
use super::api::{Reply, bare, no, ok, page};

impl State {
    /// All of them at once, however many pages are asked for; of what is not there, an error of the forge's own.
    pub fn list_comments(&self, number: &str) -> Reply {
        if !self.pulls.iter().any(|pull| number.parse() == Ok(pull["number"].as_u64().unwrap())) {
            return no(500, "");
        }
        let link = |comment: &Value| {
            let mut comment = comment.clone();
            let id = &comment["id"];
            comment["html_url"] = json!(format!("http://{}/o/n/pulls/{number}#issuecomment-{id}", self.host));
            comment
        };
        let of_it = self.comments.iter().filter(|comment| comment["issue_url"] == number).map(link);
        let all: Vec<Value> = of_it.map(without_number).collect();
        Reply { total: Some(all.len()), ..ok(200, json!(all)) }
    }

    pub fn comment(&mut self, number: &str, body: &Value) -> Reply {
        let Some(text) = body["body"].as_str().filter(|text| !text.is_empty()) else {
            return no(422, "[Body]: Required");
        };
        if self.traps.locked {
            return no(403, "You cannot comment on a locked issue.");
        }
        let login = self.who.login.clone();
        self.put_comment_of(&login, number, text);
        let mut all = self.list_comments(number).body;
        let last = all.as_array_mut().and_then(Vec::pop);
        last.map_or_else(|| no(500, ""), |comment| ok(201, comment))
    }

    /// A person's comment as the database has it.
    pub fn put_comment(&mut self, number: &str, text: &str) {
        self.put_comment_of("ann", number, text);
    }

    /// Ids are those of all events: they have gaps.
    pub fn put_comment_of(&mut self, login: &str, number: &str, text: &str) {
        let id = self.comments.len() as u64 * 3 + 7;
        let now = self.now();
        self.comments.push(json!({"id": id, "html_url": "", "issue_url": number, "body": text,
            "user": {"id": 3, "login": login}, "created_at": now, "updated_at": now}));
    }

    /// Whoever may write may edit anybody's; the author stays who it was.
    pub fn edit_comment(&mut self, id: &str, body: &Value) -> Reply {
        if self.traps.reader {
            return bare(403);
        }
        let id: u64 = id.parse().unwrap();
        let Some(comment) = self.comments.iter_mut().find(|comment| comment["id"] == id) else {
            return no(404, "not found");
        };
        comment["body"] = body["body"].clone();
        ok(200, without_number(comment.clone()))
    }

    /// What CI has to say comes one by one, after somebody asked. By default in the order of seconds, newest first, and
    /// in no promised order within one.
    pub fn statuses(&mut self, commit: &str, query: &str) -> Reply {
        if !self.has_commit(commit) {
            return no(404, &format!("object does not exist [id: {commit}, rel_path: ]"));
        }
        if let Some((context, status)) = self.traps.ci.front().copied().filter(|_| !self.comments.is_empty())
        {
            self.traps.ci.pop_front();
            self.put_status(commit, context, status);
        }
        let mut of_it: Vec<Value> =
            self.statuses.iter().filter(|(of, _)| of == commit).map(|(_, status)| status.clone()).collect();
        if query.contains("sort=leastindex") {
            of_it.reverse();
        } else if !query.contains("sort=highestindex") {
            of_it.sort_by_key(|status| std::cmp::Reverse(status["created_at"].as_str().unwrap().to_owned()));
        }
        page(&of_it, query, self.traps.max_page)
    }

    /// Ids count anew for each commit.
    pub fn put_status(&mut self, commit: &str, context: &str, status: &str) {
        self.put_status_of(commit, context, status, "https://ci.example/1");
    }

    /// One of a run that has this link.
    pub fn put_status_of(&mut self, commit: &str, context: &str, status: &str, link: &str) {
        let id = self.statuses.iter().filter(|(of, _)| of == commit).count() as u64 + 1;
        let now = self.now();
        let status = json!({"id": id, "context": context, "status": status, "description": "d",
            "target_url": link, "created_at": now, "updated_at": now, "url": "u"});
        self.statuses.push((commit.to_owned(), status));
    }

    /// The forge's clock, in whole seconds, which a test turns.
    fn now(&self) -> String {
        format!("2026-01-01T00:{:02}:{:02}Z", self.clock / 60, self.clock % 60)
    }
}

/// Of which pull request it is stands elsewhere on the real one.
fn without_number(mut comment: Value) -> Value {
    comment["issue_url"] = json!("");
    comment
}
