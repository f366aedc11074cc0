//! Turns what was recorded into a bundle: names, order, redaction. The only way from memory to the disk.

use lib_common::Result;
use lib_common::record::log::LogSnapped;

use crate::bundle::blob::Builder;
use crate::bundle::entry::{self, End, Entry, Gap, Snap};
use crate::bundle::write::Writer;
use crate::clean::Cleaner;
use crate::death::Death;
use crate::names::Names;
use crate::recorder::{Capture, short};
use crate::secrets;
use crate::seen::container::Container;
use crate::seen::task::Task;
use crate::seen::text;
use crate::stream::frame::From;
use crate::stream::hold::Item;
use crate::stream::line::Line;
use crate::stream::reader::{Ended, Source, Stream};
use crate::stream::stamp;

/// `log.snapped` lists so many gaps; the index has them all.
const MAX_GAPS: usize = 50;
const PEM: &[u8] = b"-----BEGIN PRIVATE KEY-----\n";

struct Assembly<'a> {
    writer: Writer,
    capture: &'a Capture,
    names: Names<'a>,
    cleaner: Cleaner,
    gaps: Vec<String>,
    max_line: usize,
    lines: u64,
    bytes: u64,
}

/// Writes the bundle and returns its record; path and duration are the caller's to fill in.
pub fn assemble(
    writer: Writer,
    capture: &Capture,
    names: Names,
    about: Snap,
    max_line: usize,
) -> Result<LogSnapped> {
    let cleaner = Cleaner::new(&secrets::of(&capture.seen));
    let (stack, attempt_id) = (about.stack.clone(), about.attempt_id.clone());
    let mut all = Assembly {
        writer,
        capture,
        names,
        cleaner,
        gaps: capture.gaps.clone(),
        max_line,
        lines: 0,
        bytes: 0,
    };
    all.writer.entry(&Entry::Snap(about))?;
    all.services()?;
    all.tasks()?;
    all.containers()?;
    all.streams()?;
    all.events()?;
    all.finish(stack, attempt_id)
}

