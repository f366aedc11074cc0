//! Reads the files of a history and names their runs.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use lib_common::foreign::{Bad, Odd};
use lib_common::junit::{Names, Parts, report_name};
use lib_common::{Error, Io, Result};

use super::operands::{Operand, distinct};
use super::{Options, PastRun, parse, wide};
use crate::cli::{Args, Format, Sweep};

const OTHER_KIND: &str = "file of another kind";

/// All runs of all FILEs, in their order. `--lenient` makes a run without results of a file that cannot be read. What was
/// passed over is told on standard error, with its counts.
pub fn read(args: &Args, io: &mut Io) -> Result<Vec<PastRun>> {
    let sweep = &args.sweep;
    let Some(format) = sweep.from else { return Ok(vec![]) };
    let mut files = Files {
        format,
        options: options(format, sweep)?,
        lenient: args.common.reading.lenient,
        odd: Odd::default(),
        known: HashSet::new(),
        other_kind: None,
    };
    let of_files = matches!(format, Format::Junit | Format::Nextest);
    let mut all = Vec::new();
    for operand in distinct(&sweep.files, of_files, &mut files.odd) {
        all.append(&mut files.operand(&operand, io)?);
    }
    if let Some(other) = files.other_kind.filter(|_| all.is_empty()) {
        return Err(other);
    }
    name(&mut all, sweep.key.clone());
    let wide = wide::mark(&mut all, sweep.wide);
    files.odd.lines().for_each(|line| io.diag.warn(line));
    if wide > 0 {
        io.diag.warn(format_args!(
            "runs in which more than {} % of the tests were red, and more than in any before, count for no case: {wide} \
             (sweep-wide)",
            sweep.wide
        ));
    }
    let timeless = all.iter().filter(|run| run.started.is_none() && run.unver.is_none()).count();
    if timeless > 0 && !args.order_free && sweep.emit.is_none() {
        io.diag.warn(format_args!(
            "runs that do not say when they were count with --order-free only: {timeless}"
        ));
    }
    Ok(all)
}

/// Names the tests that have a place, so that the names tell all tests of each run apart. With `parts`, the names are
/// made of these parts instead.
pub fn name(runs: &mut [PastRun], parts: Option<Parts>) {
    let mut names = Names::new(parts);
    for run in &*runs {
        names.learn(run.results.iter().filter_map(|result| result.place.as_deref()));
    }
    for result in runs.iter_mut().flat_map(|run| &mut run.results) {
        if let Some(place) = &result.place {
            result.test = names.id(place);
        }
    }
}

fn options(format: Format, sweep: &Sweep) -> Result<Options> {
    let load_column =
        sweep.condition.as_ref().filter(|level| !["isolated", "loaded"].contains(&level.as_str()));
    if let Some(column) = load_column
        && !matches!(format, Format::Csv | Format::Jsonl)
    {
        return Err(Error::cannot("reading arguments", "this format has no columns")
            .on(format!("--condition {column}"))
            .hint("isolated or loaded"));
    }
    Ok(Options { load_column: load_column.cloned() })
}

struct Files {
    format: Format,
    options: Options,
    lenient: bool,
    odd: Odd,
    /// The contents of everything that was read.
    known: HashSet<blake3::Hash>,
    /// The error about the first file of another kind. It is reported only if nothing else could be read.
    other_kind: Option<Error>,
}

impl Files {
    /// A file, `-` for standard input, or a folder where the format has folders.
    fn operand(&mut self, operand: &Operand, io: &mut Io) -> Result<Vec<PastRun>> {
        let path = operand.path;
        if path.as_os_str() == "-" {
            let mut bytes = Vec::new();
            io.stdin
                .read_to_end(&mut bytes)
                .map_err(|e| Error::cannot("reading a history", e).on("standard input"))?;
            return self.alone(Path::new("standard input"), &bytes, io);
        }
        if let Some(files) = &operand.files {
            return self.folder(path, files, io);
        }
        if !path.is_dir() {
            return self.alone(path, &load(path)?, io);
        }
        if self.format != Format::CcciResults {
            return Err(Error::cannot("reading a history", "it is a folder").on(path.display()));
        }
        let results = path.join("results.json");
        if results.exists() {
            return self.alone(&results, &load(&results)?, io);
        }
        Ok(vec![unver(path, path, "no results.json".into(), io)])
    }

    fn alone(&mut self, file: &Path, bytes: &[u8], io: &Io) -> Result<Vec<PastRun>> {
        let runs = match self.file(file, bytes, io) {
            Ok(runs) => runs,
            Err(bad) if bad.is_other_kind => {
                self.odd.note(OTHER_KIND, file.display(), &bad.to_string());
                self.other_kind
                    .get_or_insert_with(|| Error::cannot("reading a history", bad).on(file.display()));
                return Ok(vec![]);
            }
            // A cc-ci run that was killed leaves a broken file behind. That says something about the run, so it is no
            // error.
            Err(bad) if self.lenient || self.format == Format::CcciResults => {
                let mut run = unver(file, file.parent().unwrap_or(file), bad.to_string(), io);
                own(std::slice::from_mut(&mut run), file, bytes);
                vec![run]
            }
            Err(bad) => {
                return Err(Error::cannot("reading a history", bad)
                    .on(file.display())
                    .hint("--lenient takes such a file as a run without results"));
            }
        };
        Ok(self.unless_copied(file, blake3::hash(bytes), runs))
    }

