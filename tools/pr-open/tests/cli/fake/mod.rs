//! A small forge that speaks the Gitea API and git's smart HTTP on 127.0.0.1, with switches for the traps of real
//! forges.

mod api;
mod git;
mod issues;
mod server;
mod traps;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use serde_json::{Value, json};

pub use server::{Incoming, Outgoing};
pub use traps::Traps;

pub const TIME: &str = "2026-01-01T00:00:00Z";
/// The bot's.
pub const TOKEN: &str = "0123456789abcdef-t0ken";
/// Between looking for a pull request and putting one in: two that come within this time are both opened.
const NOT_ONE_STEP: Duration = Duration::from_millis(60);

/// Whose a token is.
#[derive(Debug, Clone, Default)]
pub struct Who {
    /// Nobody's where it is empty.
    pub login: String,
    pub scopes: Vec<String>,
    /// There is a token, and no such one.
    pub is_wrong: bool,
}

/// The bot with these scopes, with blanks between.
pub fn bot(scopes: &str) -> Who {
    Who { login: "bot".into(), scopes: scopes.split(' ').map(str::to_owned).collect(), is_wrong: false }
}

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub method: String,
    /// The path template of the API descriptions; `(none)` if they have no such path.
    pub template: &'static str,
    pub path: String,
    pub body: Option<Value>,
    pub status: u16,
    pub reply: Value,
    /// Whether the answer was spoilt on purpose, so that no description has it.
    pub fault: bool,
}

pub struct State {
    pub bare: PathBuf,
    pub pulls: Vec<Value>,
    pub comments: Vec<Value>,
    pub labels: Vec<Value>,
    pub org_labels: Vec<Value>,
    /// Statuses, each with its commit.
    pub statuses: Vec<(String, Value)>,
    pub log: Vec<Exchange>,
    /// Every request as it came, including git's.
    pub seen: Vec<Incoming>,
    pub traps: Traps,
    /// By their tokens.
    pub users: BTreeMap<String, Who>,
    /// Who asks now, at which address.
    pub who: Who,
    pub host: String,
    /// The number that a look before a pull request is put in has found; null for none.
    pub looked: Option<Value>,
    /// The forge's clock: seconds.
    pub clock: u64,
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
            users: [(TOKEN.to_owned(), bot("write:repository write:issue read:user"))].into(),
            who: Who::default(),
            host: "git.example".into(),
            looked: None,
            clock: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let url = server::start(move |incoming| answer(&shared, incoming));
        Self { url, state }
    }

    /// Locks the state. Two calls in one statement would deadlock, so that panics instead.
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

    /// The requests since the last call, one word each. Checks every exchange against the API descriptions.
    pub fn asked(&self) -> String {
        let log = std::mem::take(&mut self.state().log);
        crate::contract::check(&log);
        log.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

/// One request as a word: which of the allowed ones it is, and its page if that is not the first.
fn word(exchange: &Exchange) -> String {
    let below = exchange.template.trim_start_matches("/repos/{owner}/{repo}");
    let word = match (exchange.method.as_str(), below) {
        ("GET", "") => "repo",
        ("GET", "/branches/{branch}") if exchange.path.ends_with("/branches/main") => "base",
        ("GET", "/branches/{branch}") => "head",
        ("GET", "/pulls") if exchange.path.contains("state=closed") => "closed",
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
        ("GET", "/token") => "token",
        ("GET", "/user") => "ourselves",
        ("GET", "/users/{username}") => "owner",
        ("GET", "/orgs/{org}/labels") => "org-labels",
        ("POST", "/pulls/{index}/requested_reviewers") => "review",
        (method, _) => panic!("{method} {} is not allowed", exchange.path),
    };
    let page = exchange.path.split_once("&page=").map_or("1", |(_, page)| page);
    if page == "1" { word.into() } else { format!("{word}:{page}") }
}

/// git's requests go to git; the others are the API's, one at a time, but for the one that is not one step.
fn answer(state: &Mutex<State>, incoming: &Incoming) -> Outgoing {
    let mut locked = state.lock().unwrap();
    locked.seen.push(incoming.clone());
    let who = locked.asks(incoming);
    if incoming.path.contains(".git/") {
        let root = locked.bare.ancestors().nth(2).unwrap().to_owned();
        if locked.traps.git_away > 0 {
            locked.traps.git_away -= 1;
            return Outgoing { status: 503, ..Outgoing::default() };
        }
        let (renamed, archived) = (locked.traps.renamed, locked.traps.repo["archived"] == true);
        drop(locked);
        return git::serve(&root, &who, renamed, archived, incoming);
    }
    let slow = locked
        .traps
        .slow_comment
        .filter(|_| incoming.method == "POST" && incoming.path.ends_with("/comments"));
    if let Some(time) = slow {
        drop(locked);
        std::thread::sleep(time);
        locked = state.lock().unwrap();
    }
    let mut taken = None;
    if incoming.method == "POST" && incoming.path.ends_with("/pulls") {
        taken = serde_json::from_slice(&incoming.body).ok().map(|body| locked.taken(&body));
        drop(locked);
        std::thread::sleep(NOT_ONE_STEP);
        locked = state.lock().unwrap();
    }
    locked.looked = taken;
    locked.who = who;
    let host = incoming.header("host");
    if !host.is_empty() {
        host.clone_into(&mut locked.host);
    }
    locked.answer(incoming)
}

impl State {
    /// By the token in either header.
    fn asks(&self, incoming: &Incoming) -> Who {
        let header = incoming.header("authorization");
        if header.is_empty() {
            return Who::default();
        }
        let token = header.strip_prefix("token ").map_or_else(|| git::password(header), ToOwned::to_owned);
        let wrong = Who { is_wrong: true, ..Who::default() };
        self.users.get(&token).cloned().unwrap_or(wrong)
    }
}
