//! Full disks: a tool that cannot write says so and fails, and earlier files stay unchanged.

use std::fs::{self, File};
use std::process::Command;

use e2e::bench::Dice;

use crate::ground::{Outcome, Small, ensure, frozen, pick, plain, run};
use crate::lease::Holder;

/// Standard output that refuses every byte (`/dev/full`).
fn standard_output(dice: &mut Dice) -> Outcome {
    let choice: &[&str] = match dice.roll(4) {
        0 => &["flake-classify"],
        1 => &["redfix-report", "--format", "md"],
        2 => &["warm-domain-alloc", "--base", "ci.example"],
        _ => &["log-snap"],
    };
    let line = b"{\"type\":\"x.y\",\"v\":1}\n".repeat(1 + usize::try_from(dice.roll(2000)).expect("small"));
    let mut shell = Command::new("sh");
    let tool = plain(choice[0], &choice[1..]);
    shell.args(["-c", "exec \"$@\" >/dev/full", "sh"]).arg(tool.get_program()).args(tool.get_args());
    let ended = run(&mut shell, &line, None)?;
    ended.sane()?;
    ensure(ended.code == Some(2) && ended.said.contains("No space left"), || {
        format!("{:?}: {}", ended.code, ended.said)
    })
}

/// A page on a disk that has room for only a part of it.
fn a_page(dice: &mut Dice) -> Outcome {
    let small = Small::mount(4096 * (2 + dice.roll(24)))?;
    let page = small.0.path().join("report.html");
    fs::write(&page, "old").map_err(|e| e.to_string())?;
    let input: Vec<u8> = (0..dice.roll(400)).flat_map(|_| pick(dice, frozen()).clone()).collect();
    let mut report = plain("redfix-report", &["--format", "html", "--out"]);
    let ended = run(report.arg(&page), &input, None)?;
    ended.sane()?;
    let there = fs::read_to_string(&page).map_err(|e| format!("the page is gone: {e}"))?;
    let new = there.trim_end().ends_with("</html>");
    ensure(if ended.code == Some(2) { there == "old" } else { new }, || {
        format!("{:?} and half a page, {} bytes: {}", ended.code, there.len(), ended.said)
    })?;
    let files = fs::read_dir(small.0.path()).map_err(|e| e.to_string())?.count();
    ensure(files == 1, || format!("{files} files where one was"))
}

/// Leases when the ledger's disk is full: each lease is on the swarm and printed, or released.
fn a_ledger(dice: &mut Dice) -> Outcome {
    let small = Small::mount(4096 * 2)?;
    let (ledger, filler) = (small.0.path().join("ledger.jsonl"), small.0.path().join("filler"));
    File::create(&ledger).map_err(|e| e.to_string())?;
    fs::write(&filler, vec![0; 4096]).map_err(|e| e.to_string())?;
    let already = usize::try_from(dice.roll(4096)).expect("small");
    let line = format!("{{\"type\":\"x.y\",\"v\":1,\"pad\":\"{}\"}}\n", "x".repeat(already.min(4000)));
    fs::write(&ledger, line).map_err(|e| e.to_string())?;
    let holder = Holder::new(dice);
    let ended = run(holder.alloc(3).arg("--ledger").arg(&ledger), b"", None)?;
    ended.sane()?;
    let recorded = crate::ground::ledger(&ledger)?;
    let recorded = recorded.iter().filter(|record| record["type"] == "domain.leased").count();
    ensure(ended.code != Some(0) || recorded == 3, || format!("done, and {recorded} of 3 on record"))?;
    ensure(ended.code == Some(0) || !ended.said.is_empty(), || "it fails in silence".into())?;
    holder.all_given_back()
}

pub fn play(dice: &mut Dice) -> Outcome {
    match dice.roll(5) {
        0 | 1 => standard_output(dice),
        2 | 3 => a_page(dice),
        _ => a_ledger(dice),
    }
}
