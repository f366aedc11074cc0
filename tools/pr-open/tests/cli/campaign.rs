//! The forge's share of the random fault campaign: errors, lost answers, nonsense and kills, and then a second try. Lost
//! is: a second pull request or a second `!testme` for one fix, a torn ledger, a token that shows, a try that does not
//! heal. `E2E_FAULTS=N`, `E2E_FAULT_SEED=S`, `E2E_FAULT_ONLY=I` as in `make faults`.

use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::fixture::{Ran, World, ledger};
use crate::forge::{Forge, TOKEN};

const PULLS: &str = "/repos/{owner}/{repo}/pulls";
const LONGEST_MS: u64 = 900;

/// Small reproducible random numbers (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

fn spoil(dice: &mut Dice, forge: &Forge) {
    let mut state = forge.fake.state();
    let traps = &mut state.traps;
    for _ in 0..dice.roll(4) {
        let (method, template) = dice.one(&[
            ("GET", "/repos/{owner}/{repo}"),
            ("GET", PULLS),
            ("POST", PULLS),
            ("POST", PULLS),
            ("GET", "/repos/{owner}/{repo}/branches/{branch}"),
            ("POST", "/repos/{owner}/{repo}/issues/{index}/comments"),
        ]);
        traps.refuse.push((
            method,
            template,
            dice.one(&[401, 403, 404, 409, 422, 423, 429, 500, 502, 504]),
            "no",
        ));
    }
    for _ in 0..dice.roll(4) {
        traps.lose_answers.push_back(dice.one(&["POST", "POST", "GET", "PATCH"]));
    }
    traps.cut = dice.roll(2) == 0;
    traps.hide_until_post = dice.roll(6) == 0;
    traps.crlf = dice.roll(4) == 0;
    traps.max_page = dice.roll(3);
    if dice.roll(4) == 0 {
        traps.away = (u32::try_from(dice.roll(5)).unwrap(), dice.one(&[429, 503]), dice.one(&["", "0", "1"]));
    }
    if dice.roll(10) == 0 {
        traps.nonsense = Some(dice.one(&["<html>come back later", "{}", "[]", "[{}]", "null", ""]));
    }
}

/// Runs it, and kills it after a while where that is so diced.
fn run(dice: &mut Dice, mut command: Command, may_kill: bool) -> (bool, Ran) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("in"), ledger()).unwrap();
    command.stdin(std::fs::File::open(dir.path().join("in")).unwrap());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut killed = false;
    if may_kill && dice.roll(2) == 0 {
        std::thread::sleep(Duration::from_millis(dice.roll(usize::try_from(LONGEST_MS).unwrap()) as u64));
        killed = child.try_wait().unwrap().is_none();
        let _ = child.kill();
    }
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert!(!ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN), "the token shows");
    assert!(killed || [0, 1, 2, 75].contains(&ran.code), "exit {}: {}", ran.code, ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert!(killed || ran.code == 0 || !ran.stderr.is_empty(), "it fails in silence");
    (killed, ran)
}

/// The records of a ledger: whole lines, but for the last one.
fn recorded(world: &World) -> Vec<Value> {
    let text = std::fs::read_to_string(world.path("ledger.jsonl")).unwrap_or_default();
    assert!(!text.contains(TOKEN), "the token is in the ledger");
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("the ledger is torn: {e}: {line}")))
        .collect()
}

fn opened_on_record(world: &World) {
    let records = recorded(world);
    assert!(
        records.iter().any(|record| record["type"] == "pr.opened" && record["number"] == 1),
        "{records:#?}"
    );
}

fn of_the_forge(dice: &mut Dice) {
    let forge = Forge::new();
    spoil(dice, &forge);
    let path = forge.world.path("ledger.jsonl").display().to_string();
    let testme = if dice.roll(2) == 0 { &["--testme"][..] } else { &[] };
    let options = [&["--ledger", &path, "--forge-timeout", "2s"][..], testme].concat();
    for _ in 0..=dice.roll(2) {
        run(dice, forge.command(&forge.fake.url, &options), true);
    }
    forge.fake.state().traps = crate::fake::Traps::default();
    let (_, healed) = run(dice, forge.command(&forge.fake.url, &options), false);
    assert_eq!(healed.code, 0, "it does not heal: {}", healed.stderr);
    let mut state = forge.fake.state();
    state.log.clear();
    let open = state.pulls.iter().filter(|pull| pull["state"] == "open").count();
    assert_eq!((open, state.pulls.len()), (1, 1), "pull requests: {:#?}", state.pulls);
    let asked = state.comments.iter().filter(|comment| comment["body"].as_str() == Some("!testme")).count();
    assert_eq!(asked, testme.len(), "comments: {:#?}", state.comments);
    assert!(!json!([state.pulls, state.comments]).to_string().contains(TOKEN), "the token is published");
    drop(state);
    opened_on_record(&forge.world);
}

fn of_a_folder(dice: &mut Dice) {
    let world = World::new();
    let path = world.path("ledger.jsonl").display().to_string();
    let options = ["--ledger", &path, "--testme"];
    for _ in 0..=dice.roll(2) {
        run(dice, world.command(&options), true);
    }
    let (_, healed) = run(dice, world.command(&options), false);
    assert_eq!(healed.code, 0, "it does not heal: {}", healed.stderr);
    let queue = std::fs::read_to_string(world.path("forge/queue.jsonl")).unwrap();
    let events: Vec<Value> = queue.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    assert_eq!(of("pull.opened"), 1, "{queue}");
    opened_on_record(&world);
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

#[test]
fn nothing_is_lost_between_here_and_the_forge() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = number("E2E_FAULT_SEED").unwrap_or(now.as_secs());
    let count = number("E2E_FAULTS").unwrap_or(6);
    let numbers = number("E2E_FAULT_ONLY").map_or(0..count, |only| only..only + 1);
    println!("faults: E2E_FAULT_SEED={seed} E2E_FAULTS={count}");
    let (mut tried, mut lost) = (0, Vec::new());
    for number in numbers {
        let mut dice = Dice(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let play = if dice.roll(4) == 0 { of_a_folder } else { of_the_forge };
        tried += 1;
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play(&mut dice)));
        if played.is_err() {
            println!("faults: LOST (E2E_FAULT_SEED={seed} E2E_FAULT_ONLY={number})");
            lost.push(number);
        }
    }
    println!(
        "faults: {:<42} tried {tried:>4}  lost {:>3}",
        "forge error, answer lost, pr-open killed",
        lost.len()
    );
    println!("faults: tried {tried} lost {}", lost.len());
    assert!(lost.is_empty(), "lost: {lost:?}");
}
