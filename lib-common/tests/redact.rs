//! What the redactor hides and what it leaves, on the two corpora.

#[path = "support/corpus.rs"]
mod corpus;

use corpus::{Figure, HALVES, harmless, recall};

/// At least so many percent of the secrets are hidden.
const RECALL: f64 = 99.5;
/// At least so many percent of the harmless lines stay as they are.
const STAY: f64 = 99.5;
/// Each corpus has at least so many lines.
const LINES: usize = 500;

fn holds(what: &str, half: &str, figure: &Figure, least: f64) {
    let list: String = figure.wrong.iter().map(|(line, out)| format!("  {line}\n    {out}\n")).collect();
    let (right, lines) = (figure.right(), figure.lines);
    println!("{what}, {half}: {right:.2} % of {lines} lines");
    if std::env::var_os("REDACT_WRONG").is_some() {
        println!("{list}");
    }
    assert!(right >= least, "{what}, {half}: {right:.2} % of {lines} lines, not {least} %:\n{list}");
}

#[test]
fn secrets_are_hidden() {
    let mut all = Figure::default();
    for half in HALVES {
        let figure = recall(half);
        holds("secrets hidden", half, &figure, RECALL);
        all.add(figure);
    }
    assert!(all.lines >= LINES);
}

#[test]
fn harmless_lines_stay() {
    let mut all = Figure::default();
    for half in HALVES {
        let figure = harmless(half);
        holds("harmless lines unchanged", half, &figure, STAY);
        all.add(figure);
    }
    assert!(all.lines >= LINES);
}
