//! Leases and signals: when `warm-domain-alloc` is ended at any moment, its holder can find, resume and release every lease
//! that is left.

use std::collections::BTreeSet;
use std::process::Command;

use e2e::bench::Dice;
use serde_json::Value;

use crate::ground::{Outcome, ensure, ledger, lines, pick, plain, run};

const RECIPES: [&str; 4] = ["gitea", "mumble", "keycloak", "discourse"];

/// One holder and its leases on a real swarm.
pub struct Holder {
    name: String,
    base: String,
}

impl Holder {
    pub fn new(dice: &mut Dice) -> Self {
        let id = format!("{:012x}", dice.roll(1 << 48));
        Self { name: format!("campaign-{id}"), base: format!("{id}.test") }
    }

    pub fn alloc(&self, recipes: usize) -> Command {
        let mut command = plain("warm-domain-alloc", &["--base", &self.base, "--holder", &self.name]);
        for recipe in &RECIPES[..recipes] {
            command.args(["--recipe", recipe]);
        }
        command
    }

    /// The domains of its leases.
    pub fn leases(&self) -> Result<BTreeSet<String>, String> {
        let ended = run(&mut plain("warm-domain-alloc", &["list"]), b"", None)?;
        ensure(ended.code == Some(0), || ended.said.clone())?;
        let records =
            lines(&ended.out).map(|line| serde_json::from_slice::<Value>(line).map_err(|e| e.to_string()));
        let records: Vec<Value> = records.collect::<Result<_, _>>()?;
        let mine = records.iter().filter(|record| record["holder"] == self.name.as_str());
        Ok(mine.map(|record| record["domain"].to_string()).collect())
    }

    /// Releasing by the holder's name alone removes every lease.
    pub fn all_given_back(&self) -> Outcome {
        let ended = run(&mut plain("warm-domain-alloc", &["release", "--holder", &self.name]), b"", None)?;
        ensure(ended.code == Some(0), || format!("not released: {}", ended.said))?;
        let left = self.leases()?;
        ensure(left.is_empty(), || format!("leases are left: {left:?}"))
    }
}

pub fn play(dice: &mut Dice) -> Outcome {
    let holder = Holder::new(dice);
    let dir = e2e::folder::Folder::new();
    let file = dir.path().join("ledger.jsonl");
    let wanted = 1 + usize::try_from(dice.roll(4)).expect("small");
    let signal = *pick(dice, &["-KILL", "-KILL", "-TERM", "-INT", "-HUP"]);
    let ended = run(holder.alloc(wanted).arg("--ledger").arg(&file), b"", Some((dice.roll(400), signal)))?;
    ended.sane()?;
    let recorded = ledger(&file)?;
    let there = holder.leases()?;
    for record in recorded.iter().filter(|record| record["type"] == "domain.leased") {
        ensure(there.contains(&record["domain"].to_string()), || {
            format!("on record, not on the swarm: {record}")
        })?;
    }
    // The same request again gets the same leases.
    let again = run(&mut holder.alloc(wanted), b"", None)?;
    ensure(again.code == Some(0), || format!("not taken up again: {}", again.said))?;
    let after = holder.leases()?;
    ensure(after.len() == wanted && after.is_superset(&there), || format!("{there:?} became {after:?}"))?;
    holder.all_given_back()
}
