//! Reads tables with one result per row: CSV with a header line, or one JSON object a line with the same names. Pure.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use lib_common::junit::milliseconds;

use super::{Bad, Odd, Options, PastResult, PastRun, word};

/// Our name of each column, and its other possible names.
const COLUMNS: [(&str, &[&str]); 16] = [
    ("run", &["run_id", "build", "attempt_id"]),
    ("test", &["name", "case", "nodeid"]),
    ("outcome", &["result", "status", "verdict"]),
    ("started", &["timestamp", "time", "ts", "start", "date"]),
    ("duration", &["seconds", "duration_s"]),
    ("duration_ms", &[]),
    ("ref", &["commit", "sha", "revision"]),
    ("ref_kind", &[]),
    ("tests", &["tests_ref"]),
    ("harness", &[]),
    ("engine", &[]),
    ("machine", &["host", "hostname", "node", "runner", "boot_id"]),
    ("load", &["condition"]),
    ("recipe", &["suite", "project", "repo"]),
    ("version", &[]),
    ("message", &["error", "failure"]),
];

/// Columns whose names begin with this are factors, e.g. `factor.path`.
const FACTOR: &str = "factor.";

type Row = BTreeMap<String, String>;

pub fn csv(bytes: &[u8], options: &Options, odd: &mut Odd) -> Result<Vec<PastRun>, Bad> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(bytes);
    let bad = |e: csv::Error| Bad::at(e.position().map_or(1, csv::Position::line), e);
    let text = |cell: &[u8]| String::from_utf8_lossy(cell).into_owned();
    let header: Vec<String> = reader.byte_headers().map_err(bad)?.iter().map(text).collect();
    let names = Names::new(&header, options)?;
    let mut runs = Runs::default();
    for record in reader.byte_records() {
        let record = record.map_err(bad)?;
        let line = record.position().map_or(1, csv::Position::line);
        if record.len() != header.len() {
            let cells = format!("{} cells where the header has {}", record.len(), header.len());
            odd.note("row with more or fewer cells than the header", format!("line {line}"), &cells);
            continue;
        }
        let cells = header.iter().zip(record.iter());
        let row: Row = cells.map(|(name, cell)| (name.clone(), text(cell))).collect();
        runs.add(&names, &row, line, odd);
    }
    Ok(runs.all)
}

pub fn jsonl(bytes: &[u8], options: &Options, odd: &mut Odd) -> Result<Vec<PastRun>, Bad> {
    let mut runs = Runs::default();
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let object: serde_json::Map<String, Value> = serde_json::from_slice(text)
            .map_err(|e| Bad::at(line, format!("not a JSON object: column {}", e.column())))?;
        let row: Row = object.into_iter().filter_map(|(name, value)| Some((name, cell(value)?))).collect();
        let header: Vec<String> = row.keys().cloned().collect();
        let names = Names::new(&header, options).map_err(|bad| Bad::at(line, bad.cause))?;
        runs.add(&names, &row, line, odd);
    }
    Ok(runs.all)
}

/// A JSON value as a cell. `null` counts as absent, and so do lists and objects.
fn cell(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The names that the file has for our columns.
struct Names(HashMap<&'static str, String>);

impl Names {
    fn new(header: &[String], options: &Options) -> Result<Self, Bad> {
        let find = |name: &str| header.iter().find(|column| column.eq_ignore_ascii_case(name)).cloned();
        let mut names = HashMap::new();
        for (ours, others) in COLUMNS {
            let found = find(ours).or_else(|| others.iter().find_map(|other| find(other)));
            names.extend(found.map(|column| (ours, column)));
        }
        if let Some(column) = &options.load_column {
            let found = find(column).ok_or_else(|| Bad::at(1, format!("no column '{column}'")))?;
            names.insert("load", found);
        }
        for wanted in ["test", "outcome"] {
            if !names.contains_key(wanted) {
                return Err(Bad::at(1, format!("no column '{wanted}'")));
            }
        }
        Ok(Self(names))
    }

    /// The cell of a column; an empty one counts as absent.
    fn get(&self, row: &Row, name: &str) -> Option<String> {
        self.0.get(name).and_then(|column| row.get(column)).filter(|cell| !cell.is_empty()).cloned()
    }
}

/// Collects the rows of each run, which may come in any order.
#[derive(Default)]
struct Runs {
    all: Vec<PastRun>,
    known: HashMap<String, usize>,
}

impl Runs {
    fn add(&mut self, names: &Names, row: &Row, line: u64, odd: &mut Odd) {
        let Some(mut new) = run(names, row, line, odd) else {
            return odd.note("row without a test", format!("line {line}"), "");
        };
        let at = *self.known.entry(new.id.clone()).or_insert(self.all.len());
        match self.all.get_mut(at) {
            None => self.all.push(new),
            Some(known) => {
                known.started = known.started.into_iter().chain(new.started).min();
                known.duration_ms = known.duration_ms.saturating_add(new.duration_ms);
                known.results.append(&mut new.results);
            }
        }
    }
}

/// A run with the one result of a row, or `None` if the row names no test. A value that cannot be read counts as absent.
fn run(names: &Names, row: &Row, line: u64, odd: &mut Odd) -> Option<PastRun> {
    let get = |name| names.get(row, name);
    let place = format!("line {line}");
    let test = get("test")?;
    let outcome = word::outcome_or_odd(&get("outcome").unwrap_or_default(), &place, odd);
    let started = get("started").and_then(|text| {
        word::time(&text).or_else(|| {
            odd.note("time of a run that cannot be read", &place, &text);
            None
        })
    });
    let load = get("load").map(|level| level.to_ascii_lowercase());
    if let Some(level) = load.as_ref().filter(|level| !["isolated", "loaded"].contains(&level.as_str())) {
        odd.note("condition that is neither isolated nor loaded, so the run does not count", &place, level);
    }
    let factors = row
        .iter()
        .filter_map(|(name, level)| Some((name.strip_prefix(FACTOR)?.to_owned(), level.clone())))
        .filter(|(name, level)| !name.is_empty() && !level.is_empty());
    let duration_ms = duration_ms(names, row, &place, odd);
    let id = get("run");
    Some(PastRun {
        named: id.is_some(),
        id: id.unwrap_or_else(|| format!("#{line}")),
        started,
        duration_ms,
        commit: get("ref"),
        kind: get("ref_kind"),
        tests: get("tests"),
        harness: get("harness"),
        engine: get("engine"),
        machine: get("machine"),
        load,
        factors: factors.collect(),
        recipe: get("recipe"),
        version: get("version"),
        results: vec![PastResult { test, outcome, duration_ms, message: get("message"), place: None }],
        ..PastRun::default()
    })
}

fn duration_ms(names: &Names, row: &Row, place: &str, odd: &mut Odd) -> u64 {
    let mut number = |name: &'static str| {
        let cell = names.get(row, name)?;
        milliseconds(&cell).or_else(|| {
            odd.note("duration that is no number", place, &cell);
            None
        })
    };
    number("duration_ms").map(|thousandths| thousandths / 1000).or_else(|| number("duration")).unwrap_or(0)
}
