//! Render the ledger for people and evaluate the gates.
//!
//! [`input`] reads every line once and puts records in time order, [`fold`] makes cases, runs and pull
//! requests of them, [`gate`] says what each case still lacks, [`row`] puts a case into words, [`text`],
//! [`md`] and [`json`] print it. Only [`input`], [`evidence`],
//! [`bundles`], [`recheck`], [`program`] and the functions here do I/O.

pub mod bound;
pub mod bundles;
mod check;
mod cli;
pub mod duration;
pub mod escape;
pub mod evidence;
pub mod fold;
pub mod folders;
pub mod gate;
pub mod html;
pub mod input;
pub mod json;
pub mod junit;
pub mod lean;
pub mod md;
pub mod order;
pub mod program;
pub mod recheck;
pub mod report;
mod review;
pub mod row;
pub mod runs;
pub mod shell;
pub mod state;
pub mod table;
pub mod text;
pub mod verdict;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use bundles::LogSnap;
pub use cli::{Args, Command, Format};
use cli::{ProofArgs, ReportArgs};
use evidence::verify_deciding;
use folders::Folders;
use gate::{Proofs, Rederivation};
use input::{Input, Keep};
use lib_common::cli::Color;
use lib_common::ledger::folder_of;
use lib_common::{Error, Exit, Io, Result};
use recheck::{FlakeClassify, Rederive};
use report::Report;
use text::Look;

pub fn run(args: &Args, io: &mut Io) -> Result<Exit> {
    match &args.command {
        Some(Command::Review(review)) => {
            let rederive = FlakeClassify { deadline: review.proof.recheck_timeout };
            review::run(args, review, &rederive, io)
        }
        None => print(args, &args.report, io),
    }
}

/// Reads any bytes in both ways, judges what they tell, and renders it in every format: nothing may panic, and
/// both ways must agree.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    let [blocks, lines] = input::both_ways(bytes, true).map(|read| read.map(|input| pages(&input)));
    match (blocks, lines) {
        (Ok(blocks), Ok(lines)) => assert_eq!(blocks, lines),
        (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
        (blocks, lines) => assert_eq!(blocks.is_ok(), lines.is_ok()),
    }
}

/// Every format of a ledger without evidence.
fn pages(input: &Input) -> Vec<String> {
    let evidence = verify_deciding(&input.fold, &Folders(Vec::new()));
    let proofs = Proofs { evidence, ledger: "LEDGER".into(), ..Proofs::default() };
    let report = Report::new(&input.fold, &proofs, &[], &input.hash, None);
    let said = |page: Result<String>| page.unwrap_or_else(|error| error.to_string());
    vec![
        text::render(&report, Look::plain()),
        said(md::render(&report, None)),
        said(md::render(&report, Some(2000))),
        said(html::render(&report)),
        said(table::render(&report)),
        said(junit::render(&report)),
        said(json::render(&report)),
        state::pages::status(&report) + &state::pages::backlog(&report),
    ]
}

fn print(args: &Args, options: &ReportArgs, io: &mut Io) -> Result<Exit> {
    let keep = Keep { raw: options.proof.recheck, journal: options.state_dir.is_some() };
    let input = input::read(&options.files, &args.common, io, keep, false)?;
    let rederive = FlakeClassify { deadline: options.proof.recheck_timeout };
    let folders = Folders::of(options.proof.evidence.as_deref(), &options.files, options.ledger.as_deref());
    let mut proofs = prove(&input, &options.files, &folders, &options.proof, &rederive)?;
    quote_logs(&mut proofs, &input, &folders, &options.proof);
    let report =
        Report::new(&input.fold, &proofs, &options.gate, &input.hash, options.proof.author.as_deref());
    if let Some(folder) = &options.state_dir {
        state::keep(folder, &report, &input.journal)?;
    }
    let look = Look::new(colored(args.common.voice.color), columns());
    match (&options.out, options.format.as_slice()) {
        (None, [format]) => say(&page(&report, *format, options, look)?, io)?,
        (None, _) => {
            return Err(Error::cannot("writing the report", "several formats, one standard output")
                .hint("name a folder with --out"));
        }
        (Some(path), formats) => {
            for format in formats {
                replace(
                    &target(path, *format, formats.len())?,
                    &page(&report, *format, options, Look::plain())?,
                )?;
            }
            say(&text::gates(&report.selected(), look), io)?;
        }
    }
    Ok(if report.passes() { Exit::Done } else { Exit::No })
}

/// Does the I/O that the gates need.
fn prove(
    input: &Input,
    files: &[PathBuf],
    folders: &Folders,
    options: &ProofArgs,
    rederive: &dyn Rederive,
) -> Result<Proofs> {
    let rederivation = if options.recheck { rederive.rederive(&input.raw)? } else { Rederivation::NotAsked };
    let evidence = verify_deciding(&input.fold, folders);
    let faults = if options.verify_evidence {
        let log_snap = LogSnap::new(folders, options.bundle_timeout);
        evidence::verify_all(&input.fold, &evidence, folders, &log_snap)?
    } else {
        Vec::new()
    };
    let ledger = match files {
        [file] if file != Path::new("-") => file.display().to_string(),
        _ => "LEDGER".into(),
    };
    Ok(Proofs { evidence, faults, rederivation, ledger, ..Proofs::default() })
}

/// Does the I/O that the pages need besides: no gate looks at it.
fn quote_logs(proofs: &mut Proofs, input: &Input, folders: &Folders, options: &ProofArgs) {
    let log_snap = LogSnap::new(folders, options.bundle_timeout);
    proofs.logs = evidence::logs(&input.fold, folders, &proofs.evidence);
    proofs.first_errors = bundles::first_errors(&input.fold, &log_snap, options.bundle_timeout);
}

fn page(report: &Report, format: Format, options: &ReportArgs, look: Look) -> Result<String> {
    match format {
        Format::Text => Ok(text::render(report, look)),
        Format::Md => md::render(report, options.max_bytes),
        Format::Html => html::render(report),
        Format::Csv => table::render(report),
        Format::Junit => junit::render(report),
        Format::Json => json::render(report),
    }
}

/// Where a format goes: into a folder, made when it is missing, or to the one file that was named.
fn target(out: &Path, format: Format, formats: usize) -> Result<PathBuf> {
    let is_folder = out.is_dir() || formats > 1 || out.as_os_str().as_encoded_bytes().ends_with(b"/");
    if !is_folder {
        return Ok(out.to_owned());
    }
    std::fs::create_dir_all(out).map_err(|e| Error::cannot("making the folder", e).on(out.display()))?;
    Ok(out.join("report").with_extension(format.ending()))
}

/// A reader that went away has read enough, but the exit code still says what the gates say.
fn say(page: &str, io: &mut Io) -> Result<()> {
    match io.stdout.write_all(page.as_bytes()).and_then(|()| io.stdout.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {
            io.stdout = Box::new(std::io::sink());
            Ok(())
        }
        Err(e) => Err(Error::cannot("writing the report", e).on("standard output")),
        Ok(()) => Ok(()),
    }
}

/// Whole or not at all: beside the target first, then renamed over it.
fn replace(path: &Path, page: &str) -> Result<()> {
    let fail = |e: std::io::Error| Error::cannot("writing the report", e).on(path.display());
    let folder = folder_of(path);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    file.write_all(page.as_bytes()).map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

/// The width of the terminal that standard output is, if it is one.
fn columns() -> Option<u16> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0)
}

/// Colour on standard output, which is where this tool speaks to people.
fn colored(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            std::io::stdout().is_terminal() && !dumb && !unwanted
        }
    }
}
