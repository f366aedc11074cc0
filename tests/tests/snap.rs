//! `log-snap` on a real swarm: crash loops, secrets, long lines, removed services, kill -9.
//!
//! Needs an engine (`DOCKER_HOST`, as `make test` sets it) and the image that `ground/images/build busybox`
//! makes. Without them the tests fail instead of being skipped.

#![allow(clippy::unwrap_used)] // helpers of tests, which clippy does not take for tests

use e2e::snap::{Attached, Bundle, holds};
use e2e::stack::{Stack, try_docker};
use e2e::{docker, pipe, tool, wait_for};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

const SECRET: &str = "s3cr3t/Zebra+42";
/// Base64 of [`SECRET`].
const SECRET_BASE64: &str = "czNjcjN0L1plYnJhKzQy";

#[test]
fn every_first_line_of_a_crash_loop() {
    let (stack, dir) = (Stack::new(), e2e::folder::Folder::new());
    let attached = Attached::start(&stack, dir.path(), &[]);
    let restart = "    deploy: {endpoint_mode: dnsrr, restart_policy: {delay: 1ms}}\n";
    stack.deploy(&[("crash", "echo first words of $HOSTNAME; exit 3", restart)]);
    // The engine keeps only five tasks of a slot, so the first of these twenty are gone by then.
    wait_for("twenty crashes", 240, || stack.containers_with("die").len() >= 20);
    let died = stack.containers_with("die");
    let (code, record, bundle) = attached.stop();
    let all = bundle.logs("crash").concat();
    for id in &died {
        assert!(holds(&all, &format!("first words of {}\n", &id[..12])), "{id} of {died:?}");
    }
    assert_eq!((code, record["complete"].as_bool()), (0, Some(true)), "{record}");
    assert_eq!(record["path"], "evidence/snap");
    assert_eq!(record["attempt_id"], "A1");
    assert_eq!(bundle.verify(), (0, String::new()));
    let failed: Vec<&Value> =
        bundle.of_kind("task").into_iter().filter(|task| task["exit_code"] == 3).collect();
    assert!(failed.len() >= 20 && failed[0]["error"] == "task: non-zero exit (3)", "{failed:?}");
    assert!(bundle.of_kind("event").iter().filter(|event| event["action"] == "die").count() >= 20);
    assert!(!bundle.of_kind("pressure").is_empty());
}

#[test]
fn no_secret_reaches_the_disk() {
    let (stack, dir) = (Stack::new(), e2e::folder::Folder::new());
    let attached = Attached::start(&stack, dir.path(), &[]);
    let more = format!(
        "    environment: {{DB_PASSWORD: \"{SECRET}\", URL: \"postgres://u:{SECRET}@db/x\"}}\n    \
         labels: {{app.api_key: \"{SECRET}\"}}\n    \
         healthcheck: {{test: [\"CMD-SHELL\", \"echo probe $$DB_PASSWORD; exit 1\"], interval: 1s, retries: 99}}\n"
    );
    // `set -x` prints each value on standard error too; printf splits one secret over two writes.
    let script = format!(
        "echo \"connecting with $DB_PASSWORD\"; echo {SECRET_BASE64}; echo 'password=unknown-{SECRET}-value'; \
         printf 's3cr3t/Ze'; printf 'bra+42 in two writes\\n'; echo Authorization: Bearer abcdefghijklmnop; \
         (set -x; : \"$DB_PASSWORD\"); echo done; exec sleep 1000"
    );
    stack.deploy(&[("app", &script, &more)]);
    stack.wait_for_log("app", "done");
    wait_for("a probe", 180, || {
        let ids = docker(["ps", "-q", "--filter", &stack.label()]);
        let Some(id) = ids.lines().next() else { return false };
        let health = try_docker(&["inspect", "--format", "{{json .State.Health.Log}}", id]);
        holds(&health.stdout, "probe")
    });
    let (code, record, bundle) = attached.stop();
    let everything = bundle.everything();
    for form in [SECRET, SECRET_BASE64, "s3cr3t%2FZebra%2B42", "Zebra", "abcdefghijklmnop"] {
        let at = everything.windows(form.len()).position(|part| part == form.as_bytes());
        let around =
            at.map(|at| String::from_utf8_lossy(&everything[at.saturating_sub(200)..at + 40]).into_owned());
        assert_eq!(around, None, "{form} is in the bundle");
        assert!(!holds(record.to_string().as_bytes(), form), "{form} is in the record");
    }
    let log = bundle.logs("app").concat();
    for words in ["connecting with [REDACTED:exact:", "in two writes", "done\n"] {
        assert!(holds(&log, words), "{words}: {}", String::from_utf8_lossy(&log));
    }
    assert!(
        bundle
            .of_kind("probe")
            .iter()
            .any(|probe| probe["output"].as_str().unwrap().starts_with("probe [RED"))
    );
    assert!(record["redactions"]["exact"].as_u64().unwrap() >= 6, "{record}");
    assert_eq!(code, 0, "{record}");
}

