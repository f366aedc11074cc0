//! Renders the report as text, 80 columns wide or as wide as the terminal, one block per case, those that block a gate
//! first. Pure.

use std::fmt::Write;

use crate::gate::{Gate, GateName, Missing};
use crate::report::{Report, ReviewState};
use crate::row::{Row, RunRow};

/// Width without a terminal or on a narrow one.
const NARROW: usize = 80;
/// Largest width; longer lines are hard to read.
const WIDE: usize = 160;
/// The column in which the text of a fact starts.
const INDENT: usize = 16;

/// Colour and width of the text.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    color: bool,
    width: usize,
}

impl Style {
    /// `columns` is the width of the terminal, if there is one.
    #[must_use]
    pub fn new(color: bool, columns: Option<u16>) -> Self {
        Self { color, width: columns.map_or(NARROW, usize::from).clamp(NARROW, WIDE) }
    }

    /// The style for a file: without colour, 80 columns wide.
    #[must_use]
    pub fn plain() -> Self {
        Self::new(false, None)
    }

    fn by(self, good: bool, text: &str) -> String {
        match (self.color, good) {
            (false, _) => text.to_owned(),
            (true, true) => format!("\x1b[32m{text}\x1b[0m"),
            (true, false) => format!("\x1b[31m{text}\x1b[0m"),
        }
    }

