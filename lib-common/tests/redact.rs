//! What the redactor hides and what it leaves, on the two corpora.

#![allow(clippy::print_stdout)] // the figures are for people too

#[path = "support/corpus.rs"]
mod corpus;

use std::fmt::Write as _;

use corpus::{Figure, HALVES, harmless, recall};

/// At least so many percent of the secrets are hidden.
const RECALL: f64 = 99.5;
/// At least so many percent of the harmless lines stay as they are.
const STAY: f64 = 99.5;
/// Each corpus has at least so many lines.
const LINES: usize = 500;

/// Runs one corpus on both halves; each must do as well as is asked.
fn holds(what: &str, least: f64, run: fn(&str) -> Figure) {
    let mut said = String::new();
    let (mut holds, mut lines) = (true, 0);
    for half in HALVES {
        let figure = run(half);
        lines += figure.lines;
        holds &= figure.right() >= least;
        let _ = writeln!(said, "{what}, {half}: {:.2} % of {} lines", figure.right(), figure.lines);
        for (line, out) in &figure.wrong {
            let _ = writeln!(said, "  {line}\n    {out}");
        }
    }
    println!("{said}");
    assert!(holds && lines >= LINES, "at least {least} % of at least {LINES} lines are wanted:\n{said}");
}

#[test]
fn secrets_are_hidden() {
    holds("secrets hidden", RECALL, recall);
}

#[test]
fn harmless_lines_stay() {
    holds("harmless lines unchanged", STAY, harmless);
}