#[test]
fn long_lines_odd_bytes_and_terminals() {
    let (stack, dir) = (Stack::new(), e2e::folder::Folder::new());
    let attached = Attached::start(&stack, dir.path(), &[]);
    let long = "head -c 102400 /dev/zero | tr '\\0' y; echo end; echo after; exec sleep 1000";
    stack.deploy(&[
        ("long", long, ""),
        // The json-file log driver replaces invalid bytes by U+FFFD; the local driver keeps them.
        (
            "bytes",
            "printf 'a\\377\\376\\000b\\n\\nno line feed'; exec sleep 1000",
            "    logging: {driver: local}\n",
        ),
        ("tty", long, "    tty: true\n"),
        ("none", "echo nobody can read this; exec sleep 1000", "    logging: {driver: none}\n"),
    ]);
    stack.wait_for_log("long", "after");
    stack.wait_for_log("bytes", "b\n\n");
    stack.wait_for_log("tty", "after");
    wait_for("the one without a log", 180, || stack.containers_with("start").len() == 4);
    let (code, record, bundle) = attached.stop();
    let whole = [vec![b'y'; 102_400], b"end\nafter\n".to_vec()].concat();
    assert!(bundle.logs("long") == [whole.clone()], "{:?}", bundle.of_kind("stream"));
    assert!(bundle.logs("bytes").concat().starts_with(b"a\xff\xfe\x00b\n\n"));
    let terminal = bundle.logs("tty").concat();
    assert!(terminal.iter().filter(|byte| **byte != b'\r').eq(whole.iter()), "{} bytes", terminal.len());
    // A log that cannot be read is recorded as a gap.
    assert_eq!((code, record["complete"].as_bool()), (1, Some(false)), "{record}");
    let gaps = record["gaps"].as_array().unwrap();
    assert!(gaps.len() == 1 && gaps[0].as_str().unwrap().contains("log of none.1"), "{gaps:?}");
    assert!(gaps[0].as_str().unwrap().contains("does not support reading"), "{gaps:?}");
}

#[test]
fn a_removed_service_is_still_there_and_a_flipped_byte_is_found() {
    let (stack, dir) = (Stack::new(), e2e::folder::Folder::new());
    let attached = Attached::start(&stack, dir.path(), &["--until-gone"]);
    stack.deploy(&[("app", "echo last will; exec sleep 1000", "")]);
    stack.wait_for_log("app", "last will");
    assert!(stack.remove());
    let (code, record, bundle) = attached.stop();
    assert_eq!(bundle.logs("app"), [b"last will\n"]);
    assert_eq!((code, record["complete"].as_bool()), (0, Some(true)), "{record}");
    assert_eq!(bundle.verify().0, 0);
    let blob = bundle.of_kind("stream")[0]["text"].as_str().unwrap().to_owned();
    let path = bundle.folder.join(format!("blobs/{}/{blob}.zst", &blob[..2]));
    let mut bytes = fs::read(&path).unwrap();
    bytes[7] ^= 0x10;
    fs::write(&path, bytes).unwrap();
    let (code, text) = bundle.verify();
    assert!(code == 1 && text.contains(&blob), "{code} {text}");
}

