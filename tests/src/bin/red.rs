//! red JUNIT...: lists the failed tests of nextest's reports for people: name, assertion, evidence folder, and the
//! command that repeats the test alone; then how many tests passed and failed. Exits 1 when one failed.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use lib_common::junit;
use lib_common::record::run::TestOutcome;

/// The assertion alone, without the name of the thread, the backtrace, and the lines that nextest adds.
fn why(message: &str) -> String {
    let noise = |line: &&str| {
        !line.is_empty()
            && !line.starts_with("note: run with")
            && !line.starts_with("thread '")
            && !line.starts_with("test ")
    };
    let from = message.rfind("panicked at ").map_or(message, |at| &message[at..]);
    let end = from.find("stack backtrace:").unwrap_or(from.len());
    let lines: Vec<&str> = from[..end].lines().map(str::trim_end).filter(noise).take(12).collect();
    let short = |line: &str| line.chars().take(400).collect::<String>();
    lines.into_iter().map(short).collect::<Vec<_>>().join("\n    ")
}

fn main() -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let kept = std::env::var("E2E_EVIDENCE").unwrap_or_default();
    let (mut passed, mut failed) = (0, 0);
    for file in std::env::args().skip(1) {
        let xml = std::fs::read_to_string(&file)?;
        let tests = junit::parse(&xml).map_err(|e| io::Error::other(format!("{file}: {e}")))?;
        passed += tests.iter().filter(|test| test.outcome == TestOutcome::Pass).count();
        for test in tests.iter().filter(|t| matches!(t.outcome, TestOutcome::Fail | TestOutcome::Error)) {
            failed += 1;
            // nextest names a test `e2e::snap::a_test`, where `e2e::snap` is the binary; for a unit test it is the package.
            let name = test.id.strip_prefix("e2e::").unwrap_or(&test.id);
            let evidence = Path::new(&kept).join(name);
            writeln!(out, "RED {name}\n    {}", why(test.message.as_deref().unwrap_or_default()))?;
            if evidence.is_dir() {
                writeln!(out, "    evidence: {}", evidence.display())?;
            }
            writeln!(out, "    again: make again T='{name}'")?;
        }
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
