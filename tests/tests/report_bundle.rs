//! `redfix-report` on files that the other tools wrote: a red run whose service logs an error, its bundle, its page.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use e2e::run::{Run, said};
use e2e::tool;

/// A service that logs an error as applications do, with text that would be harmful in an HTML page.
const COMPOSE: &str = r#"version: "3.8"
services:
  app:
    image: redfix/busybox:latest
    command:
      - sh
      - -c
      - "echo starting; echo 'ERROR: relation <b>ci_marker</b> does not exist'; echo 'later: cannot go on'; exec sleep 600"
    stop_grace_period: 1s
    deploy: {endpoint_mode: dnsrr}
"#;

#[test]
fn the_first_error_of_a_real_bundle_is_on_the_page_and_harmless() {
    let run = Run::new("page");
    fs::write(run.path("compose.yml"), COMPOSE).unwrap();
    let companion = format!("{} attach", tool("log-snap").display());
    let script = "docker stack deploy --resolve-image never -c compose.yml $REDFIX_STACK >/dev/null 2>&1 || exit 9
        until docker logs $(docker ps -q --filter label=com.docker.stack.namespace=$REDFIX_STACK) 2>&1 | grep -q later; do sleep 0.2; done
        echo '<testsuite><testcase classname=\"restore/test_restore.py\" name=\"t\"><failure message=\"gone\"/></testcase></testsuite>' >$REDFIX_EVIDENCE/j.xml
        exit 1";
    let output = run.output(&["--companion", &companion], script);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let last = run.last_run();
    assert_eq!((&last["outcome"], &last["isolation"]["proved"]), (&"fail".into(), &true.into()), "{last:#}");
    let classify = Command::new(tool("flake-classify")).stdin(fs::File::open(run.ledger()).unwrap()).output();
    let ledger = run.path("out/whole.jsonl");
    fs::write(&ledger, classify.unwrap().stdout).unwrap();
    let report = |options: &[&str]| {
        let mut command = Command::new(tool("redfix-report"));
        let path = std::env::join_paths([tool("log-snap").parent().unwrap().to_owned()]).unwrap();
        command.args(options).arg(&ledger).env("PATH", path).output().unwrap()
    };
    let page = String::from_utf8(report(&["--format", "html"]).stdout).unwrap();
    assert!(page.contains("ERROR: relation &#60;b&#62;ci_marker&#60;/b&#62; does not exist"), "{page}");
    assert!(!page.contains("<b>ci_marker"), "a log is hostile text");
    assert!(page.contains("later: cannot go on"), "what follows the first error is shown, too");
    let text = report(&["--verify-evidence"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("ci_marker"), "{text}");
    assert!(!text.contains("does not verify"), "{text}");
    // A bundle that was changed afterwards is not shown as evidence.
    let blob = bundle_file(&run);
    fs::write(&blob, b"something else").unwrap();
    let text = String::from_utf8(report(&["--verify-evidence"]).stdout).unwrap();
    assert!(text.contains("is not what was recorded") || text.contains("blob"), "{text}");
    run.assert_nothing_left();
}

/// The path of one content-addressed file in the run's log bundle.
fn bundle_file(run: &Run) -> PathBuf {
    let snapped = run.records().into_iter().find(|record| record["type"] == "log.snapped").expect("a bundle");
    let mut folders = vec![run.path("out").join(snapped["path"].as_str().unwrap()).join("blobs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            if entry.path().is_file() {
                return entry.path();
            }
            folders.push(entry.path());
        }
    }
    panic!("no blob");
}