    /// All files of a folder were written by one run. If one cannot be read, the others still count.
    fn folder(&mut self, folder: &Path, files: &[PathBuf], io: &Io) -> Result<Vec<PastRun>> {
        let (mut runs, mut first_bad, mut contents) = (Vec::new(), None, blake3::Hasher::new());
        for file in files {
            let bytes = load(file)?;
            contents.update(blake3::hash(&bytes).as_bytes());
            match self.file(file, &bytes, io) {
                Ok(new) => {
                    let report = report_name(folder, file);
                    for run in new {
                        join(&mut runs, reported(run, &report));
                    }
                }
                Err(bad) => {
                    let what = if bad.is_other_kind { OTHER_KIND } else { "file that cannot be read" };
                    self.odd.note(what, file.display(), &bad.to_string());
                    first_bad.get_or_insert(format!("{}: {bad}", file.display()));
                }
            }
        }
        if runs.is_empty() {
            let cause = first_bad.unwrap_or_else(|| "no JUnit file".into());
            return Ok(vec![unver(folder, folder, cause, io)]);
        }
        Ok(self.unless_copied(folder, contents.finalize(), runs))
    }

    fn file(&mut self, file: &Path, bytes: &[u8], io: &Io) -> std::result::Result<Vec<PastRun>, Bad> {
        let mut odd = Odd::default();
        let runs = parse(self.format, bytes, &self.options, &mut odd);
        self.odd.merge(odd.within(file.display()));
        let mut runs = runs?;
        for cause in runs.iter().filter_map(|run| run.unver.as_ref()) {
            io.diag.warn(format_args!("{}: {cause}: unver", file.display()));
        }
        own(&mut runs, file, bytes);
        Ok(runs)
    }

    /// Two files with the same bytes, times included, are one run that was copied. Without times they may be two runs
    /// that went alike.
    fn unless_copied(&mut self, path: &Path, contents: blake3::Hash, runs: Vec<PastRun>) -> Vec<PastRun> {
        let timed = !runs.is_empty() && runs.iter().all(|run| run.started.is_some());
        if timed && !self.known.insert(contents) {
            self.odd.note("copy of a run that was read already", path.display(), "");
            return vec![];
        }
        runs
    }
}

fn load(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).map_err(|e| Error::cannot("reading a history", e).on(file.display()))
}

/// Gives an id to each run that has no name. It covers the file's name too, because two runs may write the same bytes.
fn own(runs: &mut [PastRun], file: &Path, bytes: &[u8]) {
    let mut hash = blake3::Hasher::new();
    hash.update(file.as_os_str().as_encoded_bytes()).update(&[0]).update(bytes);
    let own = hash.finalize().to_hex();
    for run in runs {
        if !run.named {
            run.id = format!("{}{}", &own[..16], run.id);
        }
        run.source = file.display().to_string();
    }
}

fn reported(mut run: PastRun, report: &str) -> PastRun {
    for place in run.results.iter_mut().filter_map(|result| result.place.as_mut()) {
        report.clone_into(&mut place.report);
    }
    run
}

/// Joins the runs of a folder's files: the first attempts in all files are one run, the second attempts another, and so
/// on.
fn join(runs: &mut Vec<PastRun>, run: PastRun) {
    let attempt = |run: &PastRun| run.id.rsplit_once('#').map(|(_, number)| number.to_owned());
    let Some(known) = runs.iter_mut().find(|known| attempt(known) == attempt(&run)) else {
        return runs.push(run);
    };
    known.started = known.started.into_iter().chain(run.started).min();
    known.duration_ms = known.duration_ms.saturating_add(run.duration_ms);
    if known.machine != run.machine {
        known.machine = None;
    }
    // A file without tests does not matter beside one that has some.
    let lost = |run: &PastRun| run.unver.clone().filter(|_| !run.results.is_empty());
    known.unver = match (known.results.is_empty(), run.results.is_empty()) {
        (true, true) => known.unver.take(),
        _ => lost(known).or_else(|| lost(&run)),
    };
    known.results.extend(run.results);
}

/// A run without results, because its file is missing or broken. Its folder's name is its id.
fn unver(file: &Path, folder: &Path, cause: String, io: &Io) -> PastRun {
    io.diag.warn(format_args!("{}: {cause}: unver", file.display()));
    let id = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let named = !id.is_empty() && folder != file || file.is_dir();
    PastRun { id: if named { id } else { String::new() }, named, unver: Some(cause), ..PastRun::default() }
}
