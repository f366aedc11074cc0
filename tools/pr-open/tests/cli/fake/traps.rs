//! The traps of real forges, one switch for each. The numbers are those of the tests in `traps_open.rs` and
//! `traps_ask.rs`.

use std::collections::VecDeque;

use serde_json::Value;

use super::server::{Incoming, Outgoing};
use super::{Exchange, State};

#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // a row of independent switches
pub struct Traps {
    /// 1: the list of pull requests is empty until somebody tries to open one, which then fails with 409.
    pub hide_until_post: bool,
    /// 7: a prefix of titles that makes a pull request a draft.
    pub draft_prefix: Option<&'static str>,
    /// 9, 10: labels of a new pull request are silently dropped.
    pub drop_labels: bool,
    /// 11: asking for reviewers gets this status.
    pub no_reviewers: Option<u16>,
    /// 12, 13: requests of this method and template get this status and message, once per entry.
    pub refuse: Vec<(&'static str, &'static str, u16, &'static str)>,
    /// 16: everything is answered with a redirect to this address.
    pub redirect: Option<String>,
    /// 17, 22: most items per page; 0 stands for 50.
    pub max_page: usize,
    /// 17: no `X-Total-Count`.
    pub no_total: bool,
    /// 18: statuses may hold words that no description has.
    pub odd_words: bool,
    /// 20: after a comment, each look at the statuses adds one of these first: (context, status).
    pub ci: VecDeque<(&'static str, &'static str)>,
    /// 24: methods whose next successful answer is replaced by 502, in this order.
    pub lose_answers: VecDeque<&'static str>,
    /// 24: as above, but the connection is cut.
    pub cut: bool,
    /// 24: this many requests first get this status, with this `Retry-After`.
    pub away: (u32, u16, &'static str),
    /// 25: this branch is protected.
    pub protected: Option<&'static str>,
    /// 25: the token may push to and merge into anything.
    pub strong: bool,
    /// 26: fields of the repository to replace.
    pub repo: Value,
    /// Every request gets 200 and this body.
    pub nonsense: Option<&'static str>,
    /// CRLF in bodies, as a web form leaves them.
    pub crlf: bool,
    /// The repository has another name now, and this status says so.
    pub renamed: Option<u16>,
    /// How long a comment takes to be written, however long the client waits for it.
    pub slow_comment: Option<std::time::Duration>,
    /// So many of git's requests are answered with 503 first.
    pub git_away: u32,
    /// Nobody but writers may comment.
    pub locked: bool,
    /// The token's user may read, and no more.
    pub reader: bool,
    /// A forge that does not know the question whose a token is.
    pub no_introspection: bool,
    /// The token's user is on the list of those who may push to the protected branch.
    pub on_push_list: bool,
}

pub fn json_answer(status: u16, body: &Value) -> Outgoing {
    let kind = ("Content-Type".to_owned(), "application/json".to_owned());
    Outgoing { status, headers: vec![kind], body: body.to_string().into_bytes(), ..Outgoing::default() }
}

impl State {
    /// Answers a request, as changed by the traps, and logs the exchange.
    pub fn answer(&mut self, incoming: &Incoming) -> Outgoing {
        if let Some(location) = &self.traps.redirect {
            let there = ("Location".to_owned(), format!("{location}{}", incoming.path));
            return Outgoing { status: 307, headers: vec![there], ..Outgoing::default() };
        }
        if let (Some(status), true) = (self.traps.renamed, incoming.path.contains("/repos/o/n")) {
            // Without scheme and host, and a line of HTML.
            let location = incoming.path.replace("/repos/o/n", "/repos/o/new");
            let headers = vec![("Location".to_owned(), location)];
            return Outgoing {
                status,
                headers,
                body: b"<a href=\"/\">Moved</a>".to_vec(),
                ..Outgoing::default()
            };
        }
        if let Some(text) = self.traps.nonsense {
            return Outgoing { status: 200, body: text.into(), ..Outgoing::default() };
        }
        let host = incoming.path.find("/api/v1").unwrap_or(0);
        let Some(below) = incoming.path[host..].strip_prefix("/api/v1") else {
            return Outgoing { status: 404, ..Outgoing::default() };
        };
        let body: Option<Value> =
            (!incoming.body.is_empty()).then(|| serde_json::from_slice(&incoming.body).unwrap());
        let (left, status, after) = self.traps.away;
        if left > 0 {
            self.traps.away.0 -= 1;
            let reply = serde_json::json!({"message": "away"});
            self.log(
                incoming,
                below,
                body,
                (Self::template(&incoming.method, below), status, reply.clone()),
                true,
            );
            let mut out = json_answer(status, &reply);
            out.headers.extend((!after.is_empty()).then(|| ("Retry-After".to_owned(), after.to_owned())));
            return out;
        }
        let template = Self::template(&incoming.method, below);
        let refused = self.traps.refuse.iter().position(|(m, t, ..)| *m == incoming.method && *t == template);
        let (mut status, mut reply, total) = if let Some(at) = refused {
            let (_, _, status, message) = self.traps.refuse.remove(at);
            (status, serde_json::json!({"message": message, "url": "http://forge/api/swagger"}), None)
        } else {
            let reply = self.route(&incoming.method, template, below, body.as_ref());
            (reply.status, reply.body, reply.total)
        };
        let mut fault = refused.is_some() || (self.traps.odd_words && template.ends_with("/statuses"));
        // No description has these for every path, and each forge has them for every path.
        fault |= [401, 403, 500].contains(&status);
        let mut reset = false;
        if status < 300 && self.traps.lose_answers.front() == Some(&&*incoming.method) {
            self.traps.lose_answers.pop_front();
            reset = self.traps.cut;
            (status, reply, fault) = (502, serde_json::json!({"message": "bad gateway"}), true);
        }
        self.log(incoming, below, body, (template, status, reply.clone()), fault);
        let mut out = Outgoing { reset, ..json_answer(status, &reply) };
        if reply.is_null() {
            // Some refusals have no body at all, and so no type.
            (out.headers, out.body) = (vec![], vec![]);
        }
        let total = total.filter(|_| !self.traps.no_total);
        out.headers.extend(total.map(|total| ("X-Total-Count".to_owned(), total.to_string())));
        out
    }

    fn log(
        &mut self,
        incoming: &Incoming,
        below: &str,
        body: Option<Value>,
        (template, status, reply): (&'static str, u16, Value),
        fault: bool,
    ) {
        let (method, path) = (incoming.method.clone(), below.to_owned());
        self.log.push(Exchange { method, template, path, body, status, reply, fault });
    }
}
