//! On a busy machine, a test that measures isolation fails with the reason before it starts anything.

use std::panic::catch_unwind;
use std::process::{Command, Stdio};

use e2e::bench::kill;
use e2e::{calm, root, wait_for};

#[test]
fn a_busy_machine_is_told_and_a_calm_one_is_accepted() {
    calm::require();
    let cores = std::thread::available_parallelism().expect("cores").get();
    let mut load = Command::new(root().join("ground/load"));
    let mut load =
        load.args(["cpu", &(2 * cores).to_string()]).stderr(Stdio::null()).spawn().expect("ground/load");
    wait_for("the load", 180, || calm::busy() > 0.9);
    let said = catch_unwind(calm::require).expect_err("it goes on all the same");
    kill(load.id(), "-TERM");
    load.wait().expect("it ends");
    let said = said.downcast_ref::<String>().expect("words");
    assert!(said.starts_with("the machine is not calm: "), "{said}");
    calm::require();
}