#[test]
fn a_death_is_explained() {
    let (stack, dir) = (Stack::new(), e2e::folder::Folder::new());
    let attached = Attached::start(&stack, dir.path(), &[]);
    let once = "restart_policy: {condition: none}";
    stack.deploy(&[
        (
            "hog",
            "echo eating; x=a; while true; do x=$x$x$x; done",
            &format!("    deploy: {{endpoint_mode: dnsrr, {once}, resources: {{limits: {{memory: 20M}}}}}}\n"),
        ),
        ("lost", "exec /nonexistent", &format!("    deploy: {{endpoint_mode: dnsrr, {once}}}\n")),
        (
            "ill",
            "echo up; exec sleep 1000",
            &format!(
                "    healthcheck: {{test: [\"CMD-SHELL\", \"echo no database; exit 1\"], interval: 1s, retries: 2}}\n    \
                 deploy: {{endpoint_mode: dnsrr, {once}}}\n"
            ),
        ),
    ]);
    wait_for("three deaths", 180, || stack.containers_with("die").len() >= 3);
    // The swarm updates the tasks' state a moment after their containers died.
    wait_for("failed tasks", 180, || {
        let states = docker(["stack", "ps", "--format", "{{.CurrentState}}", &stack.name]);
        states.lines().all(|state| state.starts_with("Failed"))
    });
    let (_, record, bundle) = attached.stop();
    let meaning = |name: &str| {
        let tasks = bundle.of_kind("task");
        let task = tasks.iter().find(|task| task["name"] == format!("{name}.1")).unwrap();
        task["meaning"].as_str().unwrap().to_owned()
    };
    assert!(meaning("hog").starts_with("out of memory"), "{}", meaning("hog"));
    assert_eq!(meaning("lost"), "its command was not found");
    assert!(meaning("ill").contains("health probes"), "{}", meaning("ill"));
    let probes = bundle.of_kind("probe");
    assert!(
        probes.iter().any(|probe| probe["output"] == "no database\n" && probe["exit_code"] == 1),
        "{probes:?}"
    );
    assert_eq!(record["complete"], true, "{record}");
}

#[test]
fn kill_9_leaves_no_half_bundle_and_the_next_start_cleans_up() {
    let (stack, dir) = (Stack::new(), e2e::folder::Folder::new());
    let mut attached = Attached::start(&stack, dir.path(), &[]);
    stack.deploy(&[("app", "echo here; exec sleep 1000", "")]);
    stack.wait_for_log("app", "here");
    attached.signal("KILL");
    attached.child.wait().unwrap();
    let names = || -> BTreeSet<String> {
        let entries = fs::read_dir(dir.path().join("evidence")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert!(names().iter().all(|name| name.starts_with(".tmp-snap-")), "{:?}", names());
    let (code, record, bundle) = Attached::start(&stack, dir.path(), &[]).stop();
    assert_eq!((code, names()), (0, BTreeSet::from(["snap".to_owned()])), "{record}");
    assert_eq!(bundle.logs("app"), [b"here\n"]);
}

#[test]
fn once_behind_a_run_and_the_same_log_is_the_same_blob() {
    let (stack, dir) = (Stack::new(), e2e::folder::Folder::new());
    stack.deploy(&[("app", "echo one; echo two >&2; exec sleep 1000", "")]);
    stack.wait_for_log("app", "two");
    let run = format!(
        "{{\"type\":\"run.finished\",\"v\":1,\"ts\":\"2026-01-02T03:04:05.000Z\",\"investigation\":\"I1\",\"tool\":\"t/1\",\
         \"attempt_id\":\"ATT\",\"recipe\":\"r\",\"version\":\"1\",\"engine\":\"e\",\"node\":\"n\",\"boot_id\":\"b\",\
         \"stack\":\"{}\",\"factors\":{{}},\"outcome\":\"fail\",\"started\":\"2026-01-02T03:04:05.000Z\",\"duration_ms\":1,\
         \"isolation\":{{\"proved\":true,\"slots_held\":1,\"slots_total\":1,\"other_deploys\":0}},\
         \"cleanup\":{{\"created\":[],\"left\":[],\"duration_ms\":0,\"others_unchanged\":true}}}}\n",
        stack.name
    );
    let snap = |out: &str| {
        let output =
            pipe(Command::new(tool("log-snap")).arg("--out").arg(dir.path().join(out)), run.as_bytes());
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        let record = text.strip_prefix(&run).expect("the run is passed on first, byte for byte");
        let record: Value = serde_json::from_str(record).unwrap();
        assert_eq!(
            (record["investigation"].as_str(), record["attempt_id"].as_str()),
            (Some("I1"), Some("ATT"))
        );
        Bundle::read(&dir.path().join(out).join("ATT"))
    };
    let (one, two) = (snap("one"), snap("two"));
    let blobs = |bundle: &Bundle| -> Vec<Value> { bundle.of_kind("blob").into_iter().cloned().collect() };
    assert_eq!(blobs(&one), blobs(&two));
    let lines: BTreeSet<Vec<u8>> =
        one.logs("app").concat().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    assert_eq!(lines, BTreeSet::from([b"".to_vec(), b"one".to_vec(), b"two".to_vec()]));
    // A stack that never existed gets no bundle: exit 2.
    let output = Command::new(tool("log-snap"))
        .args(["--stack", "neverwas", "--out"])
        .arg(dir.path().join("never"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.len(), dir.path().join("never").exists()),
        (Some(2), 0, false)
    );
}
