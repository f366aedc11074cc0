//! The fake API: comments and commit statuses.

use serde_json::{Value, json};

use super::api::{Reply, no, ok, page};
use super::{State, TIME};

impl State {
    pub fn comment(&mut self, number: &str, body: &Value) -> Reply {
        let Some(text) = body["body"].as_str().filter(|text| !text.is_empty()) else {
            return no(422, "[Body]: Required");
        };
        let comment = self.put_comment(number, text);
        ok(201, comment)
    }

    /// Adds a comment, as if it were in the database.
    pub fn put_comment(&mut self, number: &str, text: &str) -> Value {
        let id = self.comments.len() as u64 + 7;
        let url = format!("https://git.example/o/n/pulls/{number}#issuecomment-{id}");
        let comment =
            json!({"id": id, "html_url": url, "body": text, "created_at": TIME, "updated_at": TIME});
        self.comments.push(comment.clone());
        comment
    }

    pub fn edit_comment(&mut self, id: &str, body: &Value) -> Reply {
        let id: u64 = id.parse().unwrap();
        let Some(comment) = self.comments.iter_mut().find(|comment| comment["id"] == id) else {
            return no(404, "not found");
        };
        comment["body"] = body["body"].clone();
        ok(200, comment.clone())
    }

    /// Statuses, newest first. Those of the trap `ci` are added one at a time, once a comment was made.
    pub fn statuses(&mut self, commit: &str, query: &str) -> Reply {
        if let Some((context, status)) = self.traps.ci.front().copied().filter(|_| !self.comments.is_empty())
        {
            self.traps.ci.pop_front();
            self.put_status(commit, context, status);
        }
        let of_it = self.statuses.iter().rev().filter(|(of, _)| of == commit);
        page(&of_it.map(|(_, status)| status.clone()).collect::<Vec<_>>(), query, self.traps.max_page)
    }

    pub fn put_status(&mut self, commit: &str, context: &str, status: &str) {
        let id = self.statuses.len() as u64 + 1;
        let status = json!({"id": id, "context": context, "status": status, "description": "d",
            "target_url": "https://ci.example/1", "created_at": TIME, "updated_at": TIME, "url": "u"});
        self.statuses.push((commit.to_owned(), status));
    }
}
