//! Tests of the recording against a fake engine: which logs it opens, when it ends, which gaps it reports.

use super::*;
use crate::fake::{After, FakeEngine};
use crate::stream::reader::Source;
use lib_common::clock::SystemClock;
use lib_common::swarm::label::STACK;
use serde_json::json;

fn setup(attach: bool) -> Setup {
    Setup {
        stack: "s".into(),
        attach,
        until_gone: false,
        budget: 1 << 24,
        limits: Limits { idle: Duration::from_millis(100), stream: 1 << 20, line: 1 << 20 },
        deadline: Duration::from_millis(300),
    }
}

fn log(text: &str) -> (Vec<u8>, After) {
    let body = format!("2026-01-02T03:04:05.000000001Z {text}\n");
    let size = u32::try_from(body.len()).unwrap().to_be_bytes();
    ([&[1, 0, 0, 0], &size[..], body.as_bytes()].concat(), After::End)
}

fn engine(containers: Value) -> FakeEngine {
    FakeEngine::default()
        .json("/services", json!([]))
        .json("/tasks", json!([]))
        .json("/configs", json!([]))
        .json("/secrets", json!([]))
        .json("/networks", json!([]))
        .json("/containers/json", containers)
}

/// Records, and sends a signal after `stop_after` milliseconds.
fn record_with(engine: &FakeEngine, setup: &Setup, stop_after: Option<u64>) -> Recording {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let diag = Diag::to_writer("log-snap", Box::new(std::io::sink()));
    runtime.block_on(async {
        let (sender, signals) = mpsc::channel(2);
        if let Some(ms) = stop_after {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                sender.send(()).await.unwrap();
                std::future::pending::<()>().await;
            });
        } else {
            std::mem::forget(sender);
        }
        record(vec![peer(engine)], setup, &SystemClock, signals, &diag).await
    })
}

fn peer(engine: &FakeEngine) -> Peer<FakeEngine> {
    Peer { id: "here".into(), name: "here".into(), api: engine.clone(), files: None, pressure: None }
}

fn texts(recording: Recording) -> Vec<String> {
    recording.streams.into_iter().flat_map(|stream| crate::fake::texts(stream.kept.held.take())).collect()
}

#[test]
fn once_takes_what_is_there() {
    let list = json!([
        {"Id": "c1", "State": "exited", "Labels": {STACK: "s"}},
        {"Id": "c2", "State": "created", "Labels": {STACK: "s"}}
    ]);
    let engine =
        engine(list).body("/events", Ok((Vec::new(), After::End))).body("/containers/c1/", Ok(log("hello")));
    let recording = record_with(&engine, &setup(false), None);
    assert_eq!(
        (recording.streams.len(), &recording.gaps),
        (1, &vec![]),
        "a container that never ran has no log"
    );
    assert_eq!(texts(recording), ["hello"]);
}

#[test]
fn a_container_that_started_after_the_last_look_is_read() {
    let list = json!([{"Id": "c1", "State": "created", "Labels": {STACK: "s"}}]);
    let running = json!({"Id": "c1", "State": {"Status": "running", "StartedAt": "2026-01-02T03:04:05Z"}});
    let engine = engine(list)
        .body("/events", Ok((Vec::new(), After::End)))
        .json("/containers/c1/json", running)
        .body("/containers/c1/logs", Ok(log("first words")));
    let recording = record_with(&engine, &setup(false), None);
    assert_eq!((recording.streams.len(), &recording.gaps), (1, &vec![]));
    assert_eq!(texts(recording), ["first words"]);
}

#[test]
fn an_event_opens_the_log_of_a_container_that_is_gone_from_every_list() {
    let event = json!({"Type": "container", "Action": "start", "timeNano": 5,
                       "Actor": {"ID": "c1", "Attributes": {STACK: "s"}}});
    let engine = engine(json!([]))
        .body("/events", Ok((format!("{event}\n").into_bytes(), After::Stall)))
        .body("/containers/c1/", Ok(log("first words")))
        .body("/containers/c1/", Ok(log("first words")));
    let recording = record_with(&engine, &setup(true), Some(400));
    assert_eq!(recording.gaps, [""; 0]);
    assert_eq!(texts(recording), ["first words"]);
}

#[test]
fn a_silent_engine_is_a_gap_and_never_hangs() {
    let engine = FakeEngine::default()
        .body("/events", Ok((Vec::new(), After::Stall)))
        .json("/containers/json", json!([{"Id": "c1", "State": "running", "Labels": {STACK: "s"}}]))
        .body("/containers/c1/", Ok((Vec::new(), After::Stall)));
    let began = std::time::Instant::now();
    let recording = record_with(&engine, &setup(false), None);
    assert!(began.elapsed() < Duration::from_mins(3));
    assert_eq!(recording.streams[0].ended, Ended::Idle);
    assert!(
        recording.gaps.iter().any(|gap| gap.contains("last look at the stack: /services")),
        "{:?}",
        recording.gaps
    );
}

#[test]
fn a_task_elsewhere_is_read_through_the_manager() {
    let task = json!([{"ID": "t1", "NodeID": "there", "Slot": 1, "ServiceID": "sv",
                       "Status": {"State": "running", "ContainerStatus": {"ContainerID": "c9"}}}]);
    let engine = engine(json!([]))
        .json("/tasks", task)
        .body("/events", Ok((Vec::new(), After::End)))
        .body("/tasks/t1/", Ok(log("from afar")));
    let recording = record_with(&engine, &setup(false), None);
    assert_eq!(recording.streams[0].source, Source::Task);
    assert_eq!(texts(recording), ["from afar"]);
}

#[test]
fn the_end_of_the_stack_ends_the_recording() {
    let event = json!({"Type": "container", "Action": "start", "timeNano": 5,
                       "Actor": {"ID": "c1", "Attributes": {STACK: "s"}}});
    let engine = engine(json!([]))
        .body("/events", Ok((format!("{event}\n").into_bytes(), After::Stall)))
        .body("/containers/c1/", Ok(log("bye")))
        .body("/containers/c1/", Ok(log("bye")));
    let recording = record_with(&engine, &Setup { until_gone: true, ..setup(true) }, None);
    assert_eq!(texts(recording), ["bye"]);
}

#[test]
fn each_node_is_asked_for_its_own_containers() {
    let running = |id: &str| json!([{"Id": id, "State": "exited", "Labels": {STACK: "s"}}]);
    let one = engine(running("c1"))
        .body("/events", Ok((Vec::new(), After::End)))
        .body("/containers/c1/", Ok(log("one")));
    let two = engine(running("c2"))
        .body("/events", Ok((Vec::new(), After::End)))
        .body("/containers/c2/", Ok(log("two")));
    let gone = FakeEngine::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let diag = Diag::to_writer("log-snap", Box::new(std::io::sink()));
    let recording = runtime.block_on(async {
        let (sender, signals) = mpsc::channel(2);
        let named =
            |engine: &FakeEngine, name: &str| Peer { id: name.into(), name: name.into(), ..peer(engine) };
        let peers = vec![named(&one, "n1"), named(&two, "n2"), named(&gone, "n3")];
        let recording = record(peers, &setup(false), &SystemClock, signals, &diag).await;
        drop(sender);
        recording
    });
    let gaps = recording.gaps.join("; ");
    assert!(
        gaps.contains("containers of n3: ") && gaps.contains("engine events of n3: ") && !gaps.contains("n2"),
        "{gaps}"
    );
    assert_eq!(texts(recording), ["one", "two"]);
}
