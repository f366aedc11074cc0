//! One capture from start to end: connects to the engines, records, finds the secrets, writes the bundle.

use std::time::Instant;

use lib_common::clock::rfc3339;
use lib_common::record::log::LogSnapped;
use lib_common::{Error, Io, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::assemble::{About, assemble};
use crate::bundle::SCHEMA;
use crate::bundle::entry::Snap;
use crate::bundle::write::Writer;
use crate::cli;
use crate::connect::{Swarm, connect};
use crate::names::Names;
use crate::plan::{self, Target};
use crate::recorder::{self, Recording, Setup};
use crate::secrecy::Secrecy;
use crate::secrets;

const DOING: &str = "capturing";
/// Threads that read log files. More threads would not read faster, but each of them holds a block in memory.
const READERS: usize = 2;

/// Captures `target` into a bundle and returns its record.
///
/// `attach` is `None` to take once what is there, `Some(false)` to record until a signal comes, and `Some(true)` to
/// record until a signal comes or the stack is gone.
pub fn take(
    capture: &cli::Capture,
    target: &Target,
    attach: Option<bool>,
    secrecy: &mut Secrecy,
    io: &mut Io,
) -> Result<LogSnapped> {
    let began = Instant::now();
    // Before anything is recorded: a bundle that cannot be written should fail before the run, not after it.
    let writer = Writer::create(&target.out)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().max_blocking_threads(READERS).enable_all().build();
    let runtime = runtime.map_err(|e| Error::cannot(DOING, e).on(&target.stack))?;
    let (mut recorded, swarm, snap) = runtime.block_on(record(capture, target, attach, io))?;
    // Requests and file reads that are still under way after the deadline are dropped, not waited for.
    runtime.shutdown_background();
    if recorded.seen.is_empty() {
        return Err(Error::cannot(DOING, "the engines showed no service, task or container of the stack")
            .on(&target.stack)
            .hint("start log-snap attach before the deploy; docker stack ls shows the names of stacks"));
    }
    io.diag.phase(format_args!("writing {}", target.out.display()));
    // As late as possible: secrets may be handed over until the recording has ended.
    secrecy.listener.take();
    recorded.gaps.splice(..0, swarm.gaps);
    recorded.gaps.extend(secrecy.listener.wrong.iter().cloned());
    let found = secrets::of(&recorded.seen, &secrecy.listener.handed);
    let nodes = swarm.nodes.iter().map(|node| (node.id.clone(), node.name.clone())).collect();
    let streams = std::mem::take(&mut recorded.streams);
    let names = Names::new(&target.stack, &recorded.seen, nodes);
    let about = About {
        snap,
        nodes: swarm.nodes,
        weak: found.weak,
        max_line: plan::limits(capture).line,
        began: recorded.drained,
    };
    let cleaner = secrecy.cleaner(&found.values);
    let snapped = assemble(writer, &recorded, streams, names, cleaner, about)?;
    for gap in &snapped.gaps {
        io.diag.warn(gap);
    }
    let path = plan::printed(&target.out, capture.secrecy.relative_to.as_deref());
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(LogSnapped { path, duration_ms, ..snapped })
}

async fn record(
    capture: &cli::Capture,
    target: &Target,
    attach: Option<bool>,
    io: &Io<'_>,
) -> Result<(Recording, Swarm, Snap)> {
    let started = rfc3339(io.clock.now());
    let mut signals = listen().map_err(|e| Error::cannot("listening for signals", e))?;
    let mut swarm = tokio::select! {
        connected = connect(&capture.engine, &capture.nodes, !capture.no_files, io.clock) => connected?,
        _ = signals.recv() => {
            return Err(Error::cannot(DOING, "a signal came before the engine answered").on(&target.stack));
        }
    };
    let setup = Setup {
        stack: target.stack.clone(),
        attach: attach.is_some(),
        until_gone: attach == Some(true),
        limits: plan::limits(capture),
        budget: plan::budget(capture),
        deadline: capture.deadline,
    };
    let manager = swarm.nodes[0].clone();
    let peers = std::mem::take(&mut swarm.peers);
    let recorded = recorder::record(peers, &setup, io.clock, signals, &io.diag).await;
    let about = Snap {
        schema: SCHEMA,
        tool: format!("{}/{}", io.diag.tool(), lib_common::VERSION),
        stack: target.stack.clone(),
        attempt_id: target.attempt.clone(),
        mode: if setup.attach { "attach" } else { "once" }.into(),
        started,
        ended: rfc3339(io.clock.now()),
        node: manager.name,
        engine: manager.engine.unwrap_or_default(),
        clock_skew_ms: manager.clock_skew_ms.unwrap_or_default(),
    };
    Ok((recorded, swarm, about))
}

/// Turns each SIGTERM and SIGINT into a message. The first message ends the recording, the second one ends the
/// reading of what is left.
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
