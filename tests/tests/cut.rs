//! Faults around a command: processes that escape or ignore signals, full disks, dead readers, a silent engine. After each
//! fault nothing is left, and the record says what happened.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::run::{DEPLOY, Run, kill, said};
use e2e::{relay, tool, wait_for};

/// Processes that sleep for `marker` seconds, a number that no other test uses.
fn alive(marker: &str) -> String {
    let output = Command::new("pgrep").args(["-af", &format!("^sleep {marker}$")]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Starts a process that leaves its session, clears its environment, loses its parent and ignores SIGTERM.
fn escape(marker: &str) -> String {
    format!(
        "for n in 1 2 3; do env -i setsid sh -c 'trap \"\" TERM; setsid setsid sleep {marker} & setsid sleep {marker} & exit' & done; wait; trap '' TERM;"
    )
}

#[test]
fn what_escapes_and_ignores_term_is_ended_within_the_grace() {
    for number in 0..2 {
        let run = Run::new("esc");
        let marker = format!("86{}{number}", std::process::id());
        // In the first round the command ends before its strays; in the second it must be ended too.
        let end = if number == 0 { "true" } else { "sleep 600; sleep 600" };
        let output = run.output(&["--timeout", "3s"], &format!("{} {end}", escape(&marker)));
        assert_eq!(output.status.code(), Some(number), "{}", said(&output));
        assert_eq!(alive(&marker), "");
        assert!(!run.last_run()["notes"].to_string().contains("control group"), "{:#}", run.last_run());
        run.assert_nothing_left();
    }
}

/// The tool, run by `setpriv` as a user who may use the engine's socket and nothing else.
fn as_nobody(run: &Run, options: &[&str], script: &str) -> Command {
    let socket = std::env::var("DOCKER_HOST").unwrap();
    let group = fs::metadata(socket.strip_prefix("unix://").unwrap()).unwrap().gid().to_string();
    let home = run.path("home");
    fs::create_dir_all(&home).unwrap();
    for path in [run.dir.path(), &home] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    // The unprivileged user may not have access to the checkout.
    let copy = run.path("swarm-isolate");
    for name in ["swarm-isolate", "swarm-guard"] {
        fs::copy(tool(name), run.path(name)).unwrap();
    }
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid", "65534", "--regid", &group, "--clear-groups"]).arg(copy).env("HOME", &home);
    run.by(setpriv, &run.script(options, script))
}

#[test]
fn any_user_of_the_engine_will_do_and_the_record_says_what_was_missing() {
    let run = Run::new("user");
    let marker = format!("87{}", std::process::id());
    let script = format!("id -u; {DEPLOY} setsid sh -c 'setsid sleep {marker} &'");
    let output = as_nobody(&run, &["--pty", "--companion", "sleep 60"], &script).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let last = run.last_run();
    for missing in
        ["no own control group: ", "the reaper shares our control group", "without the right to mount"]
    {
        let notes = last["notes"].as_array().unwrap();
        let said = notes.iter().filter(|note| note.as_str().unwrap().starts_with(missing)).count();
        assert_eq!(said, 1, "{missing} is said once: {last:#}");
    }
    assert_eq!(last["isolation"]["proved"], true, "{last:#}");
    assert!(run.evidence("command.log").starts_with("65534\n"));
    assert_eq!(alive(&marker), "");
    run.assert_nothing_left();
}

/// A file system of the given size that is unmounted when dropped.
struct Small(PathBuf);

impl Small {
    fn mount(path: PathBuf, size: &str) -> Self {
        fs::create_dir_all(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&path)
            .status();
        assert!(mounted.unwrap().success());
        Self(path)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_evidence_folder_stops_neither_the_run_nor_its_record() {
    let run = Run::new("full");
    let small = Small::mount(run.path("small"), "2m");
    let folder = small.0.to_str().unwrap().to_owned();
    let output = run.output(&["--evidence", &folder, "--min-free", "1GiB"], "touch ran");
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    let told = said(&output);
    assert!(
        told.contains(&format!("checking free space: {folder}: ")) && told.contains("hint: make room"),
        "{told}"
    );
    assert!(!run.path("ran").exists());
    let script = format!(
        "{DEPLOY} head -c 4000000 /dev/zero | tr '\\0' 'x' | fold -w 99; touch ran; echo x >$REDFIX_EVIDENCE/more || echo full >&2"
    );
    let output = run.output(&["--evidence", &folder], &script);
    assert!(output.status.success() && run.path("ran").exists(), "{}", said(&output));
    let last = run.last_run();
    assert!(last["notes"].to_string().contains("command.log is incomplete: No space left"), "{last:#}");
    assert!(last["evidence"]["blake3"].is_string(), "what there is is hashed: {last:#}");
    run.assert_nothing_left();
    // When the ledger's disk is full too, the record still goes to standard output, and the call fails.
    let mut command = run.script(
        &["--ledger", &format!("{folder}/l.jsonl"), "--evidence", run.path("e").to_str().unwrap()],
        "exit 0",
    );
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("appending to the ledger"), "{}", said(&output));
    assert_eq!(e2e::first(&e2e::records(&output.stdout), "run.finished")["outcome"], "pass");
    run.assert_nothing_left();
}

#[test]
fn a_reader_that_dies_costs_no_record_of_the_ledger() {
    let run = Run::new("pipe");
    let script = "for n in 1 2 3; do echo \"<testsuite><testcase name='t$n'><failure/></testcase></testsuite>\" >$REDFIX_EVIDENCE/$n.xml; done";
    let mut child =
        run.script(&["--runs", "2"], script).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let all = run.records();
    for (kind, count) in [("run.finished", 1), ("test.finished", 3), ("case.failed", 3)] {
        assert_eq!(all.iter().filter(|record| record["type"] == kind).count(), count, "{kind} in {all:#?}");
    }
    run.assert_nothing_left();
}

#[test]
fn a_run_whose_tool_was_killed_has_its_record() {
    let run = Run::new("killed");
    let marker = format!("88{}", std::process::id());
    let mut child =
        run.start(&["--investigation", "i1"], &format!("{DEPLOY} {} sleep {marker}", escape(&marker)));
    run.wait_until_deployed();
    wait_for("the strays", 180, || alive(&marker).lines().count() >= 7);
    kill(&child, "-KILL");
    child.wait().unwrap();
    let output = run.output(&["--investigation", "i1"], "exit 0");
    assert!(output.status.success(), "{}", said(&output));
    let runs: Vec<_> = run.records().into_iter().filter(|record| record["type"] == "run.finished").collect();
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[0]["outcome"], &runs[1]["outcome"]), (&"aborted".into(), &"pass".into()), "{runs:#?}");
    assert!(
        runs[0]["reason"].as_str().unwrap().contains("was killed")
            && runs[0]["cleanup"]["left"] == runs[1]["cleanup"]["left"]
    );
    assert!(
        e2e::records(&output.stdout).iter().filter(|record| record["type"] == "run.finished").count() == 2
    );
    assert_eq!(alive(&marker), "", "a dead tool's processes go too");
    assert!(run.output(&["--investigation", "i1"], "exit 0").status.success());
    let again = run.records().iter().filter(|record| record["outcome"] == "aborted").count();
    assert_eq!(again, 1, "once");
    run.assert_nothing_left();
}

/// A socket in front of the engine that stops answering when told to.
struct Mute {
    host: String,
    mute: Arc<AtomicBool>,
}

impl Mute {
    fn before_the_engine(run: &Run) -> Self {
        let engine = std::env::var("DOCKER_HOST").unwrap().strip_prefix("unix://").unwrap().to_owned();
        let path = run.path("mute.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let mute = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&mute);
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for client in listener.incoming().flatten() {
                if flag.load(Ordering::Relaxed) {
                    held.push(client);
                    continue;
                }
                let Ok(engine) = UnixStream::connect(&engine) else { continue };
                relay::join(client, engine);
            }
        });
        Self { host: format!("unix://{}", path.display()), mute }
    }
}

#[test]
fn an_engine_that_falls_silent_in_the_middle_is_not_waited_for_for_ever() {
    let run = Run::new("mute");
    let engine = Mute::before_the_engine(&run);
    let options =
        ["--host", &engine.host, "--engine-timeout", "1s", "--teardown-timeout", "3s", "--slot-ttl", "5m"];
    let child = run.start(&options, &format!("{DEPLOY} touch deployed; until [ -e go ]; do sleep 0.1; done"));
    wait_for("the deploy", 180, || run.path("deployed").exists());
    engine.mute.store(true, Ordering::Relaxed);
    fs::write(run.path("go"), "").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let last = run.last_run();
    assert_eq!(last["outcome"], "pass", "the command's own end is known: {last:#}");
    assert!(last["cleanup"]["left"][0].as_str().unwrap().contains("no answer within 1 s"), "{last:#}");
    let reaped = Command::new(tool("swarm-isolate")).arg("reap").output().unwrap();
    assert!(reaped.status.success(), "{}", said(&reaped));
    run.assert_nothing_left();
}
