//! Stacks for which no tool was written (`ground/unseen`), taken together from red to both gates: a restore to the wrong
//! folder, an alias that other stacks answer, a memory limit that an advance in place keeps, a page that is late under load.

use std::process::Stdio;

use e2e::row::{Neighbours, assert_as_expected, flows, latest, script};
use e2e::{objects_named, root};

#[test]
fn unseen_stacks_get_their_true_causes() {
    e2e::calm::require();
    let _neighbours = Neighbours::up();
    let before = objects_named("");
    // A relative path, as an operator may write it; programs that start in other folders must find it too.
    let (dir, recipes) = (e2e::folder::Folder::new(), "ground/unseen");
    let run = |name: &str, args: &[&str]| {
        let mut command = script(name, dir.path());
        command.args(args).current_dir(root()).env("REDFIX_RECIPES", recipes).stderr(Stdio::inherit());
        let output = command.output().expect("the script starts");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(run("scripts/sweep", &["--recorded"]).0, Some(1));
    let (code, report) = run("scripts/redfix", &["run", "--short"]);
    assert_eq!(code, Some(0), "{report}");
    for gate in ["GATE M1 PASS 4/4", "GATE M2 PASS 4/4"] {
        assert!(report.contains(gate), "{gate}:\n{report}");
    }
    let flow = flows(dir.path()).remove(0);
    let ledger = |name: &str| latest(&flow, name).expect("an investigation").join("ledger.jsonl");
    assert_as_expected(&root().join(recipes), &["digest", "pastes", "thumbs", "visits"].map(ledger), true);
    // The comparison must notice a changed verdict.
    let (one, text) = (ledger("digest"), std::fs::read_to_string(ledger("digest")).expect("a ledger"));
    std::fs::write(&one, text.replace("\"verdict\":\"load-flake\"", "\"verdict\":\"genuine\""))
        .expect("written");
    let (code, said) = run("check/expected.sh", &[one.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(1));
    assert!(said.contains("expected verdict=load-flake, found verdict=genuine"), "{said}");

    let is_slot = |name: &String| name.starts_with("config redfix-slot-");
    let after: Vec<String> = objects_named("").into_iter().filter(|name| !is_slot(name)).collect();
    assert_eq!(after, before.into_iter().filter(|name| !is_slot(name)).collect::<Vec<_>>());
}
