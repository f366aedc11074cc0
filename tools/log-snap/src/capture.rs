//! One capture from the engine's connection to the finished bundle.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use lib_common::clock::rfc3339;
use lib_common::docker::Engine;
use lib_common::record::log::LogSnapped;
use lib_common::{Error, Io, Result};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::assemble::assemble;
use crate::bundle::SCHEMA;
use crate::bundle::entry::Snap;
use crate::bundle::write::Writer;
use crate::cli;
use crate::names::Names;
use crate::node::Node;
use crate::plan::{self, Target};
use crate::recorder::{self, Capture, Setup};
use crate::seen::text;

const DOING: &str = "capturing";

/// Captures `target`; `attach` records until a signal (`Some(true)`: or until the stack is gone).
pub fn take(
    capture: &cli::Capture,
    target: &Target,
    attach: Option<bool>,
    io: &mut Io,
) -> Result<LogSnapped> {
    let began = Instant::now();
    let writer = Writer::create(&target.out)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::cannot(DOING, e).on(&target.stack))?;
    let (recorded, nodes, about) = runtime.block_on(record(capture, target, attach, io))?;
    if recorded.seen.is_empty() {
        return Err(Error::cannot(DOING, "nothing of the stack was ever there")
            .on(&target.stack)
            .hint("attach before the deploy; docker stack ls shows the names"));
    }
    io.diag.phase(format_args!("writing {}", target.out.display()));
    let names = Names::new(&target.stack, &recorded.seen, nodes);
    let snapped = assemble(writer, &recorded, names, about, plan::limits(capture).line)?;
    for gap in &snapped.gaps {
        io.diag.warn(gap);
    }
    let path = plan::printed(&target.out, capture.relative_to.as_deref().map(Path::new));
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(LogSnapped { path, duration_ms, ..snapped })
}

async fn record(
    capture: &cli::Capture,
    target: &Target,
    attach: Option<bool>,
    io: &Io<'_>,
) -> Result<(Capture, BTreeMap<String, String>, Snap)> {
    let started = rfc3339(io.clock.now());
    let mut signals = listen().map_err(|e| Error::cannot("listening for signals", e))?;
    let connecting = async {
        let engine = Engine::connect(&capture.engine).await?;
        let info = engine.require_manager().await?;
        Ok((engine, info))
    };
    let (engine, info) = tokio::select! {
        connected = connecting => connected?,
        _ = signals.recv() => {
            return Err(Error::cannot(DOING, "stopped before the engine answered").on(&target.stack));
        }
    };
    let skew = text(&info["SystemTime"]).parse::<jiff::Timestamp>().ok();
    let skew = skew.map_or(0, |theirs| theirs.as_millisecond() - io.clock.now().as_millisecond());
    let setup = Setup {
        stack: target.stack.clone(),
        attach: attach.is_some(),
        until_gone: attach == Some(true),
        limits: plan::limits(capture),
        deadline: capture.deadline,
        node_id: recorder::node_id(&info),
    };
    let node = engine.endpoint().is_local().then(|| Node::new("/proc", text(&info["DockerRootDir"])));
    let recorded = recorder::record(engine.clone(), &setup, node, io.clock, signals, &io.diag).await;
    let nodes = host_names(&engine).await;
    let about = Snap {
        schema: SCHEMA,
        tool: format!("{}/{}", io.diag.tool(), lib_common::VERSION),
        stack: target.stack.clone(),
        attempt_id: target.attempt.clone(),
        mode: if setup.attach { "attach" } else { "once" }.into(),
        started,
        ended: rfc3339(io.clock.now()),
        node: text(&info["Name"]),
        engine: engine.version().to_owned(),
        clock_skew_ms: skew,
    };
    Ok((recorded, nodes, about))
}

/// SIGTERM and SIGINT as messages: the first ends the recording, the second the draining.
fn listen() -> std::io::Result<mpsc::Receiver<()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if sender.send(()).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// Host names by node id; ids do where the engine does not say in time.
async fn host_names(engine: &Engine) -> BTreeMap<String, String> {
    let answer = tokio::time::timeout(Duration::from_secs(2), engine.get("/nodes")).await;
    let nodes = answer.ok().and_then(std::result::Result::ok).unwrap_or(Value::Null);
    let rows = nodes.as_array().into_iter().flatten();
    rows.map(|node| (text(&node["ID"]), text(&node["Description"]["Hostname"]))).collect()
}
