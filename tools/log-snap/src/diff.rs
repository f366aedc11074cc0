//! `log-snap diff`: finds the first line of each service that a good run does not have.
//!
//! Times, ids and numbers differ between any two runs, so lines are compared by their normalised text. The order of
//! the lines of one service may differ too, and does not matter: what counts is whether the good run has such a line
//! at all. If it has all of them, the first line that the bad run lacks counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lib_common::Result;
use lib_common::signature::normalise;
use serde::Serialize;

use crate::bundle::entry::Stream;
use crate::bundle::merge::{Row, merge};
use crate::bundle::read::Bundle;

/// Where the bad run of a service departs from the good one.
#[derive(Debug, Serialize)]
pub struct Divergence {
    /// Name of the service, without the stack's name.
    pub service: String,
    pub why: &'static str,
    /// The last line before it that both runs have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good: Option<Place>,
}

/// A log line, and where it stands in the bundle.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    pub name: String,
    pub container: String,
    pub at: String,
    pub from: String,
    /// Number of the line in its log, counted from 1.
    pub line: u64,
    /// Byte in the blob at which the line starts, for `cat --blob --offset`.
    pub offset: u64,
    pub blob: String,
    pub text: String,
}

impl Place {
    /// Bytes of a line that are printed. The offset leads to the rest of a longer one.
    const LONGEST: usize = 4096;

    #[must_use]
    pub fn of(row: &Row) -> Self {
        let line = row.line.strip_suffix(b"\n").unwrap_or(row.line);
        Self {
            name: row.stream.name.clone(),
            container: row.stream.container.clone(),
            at: row.time.to_owned(),
            from: row.from.to_owned(),
            line: row.number,
            offset: row.offset,
            blob: row.stream.text.clone().unwrap_or_default(),
            text: String::from_utf8_lossy(&line[..line.len().min(Self::LONGEST)]).into_owned(),
        }
    }
}

/// Compares two runs service by service, in the order of their names.
pub fn diff(good: &Bundle, bad: &Bundle) -> Result<Vec<Divergence>> {
    let (of_good, of_bad) = (services(good), services(bad));
    let names: BTreeSet<&String> = of_good.keys().chain(of_bad.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let none = Vec::new();
        let streams = |of: &BTreeMap<String, Vec<Stream>>| of.get(name).unwrap_or(&none).clone();
        found.extend(service(name, good, &streams(&of_good), bad, &streams(&of_bad))?);
    }
    Ok(found)
}

/// The logs by service: `app.1` belongs to `app`.
fn services(bundle: &Bundle) -> BTreeMap<String, Vec<Stream>> {
    let mut services: BTreeMap<String, Vec<Stream>> = BTreeMap::new();
    for stream in &bundle.streams {
        let name = stream.name.rsplit_once('.').map_or(stream.name.as_str(), |(name, _)| name);
        services.entry(name.to_owned()).or_default().push(stream.clone());
    }
    services
}

fn service(
    name: &str,
    good: &Bundle,
    of_good: &[Stream],
    bad: &Bundle,
    of_bad: &[Stream],
) -> Result<Option<Divergence>> {
    // The lines of the good run. The bad run departs at its first line that is not among them.
    let mut known: HashMap<u64, u64> = HashMap::new();
    merge(good, of_good.iter(), |row| {
        *known.entry(key(row.line)).or_default() += 1;
        Ok(true)
    })?;
    let (mut seen, mut before, mut parts) = (HashMap::new(), None, None);
    merge(bad, of_bad.iter(), |row| {
        let key = key(row.line);
        if known.contains_key(&key) {
            *seen.entry(key).or_insert(0u64) += 1;
            before = Some(Place::of(row));
            return Ok(true);
        }
        parts = Some(Place::of(row));
        Ok(false)
    })?;
    let found =
        |why, bad, good| Divergence { service: name.to_owned(), why, before: before.clone(), bad, good };
    if parts.is_some() {
        return Ok(Some(found("a line that the good run does not have", parts, None)));
    }
    // The good run has every line of the bad one. Does the bad one lack any?
    let mut lacks = None;
    merge(good, of_good.iter(), |row| {
        if seen.contains_key(&key(row.line)) {
            return Ok(true);
        }
        lacks = Some(Place::of(row));
        Ok(false)
    })?;
    Ok(lacks.map(|lacks| found("it ends without a line that the good run has", None, Some(lacks))))
}

/// 64 bits of the hash of a normalised line: keeping the lines themselves would need the memory of a whole log.
fn key(line: &[u8]) -> u64 {
    let hash = blake3::hash(&normalise(line));
    hash.as_bytes()[..8].try_into().map_or(0, u64::from_le_bytes)
}