impl Assembly<'_> {
    fn services(&mut self) -> Result<()> {
        for service in self.capture.seen.services.values() {
            self.writer.entry(&Entry::Service(entry::Service {
                id: service.id.clone(),
                name: service.name.clone(),
                versions: service.versions,
                spec: self.cleaner.value(&service.spec),
                previous_spec: self.cleaner.value(&service.previous),
                update_status: self.cleaner.value(&service.update),
            }))?;
        }
        for (id, config) in &self.capture.seen.configs {
            self.writer.entry(&Entry::Config(entry::Config {
                id: id.clone(),
                name: text(&config["Spec"]["Name"]),
                version: config["Version"]["Index"].as_u64().unwrap_or_default(),
            }))?;
        }
        Ok(())
    }

    fn tasks(&mut self) -> Result<()> {
        let mut tasks: Vec<&Task> = self.capture.seen.tasks.values().collect();
        tasks.sort_by_key(|task| (task.steps.first().map(|step| step.at), &task.id));
        for task in tasks {
            let container = task.container.as_ref().and_then(|id| self.capture.seen.containers.get(id));
            let exit_code = container.and_then(|c| c.exit_code).or(task.exit_code);
            self.writer.entry(&Entry::Task(entry::Task {
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
            }))?;
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
            self.writer.entry(&Entry::Timeline(entry::Timeline { task: task.id.clone(), steps }))?;
        }
        Ok(())
    }

    fn containers(&mut self) -> Result<()> {
        for container in self.capture.seen.containers.values() {
            let task = container.task.as_ref().and_then(|id| self.capture.seen.tasks.get(id));
            let error = task.map_or("", Task::error);
            self.writer.entry(&Entry::Container(entry::Container {
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
                env: container.env.iter().map(|pair| self.cleaner.pair(pair)).collect(),
            }))?;
            for probe in &container.probes {
                self.writer.entry(&Entry::Probe(entry::Probe {
                    container: container.id.clone(),
                    first: stamp::show(probe.first),
                    last: stamp::show(probe.last),
                    count: probe.count,
                    exit_code: probe.exit_code,
                    output: self.cleaner.text(&probe.output),
                }))?;
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

    fn streams(&mut self) -> Result<()> {
        let mut streams: Vec<(String, &Stream)> =
            self.capture.streams.iter().map(|stream| (self.names.stream(stream), stream)).collect();
        streams.sort_by_key(|(name, stream)| (name.clone(), stream.first, &stream.container));
        for (name, stream) in streams {
            let entry = self.stream(&name, stream)?;
            if let Some(gap) = gap(&entry) {
                self.gaps.push(gap);
            }
            self.lines += entry.lines;
            self.bytes += entry.bytes;
            self.writer.entry(&Entry::Stream(entry))?;
        }
        Ok(())
    }

    fn stream(&mut self, name: &str, stream: &Stream) -> Result<entry::Stream> {
        let (mut content, mut times) = (Builder::default(), Builder::default());
        let mut redactors = [self.cleaner.for_stream(), self.cleaner.for_stream()];
        let mut cut_lines = 0;
        for item in stream.held.items() {
            let (at, from, line) = match item {
                Item::Line(line) => {
                    cut_lines += u64::from(line.whole > self.max_line as u64);
                    let clean = clean(&line, self.max_line, &mut redactors[line.from.index()]);
                    let Some(clean) = clean else { continue };
                    (line.at, line.from, clean)
                }
                Item::Elided(gone) => {
                    for (redactor, within) in redactors.iter_mut().zip(gone.within_pem) {
                        if within {
                            // Its BEGIN is among what was left out: the rest of the key goes too.
                            redactor.line(PEM);
                        }
                    }
                    let mark = format!("[log-snap: {} lines, {} bytes left out]", gone.lines, gone.bytes);
                    (gone.at, From::Out, mark.into_bytes())
                }
            };
            let time = format!("{} {}\n", stamp::show(at), from.name());
            content
                .push(&line)
                .and_then(|()| content.push(b"\n"))
                .and_then(|()| times.push(time.as_bytes()))
                .map_err(|e| lib_common::Error::cannot("compressing a log", e).on(name))?;
        }
        for redactor in &redactors {
            self.cleaner.count(redactor);
        }
        let elided = stream.held.elided();
        let (ended, error) = match &stream.ended {
            Ended::Eof if elided.lines > 0 => ("cap", None),
            Ended::Eof => ("eof", None),
            Ended::Idle => ("idle", None),
            Ended::Deadline => ("deadline", None),
            Ended::Never => ("error", Some("never read".into())),
            Ended::Error(cause) => ("error", Some(self.cleaner.text(cause))),
        };
        Ok(entry::Stream {
            container: stream.container.clone(),
            task: stream.task.clone(),
            service: self.names.stream_service(stream),
            name: name.to_owned(),
            source: if stream.source == Source::Task { "task" } else { "container" }.into(),
            bytes: stream.bytes,
            lines: stream.lines,
            first: stream.first.map(stamp::show),
            last: stream.last.map(stamp::show),
            ended: ended.into(),
            error,
            notes: stream.notes.iter().map(|note| self.cleaner.text(note)).collect(),
            elided_lines: elided.lines,
            elided_bytes: elided.bytes,
            cut_lines,
            text: self.writer.blob(content)?,
            times: self.writer.blob(times)?,
        })
    }

    fn events(&mut self) -> Result<()> {
        for event in &self.capture.seen.events {
            let clean = |(name, value): (&String, &String)| (name.clone(), self.cleaner.named(name, value));
            self.writer.entry(&Entry::Event(entry::Event {
                at: stamp::show(event.at),
                object: event.kind.clone(),
                id: event.id.clone(),
                attributes: event.attributes.iter().map(clean).collect(),
                // `health_status: unhealthy`, but also `exec_create: COMMAND`.
                action: self.cleaner.text(&event.action),
                matched: event.matched.into(),
            }))?;
        }
        for sample in &self.capture.samples {
            self.writer.entry(&Entry::Pressure(sample.clone()))?;
        }
        Ok(())
    }

    fn finish(mut self, stack: String, attempt_id: Option<String>) -> Result<LogSnapped> {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let read: Vec<&str> = self.capture.streams.iter().map(|stream| stream.container.as_str()).collect();
        for task in self.capture.seen.tasks.values() {
            let ran = |id: &&str| !self.capture.seen.containers.get(*id).is_some_and(Container::never_ran);
            if let Some(id) = task.container.as_deref().filter(|id| !read.contains(id)).filter(ran) {
                self.gaps.push(format!("log of {} ({}): not read", self.names.task(task), short(id)));
            }
        }
        let mut gaps: Vec<String> = self.gaps.iter().map(|gap| self.cleaner.text(gap)).collect();
        gaps.dedup();
        for what in &gaps {
            self.writer.entry(&Entry::Gap(Gap { what: what.clone() }))?;
        }
        let end = End {
            complete: gaps.is_empty(),
            tasks: count(self.capture.seen.tasks.len()),
            streams: count(self.capture.streams.len()),
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
        let blake3 = self.writer.finish(end.clone())?;
        Ok(LogSnapped {
            attempt_id,
            stack,
            path: String::new(),
            blake3,
            complete: end.complete,
            gaps,
            tasks: end.tasks,
            streams: end.streams,
            lines: end.lines,
            bytes: end.bytes,
            redactions: end.redactions,
            duration_ms: 0,
        })
    }
}

/// A line without its secrets; `None` where nothing of it may stay (the inside of a private key). A long line
/// is redacted with what follows the cut, so that half a secret never stays.
fn clean(line: &Line, max: usize, redactor: &mut lib_common::redact::Redactor) -> Option<Vec<u8>> {
    let mut clean = redactor.line(&line.text).into_owned();
    if clean.last() == Some(&b'\n') {
        clean.pop();
    }
    if clean.is_empty() && !line.text.is_empty() {
        return None;
    }
    if line.whole > max as u64 {
        let beyond = line.text.len().saturating_sub(max);
        clean.truncate(clean.len().saturating_sub(beyond));
        clean.extend_from_slice(format!("[log-snap: cut, {} bytes in all]", line.whole).as_bytes());
    }
    Some(clean)
}

/// What is missing of a log, in words.
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
#[path = "assemble_tests.rs"]
mod tests;
