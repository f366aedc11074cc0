//! Hostile records: every tool reads a stream in which some lines were damaged. It exits with a documented code, passes
//! lines on byte for byte, and loses no line when it reports success.

use e2e::bench::Dice;
use e2e::root;

use crate::ground::{Outcome, all_passed, frozen, nothing_torn, pick, plain, run};

fn spoil(dice: &mut Dice, line: &mut Vec<u8>) {
    line.pop();
    let at = usize::try_from(dice.roll(line.len() as u64)).expect("small");
    match dice.roll(16) {
        0 => line[at] ^= 1 << dice.roll(8),
        1 => line.truncate(at),
        2 => line.insert(at, 0),
        3 => line.insert(at, 0xff),
        4 => line.push(b'\r'),
        5 => *line = replaced(line, "\":1", "\":1e999"),
        6 => *line = replaced(line, "\":1", "\":-18446744073709551616"),
        7 => *line = replaced(line, "\"v\":1", "\"v\":99"),
        8 => *line = replaced(line, "\"type\":\"", "\"type\":\"\\ud800"),
        9 => *line = replaced(line, "\"type\":\"", "\"type\":\"x."),
        10 => *line = replaced(line, "{\"type\"", "{\"type\":7,\"type\""),
        11 => {
            let depth = usize::try_from(dice.roll(3000)).expect("small");
            *line = format!("{{\"type\":\"x.y\",\"deep\":{}{}}}", "[".repeat(depth), "]".repeat(depth))
                .into_bytes();
        }
        12 => {
            *line =
                format!("{{\"type\":\"x.y\",\"long\":\"{}\"}}", "ä".repeat(1 << dice.roll(20))).into_bytes();
        }
        13 => line.clear(),
        14 => *line = pick(dice, &["7", "[]", "null", "\"x\"", "{}", "{\"type\":null}"]).as_bytes().to_vec(),
        _ => line.splice(at..at, "\u{202e}\u{0}\u{1b}[2J".bytes()).for_each(drop),
    }
    line.push(b'\n');
}

fn replaced(line: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(line).replacen(from, to, 1).into_bytes()
}

fn stream(dice: &mut Dice) -> Vec<u8> {
    let mut text = Vec::new();
    // Damage from one line in a hundred to every second one.
    let spacing = *pick(dice, &[2, 20, 100]);
    for _ in 0..dice.roll(60) {
        let mut line = pick(dice, frozen()).clone();
        if dice.roll(spacing) == 0 {
            spoil(dice, &mut line);
        }
        text.extend(line);
    }
    if dice.roll(4) == 0 {
        text.pop();
    }
    text
}

pub fn play(dice: &mut Dice) -> Outcome {
    let input = stream(dice);
    let fix = root().join("ground/rows/mumble/fixes/readiness").display().to_string();
    let format = *pick(dice, &["text", "md", "csv", "junit", "json"]);
    let choice: &[&str] = match dice.roll(10) {
        0 => &["flake-classify", "--next"],
        1 => &["flake-classify", "--explain"],
        2 => &["redfix-report", "--format", "html"],
        3 => &["redfix-report", "--format", format],
        4 => &["warm-domain-alloc", "--base", "ci.example"],
        5 => &["log-snap"],
        6 => &["swarm-isolate", "--domain", "iso-x.ci.example", "--dry-run"],
        7 => &["pr-open", "--fix", &fix, "--forge", "dir:/nonexistent", "--repo", "o/n"],
        _ => &["flake-classify"],
    };
    let passes = !matches!(choice, ["redfix-report", ..] | [_, "--next" | "--explain"]);
    let mut command = plain(choice[0], &choice[1..]);
    command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    if dice.roll(3) == 0 {
        command.arg("--lenient");
    }
    if choice[0] == "swarm-isolate" {
        command.args(["--", "true"]);
    }
    let ended = run(&mut command, &input, None)?;
    ended.sane()?;
    if passes {
        nothing_torn(&input, &ended.out)?;
        if matches!(ended.code, Some(0 | 1)) {
            all_passed(&input, &ended.out)?;
        }
    }
    Ok(())
}
