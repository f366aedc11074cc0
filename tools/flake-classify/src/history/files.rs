//! Reads the files of a history and names their runs.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use lib_common::{Error, Io, Result};

use super::{Bad, Options, PastRun, parse};
use crate::cli::{Args, Format, Sweep};

/// All runs of all FILEs, in their order. With `--lenient` a file that cannot be parsed becomes a run without results.
pub fn read(args: &Args, io: &mut Io) -> Result<Vec<PastRun>> {
    let sweep = &args.sweep;
    let Some(format) = sweep.from else { return Ok(vec![]) };
    let options = options(format, sweep)?;
    let mut all = Vec::new();
    for file in &sweep.files {
        for run in of_operand(format, file, &options, args.common.reading.lenient, io)? {
            all.push(run);
        }
    }
    Ok(all)
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

/// The runs of one FILE: a file, `-` for standard input, or a folder if the format allows it.
fn of_operand(
    format: Format,
    operand: &Path,
    options: &Options,
    lenient: bool,
    io: &mut Io,
) -> Result<Vec<PastRun>> {
    if operand.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io.stdin
            .read_to_end(&mut bytes)
            .map_err(|e| Error::cannot("reading a history", e).on("standard input"))?;
        return of_file(format, Path::new("standard input"), &bytes, options, lenient, io);
    }
    let load =
        |file: &Path| fs::read(file).map_err(|e| Error::cannot("reading a history", e).on(file.display()));
    if !operand.is_dir() {
        return of_file(format, operand, &load(operand)?, options, lenient, io);
    }
    match format {
        Format::CcciResults => {
            let results = operand.join("results.json");
            if results.exists() {
                return of_file(format, &results, &load(&results)?, options, lenient, io);
            }
            Ok(vec![unver(operand, operand, "no results.json".into(), io)])
        }
        // All files of a folder were written by one run.
        Format::Junit | Format::Nextest => {
            let mut files = Vec::new();
            find(operand, &mut files);
            files.sort();
            if files.is_empty() {
                return Ok(vec![unver(operand, operand, "no JUnit file".into(), io)]);
            }
            let mut runs: Vec<PastRun> = Vec::new();
            for file in files {
                for run in of_file(format, &file, &load(&file)?, options, lenient, io)? {
                    join(&mut runs, run);
                }
            }
            Ok(runs)
        }
        _ => Err(Error::cannot("reading a history", "it is a folder").on(operand.display())),
    }
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|end| end == "xml") {
            files.push(path);
        }
    }
}

/// Joins the runs of a folder's files: the first attempts in all files are one run, the second attempts another, and so
/// on.
fn join(runs: &mut Vec<PastRun>, run: PastRun) {
    let attempt = |run: &PastRun| run.id.rsplit_once('#').map(|(_, number)| number.to_owned());
    match runs.iter_mut().find(|known| attempt(known) == attempt(&run)) {
        Some(known) => {
            known.started = known.started.into_iter().chain(run.started).min();
            known.duration_ms = known.duration_ms.saturating_add(run.duration_ms);
            known.results.extend(run.results);
            known.unver = known.unver.take().or(run.unver);
        }
        None => runs.push(run),
    }
}

fn of_file(
    format: Format,
    file: &Path,
    bytes: &[u8],
    options: &Options,
    lenient: bool,
    io: &Io,
) -> Result<Vec<PastRun>> {
    let mut runs = match parse(format, bytes, options) {
        Ok(runs) => runs,
        Err(Bad { line, cause }) => {
            let cause = line.map_or_else(|| cause.clone(), |line| format!("line {line}: {cause}"));
            // A cc-ci run that was killed leaves a broken file behind. That says something about the run, so it is no
            // error.
            if !lenient && format != Format::CcciResults {
                return Err(Error::cannot("reading a history", cause)
                    .on(file.display())
                    .hint("--lenient takes such a file as a run without results"));
            }
            vec![unver(file, file.parent().unwrap_or(file), cause, io)]
        }
    };
    // The id covers the file's name too, because two runs may write the same bytes.
    let mut hash = blake3::Hasher::new();
    hash.update(file.as_os_str().as_encoded_bytes()).update(&[0]).update(bytes);
    let own = hash.finalize().to_hex();
    for run in &mut runs {
        if !run.named {
            run.id = format!("{}{}", &own[..16], run.id);
        }
        run.source = file.display().to_string();
    }
    Ok(runs)
}

/// A run without results, because its file is missing or broken. Its folder's name is its id.
fn unver(file: &Path, folder: &Path, cause: String, io: &Io) -> PastRun {
    io.diag.warn(format_args!("{}: {cause}: unver", file.display()));
    let id = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let named = !id.is_empty() && folder != file || file.is_dir();
    PastRun { id: if named { id } else { String::new() }, named, unver: Some(cause), ..PastRun::default() }
}
