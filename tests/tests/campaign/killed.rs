//! Filters that are killed at any byte: their output has whole lines and at most one torn line at its end, which the next
//! reader skips; a page file is the old one or the new one.

use std::fs;

use e2e::bench::Dice;

use crate::ground::{Outcome, all_passed, ensure, frozen, lines, nothing_torn, pick, plain, run};

const LONGEST_MS: u64 = 120;

fn ledger(dice: &mut Dice) -> Vec<u8> {
    let count = 100 + dice.roll(3000);
    (0..count).flat_map(|_| pick(dice, frozen()).clone()).collect()
}

fn a_filter(dice: &mut Dice) -> Outcome {
    let input = ledger(dice);
    let ended = run(&mut plain("flake-classify", &[]), &input, Some((dice.roll(LONGEST_MS), "-KILL")))?;
    ended.sane()?;
    nothing_torn(&input, &ended.out)?;
    // Up to the point of the kill, no line of the input is missing.
    let whole: Vec<&[u8]> = lines(&ended.out).filter(|line| line.ends_with(b"\n")).collect();
    let passed: usize = whole
        .iter()
        .zip(lines(&input))
        .take_while(|(one, other)| *one == other)
        .map(|(one, _)| one.len())
        .sum();
    all_passed(&input[..passed], &ended.out)?;
    let dir = e2e::folder::Folder::new();
    let file = dir.path().join("ledger.jsonl");
    fs::write(&file, &ended.out).map_err(|e| e.to_string())?;
    let next = run(plain("redfix-report", &[]).arg(&file), b"", None)?;
    next.sane()?;
    ensure(matches!(next.code, Some(0 | 1)), || {
        format!("what a killed filter left is refused: {}", next.said)
    })?;
    let torn = !ended.out.is_empty() && !ended.out.ends_with(b"\n");
    ensure(!torn || next.said.contains("torn") || next.said.contains("set aside"), || {
        format!("a torn end is not told: {}", next.said)
    })
}

fn a_page(dice: &mut Dice) -> Outcome {
    let input = ledger(dice);
    let dir = e2e::folder::Folder::new();
    let page = dir.path().join("report.html");
    fs::write(&page, "old").map_err(|e| e.to_string())?;
    let mut report = plain("redfix-report", &["--format", "html", "--out"]);
    let ended = run(report.arg(&page), &input, Some((dice.roll(4 * LONGEST_MS), "-KILL")))?;
    ended.sane()?;
    let there = fs::read_to_string(&page).map_err(|e| format!("the page is gone: {e}"))?;
    ensure(there == "old" || there.trim_end().ends_with("</html>"), || {
        format!("half a page, {} bytes", there.len())
    })
}

pub fn play(dice: &mut Dice) -> Outcome {
    if dice.roll(3) == 0 { a_page(dice) } else { a_filter(dice) }
}