    fn bold(self, text: &str) -> String {
        if self.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The lines of the gates. Every report starts with them, so that `head -n 1` gives the first.
#[must_use]
pub fn gates(gates: &[&Gate], style: Style) -> String {
    gates.iter().fold(String::new(), |out, gate| out + &style.by(gate.passes(), &gate.line()) + "\n")
}

/// The whole report.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut out = gates(&report.selected(), style);
    for (gate, state) in report.selected_reviews() {
        let good = matches!(state, ReviewState::Passed(_));
        let text = format!("REVIEW {} {state}", gate.name());
        for line in wrap(&text, style.width) {
            let _ = writeln!(out, "{}", style.by(good, &line));
        }
    }
    if report.rows().len() == 0 {
        out.push_str("\nThe ledger has no case, and a gate needs at least one to pass.\n");
    }
    for row in report.rows() {
        block(&mut out, &row, style);
    }
    out
}

fn block(out: &mut String, row: &Row, style: Style) {
    out.push('\n');
    for line in wrap(&row.key, style.width) {
        let _ = writeln!(out, "{}", style.bold(&line));
    }
    // The status is also a word, for people who do not see the colours.
    for gate in GateName::ALL {
        let word = if row.passes(gate) { gate.achieved() } else { "blocked" };
        let _ = writeln!(out, "  {}", style.by(row.passes(gate), &format!("{:<14}{word}", gate.name())));
    }
    for (label, value) in row.facts() {
        fact(out, label, value, style);
    }
    runs(out, &row.runs, style);
    if !row.repeat.is_empty() {
        let _ = writeln!(out, "  {}", style.bold("repeat the deciding run"));
        command(out, &row.repeat, style);
    }
    for (gate, missing) in &row.missing {
        let _ = writeln!(out, "  {}", style.by(false, &format!("{} is blocked", gate.name())));
        let mut missing = missing.iter().peekable();
        while let Some(one) = missing.next() {
            item(out, &one.what, style);
            // One command often supplies several things: it is printed once, after the last of them.
            if missing.peek().is_none_or(|next| next.supply != one.supply) {
                ways(out, one, style);
            }
        }
    }
}

fn fact(out: &mut String, label: &str, value: &str, style: Style) {
    for (n, line) in wrap(value, style.width - INDENT).into_iter().enumerate() {
        let label = if n == 0 { label } else { "" };
        let _ = writeln!(out, "  {label:<width$}{line}", width = INDENT - 2);
    }
}

fn item(out: &mut String, text: &str, style: Style) {
    for (n, line) in wrap(text, style.width - 6).into_iter().enumerate() {
        let _ = writeln!(out, "    {} {line}", if n == 0 { "-" } else { " " });
    }
}

/// The commands that would supply what is missing, with their costs; if there are several ways, each with its name.
fn ways(out: &mut String, missing: &Missing, style: Style) {
    let note = |name: &str, cost: Option<&String>| match (name, cost) {
        ("", None) => None,
        ("", Some(cost)) => Some(format!("cost: {cost}")),
        (name, None) => Some(format!("{name}:")),
        (name, Some(cost)) => Some(format!("{name}: {cost}")),
    };
    let first = if missing.choices.is_empty() { "" } else { "more runs" };
    let mut all = vec![(note(first, missing.cost.as_ref()), &missing.supply)];
    all.extend(missing.choices.iter().map(|c| (note(c.name, c.cost.as_ref()), &c.supply)));
    for (note, supply) in all {
        for line in note.iter().flat_map(|note| wrap(note, style.width - 6)) {
            let _ = writeln!(out, "      {line}");
        }
        command(out, supply, style);
    }
}

/// A command that can be pasted into a shell. A piece that does not fit starts a new line, after a backslash.
fn command(out: &mut String, supply: &[String], style: Style) {
    let mut line = String::from("      $");
    for piece in supply {
        if line.len() > 7 && width(&line) + 1 + width(piece) + 2 > style.width {
            let _ = writeln!(out, "{line} \\");
            line = String::from("         ");
        }
        line.push(' ');
        line.push_str(piece);
    }
    let _ = writeln!(out, "{line}");
}

fn runs(out: &mut String, runs: &[RunRow], style: Style) {
    if runs.is_empty() {
        fact(out, "runs", "none", style);
        return;
    }
    // A wider terminal gives its further columns to the condition, which is the longest cell.
    let room = 14 + style.width - NARROW;
    let _ = writeln!(
        out,
        "  {:<26}  {:<room$}  {:<12}  {:<11}  {:>7}",
        "attempt", "condition", "fix", "outcome", "took"
    );
    for RunRow { attempt, condition, fix, outcome, took, .. } in runs {
        let columns = [wrap(attempt, 26), wrap(condition, room), wrap(fix, 12), wrap(outcome, 11)];
        let height = columns.iter().map(Vec::len).max().unwrap_or(1);
        for n in 0..height {
            let cell = |column: usize| columns[column].get(n).map_or("", String::as_str);
            let took = if n == 0 { took } else { "" };
            let line =
                format!("  {:<26}  {:<room$}  {:<12}  {:<11}  {took:>7}", cell(0), cell(1), cell(2), cell(3));
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
}

/// Breaks a text into lines of at most `columns`: at spaces, and within a word only if that is longer than a line.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        if used > 0 && used + 1 + width(word) > columns {
            lines.push(String::new());
            used = 0;
        }
        if used > 0 {
            used += 1;
            if let Some(line) = lines.last_mut() {
                line.push(' ');
            }
        }
        for c in word.chars() {
            if used + char_width(c) > columns {
                lines.push(String::new());
                used = 0;
            }
            used += char_width(c);
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
        }
    }
    lines
}

fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// How many columns a character takes, at most: from U+1100 (Hangul) on, characters may be two columns wide.
fn char_width(c: char) -> usize {
    if c < '\u{1100}' || ('\u{2010}'..'\u{2030}').contains(&c) { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_break_only_between_pieces() {
        let supply = vec!["a".repeat(40), "b".repeat(40), "c".into()];
        let mut out = String::new();
        command(&mut out, &supply, Style::plain());
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with("a \\") && lines[1].ends_with("b c"), "{out}");
    }

    proptest! {
        #[test]
        fn wrapped_text_fits_and_loses_nothing(text in "[a-z世 ]{0,200}", columns in 4usize..40) {
            let lines = wrap(&text, columns);
            prop_assert!(lines.iter().all(|line| width(line) <= columns));
            let squeeze = |s: &str| s.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(squeeze(&lines.concat()), squeeze(&text));
        }
    }
}
