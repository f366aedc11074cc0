//! Runs on a real swarm whose tool gets a signal or whose engine dies: nothing is left, bystanders are untouched, and each
//! attempt that began has exactly one record.

use std::time::Duration;

use e2e::bench::{Bench, Bystander, Dice, kill, reapers, restart_engine, told};
use e2e::{objects_named, wait_for};

use crate::ground::{Outcome, ensure, pick};

/// The latest moment of a fault: the tool is well into its teardown by then.
const LONGEST_MS: u64 = 12_000;

/// Checks that nothing is left. A tool that was killed before its attempt began still holds its slot; the next tool on this
/// host frees it, so one is run first.
fn over(bench: &Bench) -> Outcome {
    ensure(objects_named(&bench.name).is_empty(), || format!("left: {:?}", objects_named(&bench.name)))?;
    let reap = bench.tool(&["reap"]);
    ensure(reap.status.success(), || told(&reap))?;
    bench.assert_over();
    wait_for("the reapers to end", 180, || reapers().is_empty());
    Ok(())
}

pub fn signal(dice: &mut Dice, bystander: &Bystander) -> Outcome {
    let untouched = bystander.state();
    let bench = Bench::new("camp");
    let signal = *pick(dice, &["-INT", "-TERM", "-HUP", "-KILL"]);
    let mut child = bench.start(&[], "sleep 3");
    // A random moment is the fault to test, so this sleep waits for no condition.
    std::thread::sleep(Duration::from_millis(dice.roll(LONGEST_MS)));
    if child.try_wait().map_err(|e| e.to_string())?.is_none() {
        kill(child.id(), signal);
    }
    child.wait_with_output().map_err(|e| e.to_string())?;
    if signal == "-KILL" {
        bench.wait_until_finished(180);
    }
    over(&bench)?;
    ensure(bystander.state() == untouched, || "a bystander was touched".into())
}

pub fn restart(dice: &mut Dice) -> Outcome {
    let bench = Bench::new("dead");
    let mut child = bench.start(&[], "sleep 600");
    std::thread::sleep(Duration::from_millis(dice.roll(LONGEST_MS / 2)));
    restart_engine(|| {
        if dice.roll(2) == 0 {
            kill(child.id(), "-TERM");
        }
    });
    if child.try_wait().map_err(|e| e.to_string())?.is_none() {
        kill(child.id(), "-TERM");
    }
    wait_for("the tool to end", 200, || child.try_wait().is_ok_and(|status| status.is_some()));
    bench.wait_until_finished(180);
    over(&bench)
}
