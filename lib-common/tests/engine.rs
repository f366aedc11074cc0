//! Tests of the connection to the engine against a fake one: its API version, its deadline, and the results of typed
//! calls.
#![cfg(feature = "docker")]
#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lib_common::cli::EngineArg;
use lib_common::docker::Engine;
use lib_common::docker::models::ConfigSpec;
use lib_common::swarm::object::Kind;
use tempfile::TempDir;

/// A fake engine. The oldest API version that it supports is 1.44. It has a config `taken` already, and never answers
/// requests about `stuck`.
struct Fake {
    folder: TempDir,
    /// The method with the path of each request, and its body.
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Fake {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("engine.sock")).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream.unwrap(), &shared));
            }
        });
        Self { folder, asked }
    }

    async fn connect(&self, engine_timeout: Duration) -> Engine {
        let host = Some(format!("unix://{}/engine.sock", self.folder.path().display()));
        Engine::connect(&EngineArg { host, engine_timeout }).await.unwrap()
    }

    fn last(&self) -> (String, String) {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

fn answer(mut stream: UnixStream, asked: &Mutex<Vec<(String, String)>>) {
    let mut request = Vec::new();
    let (head, body) = loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).unwrap();
        request.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((first, rest)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            first.to_lowercase().lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
        if rest.len() >= length.unwrap_or(0) {
            break (first.to_owned(), rest.to_owned());
        }
    };
    let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    asked.lock().unwrap().push((line.clone(), body.clone()));
    let (status, answer) = match line.as_str() {
        "GET /version" => (200, r#"{"ApiVersion":"1.52","MinAPIVersion":"1.44","Version":"29.0.0"}"#),
        "GET /v1.47/info" => {
            (200, r#"{"Name":"n1","Swarm":{"ControlAvailable":true,"NodeID":"x"},"New":[1]}"#)
        }
        "POST /v1.47/configs/create" if body.contains("taken") => (409, r#"{"message":"AlreadyExists"}"#),
        "POST /v1.47/configs/create" if body.contains("stuck") => return std::thread::park(),
        "POST /v1.47/configs/create" => (201, r#"{"ID":"c1"}"#),
        "DELETE /v1.47/networks/busy" => (403, r#"{"message":"has active endpoints"}"#),
        line if line.starts_with("DELETE") && line.contains("gone") => (404, r#"{"message":"no such"}"#),
        line if line.starts_with("DELETE") => (204, ""),
        _ => (400, r#"{"message":"client version is too old or too new"}"#),
    };
    let length = answer.len();
    let _ = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{answer}");
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn config(name: &str) -> ConfigSpec {
    let labels = Some([("redfix.test".to_owned(), "1".to_owned())].into());
    ConfigSpec { name: Some(name.to_owned()), labels, data: Some("eA==".to_owned()), templating: None }
}

#[test]
fn typed_and_raw_calls_speak_the_version_that_both_sides_know() {
    run(async {
        let fake = Fake::start();
        let engine = fake.connect(Duration::from_secs(30)).await;
        assert_eq!(engine.version(), "29.0.0");
        let info = engine.require_manager().await.unwrap();
        assert_eq!((info.name.as_deref(), info.swarm.unwrap().node_id.as_deref()), (Some("n1"), Some("x")));
        assert_eq!(engine.get("/info").await.unwrap()["New"][0], 1, "raw JSON keeps what no model knows");
    });
}

#[test]
fn a_config_is_created_once() {
    run(async {
        let fake = Fake::start();
        let engine = fake.connect(Duration::from_secs(30)).await;
        assert_eq!(engine.create_config(config("free")).await, Ok(true));
        let sent: serde_json::Value = serde_json::from_str(&fake.last().1).unwrap();
        let expected = serde_json::json!({"Name": "free", "Labels": {"redfix.test": "1"}, "Data": "eA=="});
        assert_eq!(sent, expected, "and nothing else");
        assert_eq!(engine.create_config(config("taken")).await, Ok(false));
    });
}

#[test]
fn what_is_gone_already_is_removed() {
    run(async {
        let fake = Fake::start();
        let engine = fake.connect(Duration::from_secs(30)).await;
        for kind in Kind::ALL {
            assert_eq!(engine.remove(kind, "there").await, Ok(()), "{}", kind.name());
            let line = fake.last().0;
            assert!(line.starts_with(&format!("DELETE /v1.47/{}s/there", kind.name())), "{line}");
            // A container is removed by force, together with its anonymous volumes.
            assert_eq!(
                line.contains("force=true") && line.contains("v=true"),
                kind == Kind::Container,
                "{line}"
            );
            assert_eq!(engine.remove(kind, "gone").await, Ok(()), "{}", kind.name());
        }
        let refused = engine.remove(Kind::Network, "busy").await.unwrap_err();
        assert_eq!((refused.status, refused.message.as_str()), (403, "has active endpoints"));
    });
}

#[test]
fn an_engine_that_does_not_answer_is_waited_for_until_the_deadline() {
    run(async {
        let fake = Fake::start();
        let engine = fake.connect(Duration::from_millis(300)).await;
        let error = engine.create_config(config("stuck")).await.unwrap_err();
        assert_eq!((error.status, error.message.as_str()), (0, "no answer within 0.3 s"));
    });
}
