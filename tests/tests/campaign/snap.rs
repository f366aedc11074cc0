//! `log-snap` killed while it writes a bundle: `verify` accepts or refuses what is there, a second bundle is complete, and
//! neither contains the secret.

use lib_common::swarm::label;
use std::fs;
use std::path::Path;

use e2e::bench::Dice;
use e2e::stack::{create_service, try_docker};

use crate::ground::{Outcome, ensure, plain, run};

const SECRET: &str = "9f3Kq7Lw2Zx8Vb5Nc1";

/// A stack that logs for ever, with a password in every second line.
pub struct Talker(String);

impl Talker {
    pub fn new() -> Self {
        let name = format!("by-talk-{:06x}", std::process::id());
        let script = format!("while :; do echo line of many; echo password={SECRET}; sleep 0.05; done");
        let label = label::of_stack(&name);
        let labels = ["--label", &label, "--container-label", &label];
        create_service(&format!("{name}_app"), &labels, &["sh", "-c", &script]);
        Self(name)
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        try_docker(&["service", "rm", &format!("{}_app", self.0)]);
    }
}

fn no_secret(folder: &Path) -> Outcome {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            no_secret(&path)?;
            continue;
        }
        let bytes = fs::read(&path).unwrap_or_default();
        // A blob that the kill tore cannot be decompressed: search its raw bytes.
        let text = zstd::decode_all(&bytes[..]).unwrap_or(bytes);
        let found = text.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
        ensure(!found, || format!("the secret is in {}", path.display()))?;
    }
    Ok(())
}

pub fn play(dice: &mut Dice, talker: &Talker) -> Outcome {
    let dir = e2e::folder::Folder::new();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let snap = |out: &str| plain("log-snap", &["--stack", &talker.0, "--idle", "300ms", "--out", out]);
    let verified = |out: &str| run(&mut plain("log-snap", &["verify", out]), b"", None);
    let first = run(&mut snap(&path("first")), b"", Some((dice.roll(600), "-KILL")))?;
    first.sane()?;
    let check = verified(&path("first"))?;
    check.sane()?;
    ensure(first.killed || check.code == Some(0), || format!("not killed, not whole: {}", check.said))?;
    let second = run(&mut snap(&path("second")), b"", None)?;
    ensure(matches!(second.code, Some(0 | 1)), || format!("no second bundle: {}", second.said))?;
    let check = verified(&path("second"))?;
    ensure(check.code == Some(0), || format!("the second bundle: {}", check.said))?;
    let printed = run(&mut plain("log-snap", &["cat", &path("second")]), b"", None)?;
    let text = String::from_utf8_lossy(&printed.out).into_owned() + &first.said + &second.said;
    ensure(text.contains("line of many"), || "the second bundle is empty".into())?;
    ensure(!text.contains(SECRET), || "the secret is printed".into())?;
    no_secret(dir.path())
}
