//! `log-snap cat`: prints the lines of a bundle that the options select, ordered by time, or a part of one blob.

use std::io::{self, Read as _, Write};

use lib_common::cli::duration;
use lib_common::{Error, Result};
use regex::bytes::Regex;

use super::entry::Stream;
use super::merge::merge;
use super::read::Bundle;
use crate::cli::Cat;
use crate::recorder::short;
use lib_common::swarm::stamp;

const DOING: &str = "printing the bundle";

/// Which lines are to be printed.
struct Wanted<'a> {
    args: &'a Cat,
    since: i64,
    until: i64,
    grep: Option<Regex>,
}

/// Prints what `args` selects. The errors tell a closed pipe, which is no failure, from a full disk.
pub fn cat(bundle: &Bundle, args: &Cat, out: &mut dyn Write) -> Result<()> {
    let failed = |e: io::Error| Error::write("standard output", &e);
    if let Some(hash) = &args.blob {
        let mut content = bundle.content_at(hash, args.offset)?.take(args.bytes.unwrap_or(u64::MAX));
        io::copy(&mut content, out).and_then(|_| out.flush()).map_err(failed)?;
        return Ok(());
    }
    let wanted = Wanted::new(bundle, args)?;
    let streams: Vec<&Stream> = bundle.streams.iter().filter(|stream| wanted.stream(stream)).collect();
    if streams.is_empty() && (args.service.is_some() || args.task.is_some()) {
        return Err(Error::no(DOING, "the bundle has no log of this service or task").on(wanted.name()));
    }
    merge(bundle, streams.into_iter(), |row| {
        if row.at >= wanted.until {
            // Go on: within one log times may go back, so a later line may still be before `until`.
            return Ok(true);
        }
        if row.at >= wanted.since && wanted.grep.as_ref().is_none_or(|grep| grep.is_match(row.line)) {
            let label = format!("{} {}", row.stream.name, short(&row.stream.container));
            write!(out, "{} {label} {} ", row.time, row.from)
                .and_then(|()| out.write_all(row.line))
                .map_err(failed)?;
        }
        Ok(true)
    })?;
    out.flush().map_err(failed)
}

impl<'a> Wanted<'a> {
    fn new(bundle: &Bundle, args: &'a Cat) -> Result<Self> {
        let last = bundle.streams.iter().filter_map(|stream| stamp::parse(stream.last.as_deref()?)).max();
        let time = |text: &Option<String>, default: i64| match text {
            Some(text) => moment(text, last.unwrap_or(i64::MAX)),
            None => Ok(default),
        };
        let grep = args.grep.as_deref().map(Regex::new).transpose();
        let grep = grep.map_err(|e| Error::cannot("reading arguments", e).on("--grep"))?;
        Ok(Self { args, since: time(&args.since, i64::MIN)?, until: time(&args.until, i64::MAX)?, grep })
    }

    fn stream(&self, stream: &Stream) -> bool {
        let service = |name: &str| stream.service == name || stream.name.split('.').next() == Some(name);
        let task = |name: &str| {
            let begins = |id: &str| name.len() >= 4 && id.starts_with(name);
            stream.name == name || begins(&stream.container) || stream.task.as_deref().is_some_and(begins)
        };
        self.args.service.as_deref().is_none_or(service) && self.args.task.as_deref().is_none_or(task)
    }

    fn name(&self) -> String {
        [&self.args.service, &self.args.task].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
    }
}

/// Parses a time, or an age before `last`, into nanoseconds since 1970.
fn moment(text: &str, last: i64) -> Result<i64> {
    if let Some(at) = stamp::parse(text) {
        return Ok(at);
    }
    let before = duration(text).map_err(|_| {
        Error::cannot(
            "reading arguments",
            "neither a time such as 2026-01-02T03:04:05Z nor an age such as 5m",
        )
        .on(format!("'{text}'"))
    })?;
    Ok(last.saturating_sub(i64::try_from(before.as_nanos()).unwrap_or(i64::MAX)))
}
