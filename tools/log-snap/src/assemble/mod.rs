//! Turns a recording into a bundle: gives things their names, puts them in order, redacts them. Everything that gets
//! from memory to disk passes through here.

pub mod check;
pub mod log;

use std::time::Instant;

use lib_common::record::log::LogSnapped;
use lib_common::{Error, Result};
use serde_json::Value;

use crate::bundle::entry::{self, End, Entry, Gap, Snap};
use crate::bundle::write::Writer;
use crate::clean::Cleaner;
use crate::death::Death;
use crate::names::Names;
use crate::recorder::{Recording, short};
use crate::seen::container::Container;
use crate::seen::task::Task;
use crate::seen::text;
use crate::stream::reader::{Ended, Source, Stream};
use crate::usage::peak_memory;
use lib_common::swarm::stamp;

/// How many bytes a driver writes around a line, at the least.
const RECORD: u64 = 32;
const ROTATED: &str = "as large as the driver keeps: older lines may have been rotated away";
/// How many gaps `log.snapped` lists. The index has all of them.
const MAX_GAPS: usize = 50;

struct Assembly<'a> {
    writer: Writer,
    recording: &'a Recording,
    names: Names<'a>,
    began: Instant,
    cleaner: Cleaner,
    gaps: Vec<String>,
    max_line: usize,
    lines: u64,
    bytes: u64,
}

/// What the bundle says besides the recording itself.
pub struct About {
    pub snap: Snap,
    pub nodes: Vec<entry::Node>,
    /// Names of the secrets that are ordinary words and are not searched for.
    pub weak: Vec<String>,
    pub max_line: usize,
    /// When the recording had ended and reading what was left began. `bytes_per_s` counts from here.
    pub began: Instant,
}

/// Writes the bundle and returns its record, in which the caller fills in path and duration. The memory of each log is
/// freed as soon as it is written.
pub fn assemble(
    writer: Writer,
    recording: &Recording,
    streams: Vec<Stream>,
    names: Names,
    cleaner: Cleaner,
    about: About,
) -> Result<LogSnapped> {
    let (stack, attempt_id) = (about.snap.stack.clone(), about.snap.attempt_id.clone());
    let mut all = Assembly {
        writer,
        recording,
        names,
        began: about.began,
        cleaner,
        gaps: recording.gaps.clone(),
        max_line: about.max_line,
        lines: 0,
        bytes: 0,
    };
    all.entry(&Entry::Snap(about.snap))?;
    for node in about.nodes {
        all.entry(&Entry::Node(node))?;
    }
    for name in about.weak {
        all.entry(&Entry::Weak(entry::Weak { name }))?;
    }
    all.services()?;
    all.tasks()?;
    all.containers()?;
    let read: Vec<String> = streams.iter().map(|stream| stream.container.clone()).collect();
    all.streams(streams)?;
    all.events()?;
    all.finish(&read, stack, attempt_id)
}

