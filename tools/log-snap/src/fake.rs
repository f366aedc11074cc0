//! A fake engine for tests. It has canned answers by path, and bodies that end, break or stall.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use lib_common::docker::{ApiError, ApiResult};
use serde_json::Value;

use crate::api::{Api, Body};
use crate::stream::chunk::Chunk;
use crate::stream::hold::Kept;

/// What a body does after its bytes: it ends, fails with a lost connection, or never says anything again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum After {
    End,
    Break,
    Stall,
}

type Bodies = BTreeMap<String, VecDeque<ApiResult<(Vec<u8>, After)>>>;

/// Answers a request with the entry whose path is the longest prefix of the requested path. The bodies of one path are
/// handed out one by one, in the order in which they were added.
#[derive(Clone, Default)]
pub struct FakeEngine {
    bodies: Arc<Mutex<Bodies>>,
    answers: Arc<Mutex<BTreeMap<String, Value>>>,
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl FakeEngine {
    pub fn body(self, prefix: &str, answer: ApiResult<(Vec<u8>, After)>) -> Self {
        self.bodies.lock().unwrap().entry(prefix.to_owned()).or_default().push_back(answer);
        self
    }

    pub fn json(self, prefix: &str, answer: Value) -> Self {
        self.answers.lock().unwrap().insert(prefix.to_owned(), answer);
        self
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

pub fn missing() -> ApiError {
    ApiError { status: 404, message: "No such container".into() }
}

pub struct FakeBody {
    bytes: Option<Vec<u8>>,
    after: After,
}

impl Api for FakeEngine {
    type Body = FakeBody;

    async fn get(&self, path: &str) -> ApiResult<Value> {
        let answers = self.answers.lock().unwrap();
        let found = answers.iter().rev().find(|(prefix, _)| path.starts_with(prefix.as_str()));
        let nothing = || ApiError { status: 404, message: format!("no canned answer for {path}") };
        found.map(|(_, answer)| answer.clone()).ok_or_else(nothing)
    }

    async fn open(&self, path: &str) -> ApiResult<FakeBody> {
        self.asked.lock().unwrap().push(path.to_owned());
        let mut bodies = self.bodies.lock().unwrap();
        let found = bodies.iter_mut().rev().find(|(prefix, _)| path.starts_with(prefix.as_str()));
        let answer = found.and_then(|(_, answers)| answers.pop_front());
        let (bytes, after) = answer.unwrap_or_else(|| Err(missing()))?;
        Ok(FakeBody { bytes: Some(bytes), after })
    }
}

impl Body for FakeBody {
    async fn chunk(&mut self) -> ApiResult<Option<Vec<u8>>> {
        match (self.bytes.take(), self.after) {
            (Some(bytes), _) => Ok(Some(bytes)),
            (None, After::End) => Ok(None),
            (None, After::Break) => Err(ApiError { status: 0, message: "connection lost".into() }),
            (None, After::Stall) => std::future::pending().await,
        }
    }
}

/// The lines that were kept of a log, with `...` where lines were left out.
#[allow(clippy::needless_pass_by_value)] // callers have no use for `kept` afterwards
pub fn texts(kept: Kept) -> Vec<String> {
    let of = |chunk: &Chunk| -> Vec<String> {
        let block = chunk.unpack().unwrap();
        block.lines().map(|line| String::from_utf8(line.text.to_vec()).unwrap()).collect()
    };
    let mut texts: Vec<String> = kept.head.iter().flat_map(of).collect();
    if kept.elided.lines > 0 {
        texts.push("...".into());
    }
    texts.extend(kept.tail.iter().flat_map(of));
    texts
}
