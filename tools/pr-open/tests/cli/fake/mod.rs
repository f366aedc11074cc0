//! A small forge that speaks the Gitea API and git's smart HTTP on 127.0.0.1, with switches for the traps of the
//! real ones.

mod api;
mod git;
mod issues;
mod server;
mod traps;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use serde_json::{Value, json};

pub use server::{Incoming, Outgoing};
pub use traps::Traps;

pub const TIME: &str = "2026-01-01T00:00:00Z";

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub method: String,
    /// As the descriptions call the path; `(none)` where they have no such path.
    pub template: &'static str,
    pub path: String,
    pub body: Option<Value>,
    pub status: u16,
    pub reply: Value,
    /// The answer was spoilt on purpose: no description has it.
    pub fault: bool,
}

pub struct State {
    pub bare: PathBuf,
    pub pulls: Vec<Value>,
    pub comments: Vec<Value>,
    pub labels: Vec<Value>,
    pub org_labels: Vec<Value>,
    /// With the commit that each is of.
    pub statuses: Vec<(String, Value)>,
    pub log: Vec<Exchange>,
    /// Every request, git's too, as it came.
    pub seen: Vec<Incoming>,
    pub traps: Traps,
}

#[derive(Clone)]
pub struct Fake {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub fn new(bare: PathBuf) -> Self {
        let label = |id: u64, name: &str| json!({"id": id, "name": name, "color": "00aabb", "url": "u"});
        let state = State {
            bare,
            pulls: vec![],
            comments: vec![],
            labels: vec![label(31, "flake"), label(32, "harness")],
            org_labels: vec![label(41, "redfix")],
            statuses: vec![],
            log: vec![],
            seen: vec![],
            traps: Traps::default(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let url = server::start(move |incoming| answer(&shared, incoming));
        Self { url, state }
    }

    /// Two of these in one statement would wait for each other for ever: that is a mistake, and said.
    pub fn state(&self) -> MutexGuard<'_, State> {
        let start = std::time::Instant::now();
        loop {
            match self.state.try_lock() {
                Ok(state) => return state,
                Err(TryLockError::Poisoned(e)) => panic!("{e}"),
                Err(TryLockError::WouldBlock) => std::thread::sleep(std::time::Duration::from_millis(2)),
            }
            assert!(start.elapsed().as_secs() < 20, "the state is in use, by this very statement?");
        }
    }

    /// What was asked since the last call, a word each; every exchange is held against the descriptions.
    pub fn asked(&self) -> String {
        let log = std::mem::take(&mut self.state().log);
        crate::contract::check(&log);
        log.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

/// One request in short: which of the allowed ones it is, and its page where that is not the first.
fn word(exchange: &Exchange) -> String {
    let below = exchange.template.trim_start_matches("/repos/{owner}/{repo}");
    let word = match (exchange.method.as_str(), below) {
        ("GET", "") => "repo",
        ("GET", "/branches/{branch}") if exchange.path.ends_with("/branches/main") => "base",
        ("GET", "/branches/{branch}") => "head",
        ("GET", "/pulls") => "list",
        ("GET", "/pulls/{base}/{head}") => "past",
        ("GET", "/pulls/{index}") => "pull",
        ("POST", "/pulls") => "create",
        ("PATCH", "/pulls/{index}") => "edit",
        ("GET", "/issues/{index}/comments") => "comments",
        ("POST", "/issues/{index}/comments") => "comment",
        ("PATCH", "/issues/comments/{id}") => "edit-comment",
        ("GET", "/commits/{ref}/statuses") => "statuses",
        ("GET", "/labels") => "labels",
        ("GET", "/user") => "ourselves",
        ("GET", "/users/{username}") => "owner",
        ("GET", "/orgs/{org}/labels") => "org-labels",
        ("POST", "/pulls/{index}/requested_reviewers") => "review",
        (method, _) => panic!("{method} {} is not allowed", exchange.path),
    };
    let page = exchange.path.split_once("&page=").map_or("1", |(_, page)| page);
    if page == "1" { word.into() } else { format!("{word}:{page}") }
}

/// git's requests go to git; the others are the API's, one at a time.
fn answer(state: &Mutex<State>, incoming: &Incoming) -> Outgoing {
    let mut locked = state.lock().unwrap();
    locked.seen.push(incoming.clone());
    if incoming.path.contains(".git/") {
        let (root, token) =
            (locked.bare.ancestors().nth(2).unwrap().to_owned(), locked.traps.git_token.clone());
        drop(locked);
        return git::serve(&root, token.as_deref(), incoming);
    }
    locked.answer(incoming)
}
