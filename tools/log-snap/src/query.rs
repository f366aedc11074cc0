//! The requests to the engine: polls the objects of the stack, and follows the events.

use std::time::Duration;

use lib_common::docker::{ApiResult, filters};
use lib_common::swarm::event::{Lines, Wanted};
use lib_common::swarm::label;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::api::{Api, Body};
use crate::seen::Poll;

/// How soon a lost event stream is opened again. The engine remembers only its last 256 events, so a longer wait could
/// lose some.
const RECONNECT: Duration = Duration::from_millis(200);

/// Lists the containers of the stack on one node, stopped ones included.
pub async fn containers<A: Api>(api: &A, stack: &str) -> ApiResult<Value> {
    let label = filters(&[("label", &label::of_stack(stack))]);
    api.get(&format!("/containers/json?all=1&{label}")).await
}

/// Asks a manager for the services, tasks, configs, secrets (without their values) and networks of the stack.
pub async fn poll<A: Api>(api: &A, stack: &str) -> Poll {
    let label = filters(&[("label", &label::of_stack(stack))]);
    let mut poll = Poll::default();
    let mut ask = async |path: String| match api.get(&path).await {
        Ok(value) => Some(value),
        Err(e) => {
            poll.errors.push(format!("{}: {}", path.split('?').next().unwrap_or_default(), e.message));
            None
        }
    };
    let services = ask(format!("/services?{label}")).await;
    let tasks = ask(format!("/tasks?{label}")).await;
    let configs = ask(format!("/configs?{label}")).await;
    let secrets = ask(format!("/secrets?{label}")).await;
    let networks = ask(format!("/networks?{label}")).await;
    Poll { services, tasks, configs, secrets, networks, ..poll }
}

/// A message from the task that follows the events of one node.
pub enum FeedMessage {
    /// The event stream is open: no event from now on is missed.
    Open,
    Event(Value),
    /// The event stream broke, with the cause. It will be opened again.
    Lost(String),
}

/// Follows the events of a node from `since` on (nanoseconds since 1970), until the receiver of `news` is dropped.
/// After a lost connection it continues after the last event that it has received.
pub async fn follow_events<A: Api>(
    api: A,
    mut since: i64,
    node: usize,
    news: mpsc::Sender<(usize, FeedMessage)>,
) {
    loop {
        let wanted = Wanted { since: Some(since), ..Wanted::default() };
        let lost = match api.open(&wanted.path()).await {
            Err(e) => e.message,
            Ok(body) => {
                if news.send((node, FeedMessage::Open)).await.is_err() {
                    return;
                }
                match read_events(body, |event| since = since.max(event + 1), node, &news).await {
                    Ok(()) => "the engine ended the event stream".to_owned(),
                    Err(e) => e.message,
                }
            }
        };
        if news.send((node, FeedMessage::Lost(lost))).await.is_err() {
            return;
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

/// The events of the last day that the engine still remembers (it keeps 256).
pub async fn past_events<A: Api>(api: &A, now: i64) -> ApiResult<Vec<Value>> {
    const DAY: i64 = 86_400_000_000_000;
    let wanted = Wanted { since: Some(now - DAY), until: Some(now), ..Wanted::default() };
    let mut body = api.open(&wanted.path()).await?;
    let (mut lines, mut events) = (Lines::default(), Vec::new());
    while let Some(bytes) = body.chunk().await? {
        events.extend(lines.push(&bytes));
    }
    Ok(events)
}

async fn read_events<B: Body>(
    mut body: B,
    mut seen: impl FnMut(i64),
    node: usize,
    news: &mpsc::Sender<(usize, FeedMessage)>,
) -> ApiResult<()> {
    let mut lines = Lines::default();
    while let Some(bytes) = body.chunk().await? {
        for event in lines.push(&bytes) {
            seen(event["timeNano"].as_i64().unwrap_or_default());
            if news.send((node, FeedMessage::Event(event))).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{After, FakeEngine};

    #[test]
    fn a_lost_event_stream_goes_on_behind_the_last_event() {
        let event = |n: i64| format!("{{\"Type\":\"x\",\"timeNano\":{n}}}\n").into_bytes();
        let engine = FakeEngine::default()
            .body("/events", Ok(([event(5), event(7)].concat(), After::Break)))
            .body("/events", Ok((event(9), After::Stall)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let got = runtime.block_on(async {
            let (sender, mut news) = mpsc::channel(8);
            let following = follow_events(engine.clone(), 1, 0, sender);
            let listening = async {
                let mut got = Vec::new();
                while got.len() < 6 {
                    got.push(match news.recv().await.map(|(_, news)| news) {
                        Some(FeedMessage::Open) => "open".into(),
                        Some(FeedMessage::Event(event)) => event["timeNano"].to_string(),
                        Some(FeedMessage::Lost(cause)) => cause,
                        None => "end".into(),
                    });
                }
                got
            };
            tokio::select! { got = listening => got, () = following => Vec::new() }
        });
        assert_eq!(got, ["open", "5", "7", "connection lost", "open", "9"]);
        assert!(engine.asked()[1].ends_with("since=0.000000008"), "{:?}", engine.asked());
    }
}
