//! `warm-domain-alloc` in many processes at once, killed and interrupted: no name twice, none lost.

#![allow(clippy::unwrap_used)]

mod domain_lease;

use std::io::Write as _;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use domain_lease::{Scene, cases, field, finish, kill, ok, records, stderr};
use serde_json::Value;

/// Processes and leases of each: a tenth of them unless `E2E_STORM=64x50` asks for all.
fn storm() -> (usize, usize) {
    let text = std::env::var("E2E_STORM").unwrap_or_else(|_| "16x20".into());
    let (processes, each) = text.split_once('x').unwrap_or_else(|| panic!("E2E_STORM={text} is not 64x50"));
    (processes.parse().unwrap(), each.parse().unwrap())
}

#[test]
fn kills_lose_no_name_and_give_none_twice() {
    let scene = Scene::new();
    let (processes, each) = storm();
    let input = cases(each);
    let bases = [scene.base.clone(), format!("other-{}", scene.base)];
    let command = |n: usize| {
        let holder = format!("{}-{n}", scene.id);
        let base = &*bases[n % 2];
        // Sixty-four at once may wait long for a busy engine.
        scene.tool(&[
            "--base",
            base,
            "--shared-network",
            "proxy",
            "--holder",
            &holder,
            "--engine-timeout",
            "3m",
        ])
    };
    let run = |may_be_killed: bool| -> Vec<Value> {
        let mut running: Vec<Child> = (0..processes)
            .map(|n| {
                let mut child = command(n).stdin(Stdio::piped()).spawn().unwrap();
                child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
                child
            })
            .collect();
        if may_be_killed {
            // Random moments of random processes, while all of them work: about half are hit.
            for _ in 0..processes / 2 {
                let random = lib_common::new_id();
                let number: usize =
                    random.bytes().rev().take(4).fold(0, |sum, byte| sum * 32 + usize::from(byte));
                std::thread::sleep(Duration::from_millis((number % 120) as u64));
                kill(&running[number % processes], "-KILL");
            }
        }
        let outputs: Vec<Output> = running.drain(..).map(|child| child.wait_with_output().unwrap()).collect();
        let failed = outputs.iter().find(|output| !may_be_killed && !output.status.success());
        assert!(failed.is_none(), "{}", failed.map(stderr).unwrap_or_default());
        outputs
            .iter()
            .flat_map(|output| records(&String::from_utf8_lossy(&output.stdout), "domain.leased"))
            .collect()
    };
    let first = run(true);
    assert_eq!(field(&first, "domain").len(), first.len(), "a domain was given twice");
    // None that was printed is lost, and every process that comes again gets what its dead predecessor had.
    let second = run(false);
    assert_eq!(second.len(), processes * each);
    for key in ["domain", "stack", "lease_id"] {
        assert_eq!(field(&second, key).len(), processes * each, "{key}");
        assert!(field(&first, key).is_subset(&field(&second, key)), "{key}");
    }
    let stacks: Vec<String> = field(&second, "stack").into_iter().collect();
    assert!(
        stacks.windows(2).all(|pair| !pair[1].starts_with(&pair[0])),
        "no name is the beginning of another"
    );
    assert_eq!(scene.leases().len(), processes * each);
    for n in 0..processes {
        ok(scene.tool(&["release", "--holder", &format!("{}-{n}", scene.id)]), "");
    }
    assert!(scene.leases().is_empty());
}

#[test]
fn many_processes_never_get_the_same_name() {
    const PROCESSES: usize = 16;
    let scene = Scene::new();
    let input = cases(10);
    let holders: Vec<String> = (0..PROCESSES).map(|n| format!("{}-{n}", scene.id)).collect();
    let outputs: Vec<Output> = std::thread::scope(|scope| {
        let (scene, input) = (&scene, &input);
        let run = |holder: &String| {
            let command = scene.alloc(&["--holder", holder]);
            scope.spawn(move || finish(command, input))
        };
        let running: Vec<_> = holders.iter().map(run).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut leased = Vec::new();
    for output in &outputs {
        assert!(output.status.success(), "{}", stderr(output));
        leased.extend(records(&String::from_utf8_lossy(&output.stdout), "domain.leased"));
    }
    assert_eq!(leased.len(), PROCESSES * 10);
    for key in ["domain", "stack", "lease_id"] {
        assert_eq!(field(&leased, key).len(), PROCESSES * 10, "{key}");
    }
    assert_eq!(scene.leases().len(), PROCESSES * 10);
    for holder in &holders {
        ok(scene.tool(&["release", "--holder", holder]), "");
    }
    assert!(scene.leases().is_empty());
}

#[test]
fn processes_that_ask_for_the_same_get_one_lease() {
    let scene = Scene::new();
    let outputs: Vec<String> = std::thread::scope(|scope| {
        let run = |_| scope.spawn(|| ok(scene.alloc(&["--recipe", "same"]), ""));
        let running: Vec<_> = (0..8).map(run).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let leased: Vec<Value> = outputs.iter().flat_map(|output| records(output, "domain.leased")).collect();
    assert_eq!((leased.len(), field(&leased, "lease_id").len()), (8, 1));
    assert_eq!(scene.leases().len(), 1);
}

#[test]
fn a_kill_leaves_whole_leases_or_none() {
    let scene = Scene::new();
    let input = cases(6);
    for round in 0..12u64 {
        let holder = format!("{}-{round}", scene.id);
        let mut child = scene.alloc(&["--holder", &holder]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(15 + 15 * round));
        kill(&child, "-KILL");
        let printed =
            records(&String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout), "domain.leased");
        // What the engine had already read of a request, it may still do.
        std::thread::sleep(Duration::from_millis(100));
        for config in scene.leases() {
            let labels = config["Spec"]["Labels"].as_object().unwrap();
            assert_eq!(labels.len(), 12, "{labels:?}");
            assert!(
                labels.values().all(|value| value.as_str().is_some_and(|text| !text.is_empty())),
                "{labels:?}"
            );
        }
        // Whoever comes next takes up what there is: one lease for each, the printed ones among them.
        let next = records(&ok(scene.alloc(&["--holder", &holder]), &input), "domain.leased");
        assert_eq!(field(&next, "domain").len(), 6);
        assert!(field(&printed, "lease_id").is_subset(&field(&next, "lease_id")));
        assert_eq!(scene.leases().len(), 6, "round {round}");
        ok(scene.tool(&["release", "--holder", &holder]), "");
        assert!(scene.leases().is_empty());
    }
}

#[test]
fn an_interrupt_leaves_only_what_was_printed() {
    let scene = Scene::new();
    let input = cases(6);
    let mut interrupted = 0;
    for round in 0..12u64 {
        let holder = format!("{}-{round}", scene.id);
        let mut child = scene.alloc(&["--holder", &holder]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(15 + 15 * round));
        kill(&child, "-INT");
        let output = child.wait_with_output().unwrap();
        let printed = records(&String::from_utf8_lossy(&output.stdout), "domain.leased");
        let labels: Vec<Value> =
            scene.leases().iter().map(|config| config["Spec"]["Labels"].clone()).collect();
        assert_eq!(field(&labels, "redfix.lease"), field(&printed, "lease_id"), "{}", stderr(&output));
        interrupted += usize::from(!output.status.success());
        ok(scene.tool(&["release", "--holder", &holder]), "");
    }
    assert!(interrupted > 0, "no round was interrupted in time");
}