impl Assembly<'_> {
    /// Adds a line to the index. The caller has redacted the fields that usually hold secrets. If the whole line still
    /// contains one (in a name, or in a field that nobody thought of), every string of the line is redacted.
    fn entry(&mut self, entry: &Entry) -> Result<()> {
        let line = crate::bundle::write::line(entry)
            .map_err(|e| Error::cannot("writing the bundle", e).on("an index line"))?;
        if !self.cleaner.leaks(&line) {
            return self.writer.line(&line);
        }
        let value: Value = serde_json::from_slice(&line).unwrap_or_default();
        self.writer.line(format!("{}\n", self.cleaner.value(&value)).as_bytes())
    }

    fn services(&mut self) -> Result<()> {
        for service in self.recording.seen.services.values() {
            let service = entry::Service {
                id: service.id.clone(),
                name: service.name.clone(),
                versions: service.versions,
                spec: self.cleaner.value(&service.spec),
                previous_spec: self.cleaner.value(&service.previous),
                update_status: self.cleaner.value(&service.update),
            };
            self.entry(&Entry::Service(service))?;
        }
        let named = |(id, row): (&String, &Value)| entry::Named {
            id: id.clone(),
            name: text(&row["Spec"]["Name"]),
            version: row["Version"]["Index"].as_u64().unwrap_or_default(),
        };
        for config in self.recording.seen.configs.iter().map(named) {
            self.entry(&Entry::Config(config))?;
        }
        for secret in self.recording.seen.secrets.iter().map(named) {
            self.entry(&Entry::Secret(secret))?;
        }
        for (id, row) in &self.recording.seen.networks {
            let (name, driver, scope) = (text(&row["Name"]), text(&row["Driver"]), text(&row["Scope"]));
            self.entry(&Entry::Network(entry::Network { id: id.clone(), name, driver, scope }))?;
        }
        Ok(())
    }

    fn tasks(&mut self) -> Result<()> {
        let mut tasks: Vec<&Task> = self.recording.seen.tasks.values().collect();
        tasks.sort_by_key(|task| (task.steps.first().map(|step| step.at), &task.id));
        for task in tasks {
            let container = task.container.as_ref().and_then(|id| self.recording.seen.containers.get(id));
            let exit_code = container.and_then(|c| c.exit_code).or(task.exit_code);
            let entry = entry::Task {
                id: task.id.clone(),
                service: self.names.service(&task.service),
                name: self.names.task(task),
                node: self.names.node(&task.node),
                container: task.container.clone(),
                image: self.cleaner.text(&task.image),
                state: task.state().to_owned(),
                error: self.cleaner.text(task.error()),
                exit_code,
                meaning: exit_code.map(|code| meaning(code, container, task.error())),
            };
            self.entry(&Entry::Task(entry))?;
            let mut steps = Vec::new();
            for step in &task.steps {
                steps.push(entry::Step {
                    at: stamp::show(step.at),
                    state: step.state.clone(),
                    desired: step.desired.clone(),
                    message: self.cleaner.text(&step.message),
                    error: self.cleaner.text(&step.error),
                });
            }
            self.entry(&Entry::Timeline(entry::Timeline { task: task.id.clone(), steps }))?;
        }
        Ok(())
    }

    fn containers(&mut self) -> Result<()> {
        for container in self.recording.seen.containers.values() {
            let task = container.task.as_ref().and_then(|id| self.recording.seen.tasks.get(id));
            let error = task.map_or("", Task::error);
            let entry = entry::Container {
                id: container.id.clone(),
                name: container.name.clone(),
                task: container.task.clone(),
                state: container.state.clone(),
                exit_code: container.exit_code,
                meaning: container.exit_code.map(|code| meaning(code, Some(container), error)),
                oom_killed: container.oom_killed,
                error: self.cleaner.text(&container.error),
                started: container.started.map(stamp::show),
                finished: container.finished.map(stamp::show),
                restarts: container.restarts,
                health: container.health.clone(),
                signals: container.signals.clone(),
                log_driver: container.log_driver.clone(),
                tty: container.tty,
                argv: self.cleaner.words(container.argv.iter().map(String::as_str)),
                env: container.env.iter().map(|pair| self.cleaner.pair(pair)).collect(),
            };
            self.entry(&Entry::Container(entry))?;
            for probe in &container.probes {
                let probe = entry::Probe {
                    container: container.id.clone(),
                    first: stamp::show(probe.first),
                    last: stamp::show(probe.last),
                    count: probe.count,
                    exit_code: probe.exit_code,
                    output: self.cleaner.text(&probe.output),
                };
                self.entry(&Entry::Probe(probe))?;
            }
            if container.probes_dropped > 0 {
                let what = format!(
                    "health probes of {}: {} more than are kept",
                    short(&container.id),
                    container.probes_dropped
                );
                self.gaps.push(what);
            }
        }
        Ok(())
    }

    fn streams(&mut self, streams: Vec<Stream>) -> Result<()> {
        let mut streams: Vec<(String, Stream)> =
            streams.into_iter().map(|stream| (self.names.stream(&stream), stream)).collect();
        streams.sort_by(|(one, a), (other, b)| {
            (one, a.kept.first, &a.container).cmp(&(other, b.kept.first, &b.container))
        });
        for (name, stream) in streams {
            let entry = self.stream(&name, stream)?;
            if let Some(gap) = gap(&entry) {
                self.gaps.push(gap);
            }
            self.lines += entry.lines;
            self.bytes += entry.bytes;
            self.entry(&Entry::Stream(entry))?;
        }
        Ok(())
    }

    fn stream(&mut self, name: &str, stream: Stream) -> Result<entry::Stream> {
        let service = self.names.stream_service(&stream);
        let (bytes, lines) = (stream.kept.bytes, stream.kept.lines);
        let (first, last) = (stream.kept.first, stream.kept.last);
        let kept = stream.kept.held.take();
        let (elided, squeezed) = (kept.elided, kept.squeezed);
        let written = log::write(kept, self.max_line, &mut self.cleaner, &mut self.writer)?;
        // A file on this machine was looked at itself.
        let kept =
            self.recording.seen.containers.get(&stream.container).and_then(|container| container.log_kept);
        let full = stream.source != Source::File
            && !stream.followed
            && kept.is_some_and(|kept| bytes.saturating_add(lines.saturating_mul(RECORD)) >= kept);
        let (ended, error) = match &stream.ended {
            Ended::Eof if full => ("error", Some(ROTATED.into())),
            Ended::Eof if elided.lines > 0 => ("cap", None),
            Ended::Eof => ("eof", None),
            Ended::Idle => ("idle", None),
            Ended::Deadline => ("deadline", None),
            Ended::Never => ("error", Some("never read".into())),
            Ended::Error(cause) => ("error", Some(self.cleaner.text(cause))),
        };
        let mut notes: Vec<String> = stream.notes.iter().map(|note| self.cleaner.text(note)).collect();
        if squeezed {
            notes.push("lines left out for want of memory: raise --memory".into());
        }
        Ok(entry::Stream {
            container: stream.container,
            task: stream.task,
            service,
            name: name.to_owned(),
            source: match stream.source {
                Source::File => "file",
                Source::Container => "container",
                Source::Task => "task",
            }
            .into(),
            bytes,
            lines,
            first: first.map(stamp::show),
            last: last.map(stamp::show),
            ended: ended.into(),
            error,
            notes,
            elided_lines: elided.lines,
            elided_bytes: elided.bytes,
            cut_lines: written.cut,
            text: written.text,
            times: written.times,
        })
    }

    fn events(&mut self) -> Result<()> {
        for event in &self.recording.seen.events {
            let clean = |(name, value): (&String, &String)| (name.clone(), self.cleaner.named(name, value));
            let entry = entry::Event {
                at: stamp::show(event.at),
                object: event.kind.clone(),
                id: event.id.clone(),
                attributes: event.attributes.iter().map(clean).collect(),
                // An action may contain foreign text: `exec_create: COMMAND`.
                action: self.cleaner.text(&event.action),
                matched: event.matched.into(),
            };
            self.entry(&Entry::Event(entry))?;
        }
        for sample in &self.recording.samples {
            self.entry(&Entry::Pressure(sample.clone()))?;
        }
        Ok(())
    }

    fn finish(mut self, read: &[String], stack: String, attempt_id: Option<String>) -> Result<LogSnapped> {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        for task in self.recording.seen.tasks.values() {
            let ran = |id: &&str| !self.recording.seen.containers.get(*id).is_some_and(Container::never_ran);
            let read = |id: &&str| read.iter().any(|read| read == id);
            if let Some(id) = task.container.as_deref().filter(|id| !read(id)).filter(ran) {
                self.gaps.push(format!("log of {} ({}): not read", self.names.task(task), short(id)));
            }
        }
        let mut gaps: Vec<String> = self.gaps.iter().map(|gap| self.cleaner.text(gap)).collect();
        gaps.dedup();
        for what in &gaps {
            self.entry(&Entry::Gap(Gap { what: what.clone() }))?;
        }
        let end = End {
            complete: gaps.is_empty(),
            tasks: count(self.recording.seen.tasks.len()),
            streams: count(read.len()),
            lines: self.lines,
            bytes: self.bytes,
            gaps: count(gaps.len()),
            redactions: self.cleaner.counts().clone(),
            blake3: String::new(),
        };
        if gaps.len() > MAX_GAPS {
            let more = gaps.len() - MAX_GAPS;
            gaps.truncate(MAX_GAPS);
            gaps.push(format!("and {more} more, see the bundle's index"));
        }
        check::no_leak(&mut self.writer, &self.cleaner)?;
        let blake3 = self.writer.finish(end.clone())?;
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        Ok(LogSnapped {
            attempt_id,
            stack,
            bytes_per_s: Some(end.bytes.saturating_mul(1000) / ms),
            peak_memory: peak_memory(),
            ..end.snapped(blake3, gaps)
        })
    }
}

/// Says in words what is missing of a log; `None` if it is complete.
fn gap(stream: &entry::Stream) -> Option<String> {
    let why = match stream.ended.as_str() {
        "eof" if stream.source == "task" && stream.lines == 0 => {
            "nothing came from the task endpoint, which cannot tell an empty log from a lost one".into()
        }
        "eof" => return None,
        "idle" => "the engine fell silent before the log's end".into(),
        "deadline" => "not at its end at the deadline".into(),
        "cap" => format!("{} lines left out of its middle", stream.elided_lines),
        _ => stream.error.clone().unwrap_or_default(),
    };
    Some(format!("log of {} ({}): {why}", stream.name, short(&stream.container)))
}

fn meaning(exit_code: i64, container: Option<&Container>, error: &str) -> String {
    let oom_killed = container.is_some_and(|container| container.oom_killed);
    let signals = container.map(|container| container.signals.as_slice()).unwrap_or_default();
    Death { exit_code, oom_killed, signals, error }.meaning()
}

#[cfg(test)]
mod tests;
