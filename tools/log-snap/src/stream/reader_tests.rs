//! Tests of the reader against a fake engine: streams that end, break or stall, errors within the stream, removed
//! containers.

use super::*;
use crate::fake::{After, FakeEngine, missing};

const LIMITS: Limits = Limits { idle: Duration::from_millis(50), stream: 1 << 20, line: 1 << 20 };

fn frame(kind: u8, n: u32, text: &str) -> Vec<u8> {
    let body = format!("2026-01-02T03:04:05.{n:09}Z {text}");
    let size = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, 0, 0, 0], &size[..], body.as_bytes()].concat()
}

fn log(numbers: std::ops::Range<u32>) -> Vec<u8> {
    numbers.flat_map(|n| frame(1, n, &format!("line {n}\n"))).collect()
}

/// Reads to the end. The recording is over after `stop_after` milliseconds.
fn read(engine: &FakeEngine, task: Option<&str>, follow: bool, stop_after: Option<u64>) -> Stream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (stop, watching) = watch::channel(Stop::Not);
        let stream = Stream::new("c1", task, Source::Container, LIMITS, &Shelf::new(1 << 30));
        let reading = stream.read(engine.clone(), engine.clone(), follow, LIMITS, watching);
        let stopping = async {
            if let Some(ms) = stop_after {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                stop.send(Stop::Drain(Instant::now() + Duration::from_millis(100))).unwrap();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            done = reading => done,
            () = stopping => unreachable!(),
        }
    })
}

fn texts(stream: Stream) -> Vec<String> {
    crate::fake::texts(stream.kept.held.take())
}

fn numbered(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|n| format!("line {n}")).collect()
}

#[test]
fn a_followed_log_is_proved_by_a_second_reading() {
    let engine = FakeEngine::default()
        .body("/containers/c1/", Ok((log(0..3), After::End)))
        .body("/containers/c1/", Ok((log(0..5), After::End)));
    let stream = read(&engine, None, true, None);
    assert_eq!((&stream.ended, stream.kept.lines, stream.kept.bytes), (&Ended::Eof, 5, 35));
    assert_eq!(texts(stream), numbered(0..5));
    assert!(engine.asked()[0].contains("follow=1") && engine.asked()[1].contains("follow=0"));
}

#[test]
fn stopping_ends_the_following_and_fetches_the_rest() {
    let engine = FakeEngine::default()
        .body("/containers/c1/", Ok((log(0..3), After::Stall)))
        .body("/containers/c1/", Ok((log(0..4), After::End)));
    let stream = read(&engine, None, true, Some(20));
    assert_eq!(stream.ended, Ended::Eof);
    assert_eq!(texts(stream), numbered(0..4));
}

#[test]
fn a_removed_container_was_read_to_its_end() {
    let engine = FakeEngine::default()
        .body("/containers/c1/", Ok((log(0..3), After::End)))
        .body("/containers/c1/", Err(missing()));
    let stream = read(&engine, Some("t1"), true, None);
    assert_eq!((&stream.ended, stream.source), (&Ended::Eof, Source::Container));
    assert_eq!(texts(stream), numbered(0..3));
}

#[test]
fn a_broken_connection_to_a_removed_container_is_a_gap() {
    let engine = FakeEngine::default()
        .body("/containers/c1/", Ok((log(0..3), After::Break)))
        .body("/containers/c1/", Err(missing()));
    let stream = read(&engine, None, true, None);
    assert_eq!(stream.ended, Ended::Error("No such container".into()));
    assert_eq!(stream.notes, ["connection lost"]);
    assert_eq!(texts(stream), numbered(0..3));
}

#[test]
fn a_container_that_is_gone_is_asked_for_by_its_task() {
    let engine = FakeEngine::default()
        .body("/containers/c1/", Err(missing()))
        .body("/tasks/t1/", Ok((log(0..2), After::End)));
    let stream = read(&engine, Some("t1"), false, None);
    assert_eq!((&stream.ended, stream.source), (&Ended::Eof, Source::Task));
    assert_eq!(texts(stream), numbered(0..2));
}

#[test]
fn an_empty_answer_of_the_task_endpoint_proves_nothing() {
    let engine = FakeEngine::default()
        .body("/containers/c1/", Err(missing()))
        .body("/tasks/t1/", Ok((Vec::new(), After::End)));
    let stream = read(&engine, Some("t1"), false, None);
    assert_eq!(stream.ended, Ended::Error("No such container".into()));
}

#[test]
fn a_stalled_stream_ends_by_its_silence_or_the_deadline() {
    let stalled = || FakeEngine::default().body("/containers/c1/", Ok((log(0..2), After::Stall)));
    let stream = read(&stalled(), None, false, None);
    assert_eq!(stream.ended, Ended::Idle);
    assert_eq!(texts(stream), numbered(0..2));
    let slow = Limits { idle: Duration::from_mins(1), ..LIMITS };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let (_stop, watching) = watch::channel(Stop::Drain(Instant::now() + Duration::from_millis(50)));
        Stream::new("c1", None, Source::Container, slow, &Shelf::new(1 << 30))
            .read(stalled(), stalled(), true, slow, watching)
            .await
    });
    assert_eq!(stream.ended, Ended::Deadline);
    assert_eq!(texts(stream), numbered(0..2));
}

#[test]
fn the_engines_own_error_is_no_log_text() {
    let mut bytes = log(0..1);
    let fault = "Error grabbing logs: x\n";
    bytes.extend([3, 0, 0, 0, 0, 0, 0, u8::try_from(fault.len()).unwrap()]);
    bytes.extend(fault.as_bytes());
    let engine = FakeEngine::default().body("/containers/c1/", Ok((bytes, After::End)));
    let stream = read(&engine, None, false, None);
    assert_eq!(stream.ended, Ended::Error("Error grabbing logs: x".into()));
    assert_eq!(texts(stream), numbered(0..1));
}

#[test]
fn a_line_of_100_kib_is_whole_across_chunks_and_connections() {
    let part = "y".repeat(16 * 1024);
    let chunks: Vec<Vec<u8>> = (0..6).map(|_| frame(1, 7, &part)).chain([frame(1, 7, "end\n")]).collect();
    // The parts are identical. The second reading must neither repeat those that arrived nor skip those that did not.
    let engine = FakeEngine::default()
        .body("/containers/c1/", Ok((chunks[..3].concat(), After::Break)))
        .body("/containers/c1/", Ok((chunks.concat(), After::End)));
    let stream = read(&engine, None, true, None);
    assert_eq!(stream.ended, Ended::Eof);
    assert_eq!(texts(stream), [part.repeat(6) + "end"]);
}
