//! `warm-domain-alloc` against a real swarm: leases are unique, whole, taken up again, and given back.
//!
//! Everything that a test makes carries its id and goes when the test ends; names are new for each test, so
//! that tests share an engine.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A test's own base domain and investigation; what belongs to it is removed at the end.
struct Scene {
    id: String,
    base: String,
}

impl Scene {
    fn new() -> Self {
        e2e::require_engine();
        let ulid = lib_common::new_id();
        let id = ulid[ulid.len() - 10..].to_lowercase();
        let scene = Self { base: format!("{id}.test"), id };
        scene.docker(&["node", "ls"]);
        scene
    }

    fn docker(&self, args: &[&str]) -> String {
        let output = Command::new("docker").args(args).output().expect("docker");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "test {}: docker {args:?}: {stderr}", self.id);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn label(&self) -> String {
        format!("redfix.test={}", self.id)
    }

    /// A service without tasks: no image is needed.
    fn service(&self, name: &str, args: &[&str]) {
        let label = self.label();
        let fixed = [
            "service",
            "create",
            "--quiet",
            "--detach",
            "--no-resolve-image",
            "--replicas",
            "0",
            "--label",
            &label,
        ];
        self.docker(&[&fixed, args, &["--name", name, "redfix/none:latest"]].concat());
    }

    /// Leases of this test on the swarm, tombstones included, as the engine shows them.
    fn leases(&self) -> Vec<Value> {
        let filter = format!("label=redfix.investigation={}", self.id);
        let ids = self.docker(&["config", "ls", "-q", "--filter", &filter]);
        let ids: Vec<&str> = ids.lines().collect();
        if ids.is_empty() {
            return Vec::new();
        }
        serde_json::from_str(&self.docker(&[&["config", "inspect"], &ids[..]].concat())).unwrap()
    }

    fn tool(&self, args: &[&str]) -> Command {
        let mut command = Command::new(e2e::tool("warm-domain-alloc"));
        command.args(args).args(["--investigation", &self.id]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REDFIX_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The command that leases; other tests' networks do not count.
    fn alloc(&self, args: &[&str]) -> Command {
        self.tool(&[&["--base", &self.base, "--shared-network", "proxy"], args].concat())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let list = |args: &[&str], label: &str| {
            let output = Command::new("docker").args(args).args(["-q", "--filter", label]).output();
            output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
        };
        let (test, lease) =
            (format!("label={}", self.label()), format!("label=redfix.investigation={}", self.id));
        for (kind, label) in [("service", &test), ("config", &test), ("network", &test), ("config", &lease)] {
            for id in list(&[kind, "ls"], label).lines() {
                let _ = Command::new("docker").args([kind, "rm", id]).output();
            }
        }
    }
}

fn finish(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // A tool that was killed or refused its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn ok(command: Command, input: &str) -> String {
    let output = finish(command, input);
    assert!(output.status.success(), "{}: {}", output.status, stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The records of a type on a stream; a torn last line (of a killed writer) does not count.
fn records(stream: &str, kind: &str) -> Vec<Value> {
    let parsed = stream.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    parsed.map(|line| serde_json::from_str::<Value>(line).unwrap()).filter(|r| r["type"] == kind).collect()
}

fn field(values: &[Value], name: &str) -> BTreeSet<String> {
    values.iter().map(|value| value[name].as_str().unwrap().to_owned()).collect()
}

fn cases(count: usize) -> String {
    let case = |n: usize| {
        format!(
            "{{\"type\":\"case.failed\",\"v\":1,\"case\":\"r{n}x@1/t\",\"recipe\":\"r{n}x\",\"version\":\"1\",\
             \"test\":\"t\",\"stage\":\"custom\",\"source\":\"test\"}}\n"
        )
    };
    (0..count).map(case).collect()
}

fn kill(child: &Child, signal: &str) {
    let _ = Command::new("kill").args([signal, &child.id().to_string()]).output();
}

#[test]
fn a_lease_is_granted_taken_up_renewed_and_released() {
    let scene = Scene::new();
    let input = cases(2);
    let first = ok(scene.alloc(&[]), &input);
    assert!(first.starts_with(&input));
    let leased = records(&first, "domain.leased");
    assert_eq!(leased.len(), 2);
    assert_eq!(leased[0]["case"], "r0x@1/t");
    assert_eq!(leased[0]["holder"], scene.id.as_str());
    let domain = leased[0]["domain"].as_str().unwrap();
    assert!(domain.starts_with("iso-r0x-") && domain.ends_with(&scene.base), "{domain}");
    assert!(leased[0]["checked"].as_array().unwrap().len() >= 10);
    let stored = scene.leases();
    assert_eq!(stored.len(), 2);
    let labels: Vec<Value> = stored.iter().map(|config| config["Spec"]["Labels"].clone()).collect();
    assert_eq!(field(&labels, "redfix.domain"), field(&leased, "domain"));

    // A resumed pipe adds nothing; one that lost the record gets the same lease again.
    assert_eq!(ok(scene.alloc(&[]), &first), first);
    let again = records(&ok(scene.alloc(&[]), &input), "domain.leased");
    assert_eq!(field(&again, "lease_id"), field(&leased, "lease_id"));
    // Another purpose is another lease; a dry run is none.
    assert_eq!(ok(scene.alloc(&["--purpose", "x", "--dry-run"]), &input), input);
    assert_eq!(scene.leases().len(), 2);

    let before = scene.leases()[0]["Version"]["Index"].as_u64();
    ok(scene.tool(&["renew"]), "");
    assert!(scene.leases()[0]["Version"]["Index"].as_u64() > before);
    let listed = records(&ok(scene.tool(&["list", "--holder", &scene.id]), ""), "domain.leased");
    assert_eq!(field(&listed, "lease_id"), field(&leased, "lease_id"));

    let released = ok(scene.tool(&["release"]), &first);
    assert!(released.starts_with(&first));
    let gone = records(&released, "domain.released");
    assert_eq!(field(&gone, "lease_id"), field(&leased, "lease_id"));
    assert_eq!(gone[0]["case"], "r0x@1/t");
    assert!(scene.leases().is_empty(), "no config object is left");
    assert_eq!(ok(scene.tool(&["release"]), &released), released, "releasing what is gone is success");
    assert_eq!(finish(scene.tool(&["renew"]), "").status.code(), Some(1));
}

#[test]
fn a_name_that_is_in_use_is_not_granted() {
    let scene = Scene::new();
    let stack = |recipe: &str| format!("iso-{recipe}_{}", scene.base.replace('.', "_"));
    let id = &scene.id;
    let rule = format!("traefik.http.routers.{id}.rule=Host(`other`) || Host(`ISO-Routed.{}`)", scene.base);
    scene.service(&format!("s1-{id}"), &["--label", &rule]);
    let sni = format!("traefik.tcp.routers.{id}.rule=HostSNI(\"iso-tcp.{}\")", scene.base);
    scene.service(&format!("s2-{id}"), &["--container-label", &sni]);
    let namespace = format!("com.docker.stack.namespace={}", stack("stacked"));
    scene.service(&format!("s3-{id}"), &["--label", &namespace]);
    scene.service(&format!("{}_app", stack("served")), &[]);
    let network = format!("zz-{id}");
    scene.docker(&["network", "create", "-d", "overlay", "--label", &scene.label(), &network]);
    let alias = format!("name={network},alias=iso-aliased.{}", scene.base);
    scene.service(&format!("s4-{id}"), &["--network", &alias]);
    // What abra creates carries no stack label.
    let config = format!("{}_ini_v1", stack("configured"));
    let mut create = Command::new("docker");
    create.args(["config", "create", "--label", &scene.label(), &config, "-"]).stdout(Stdio::null());
    ok(create, "x");

    let expected = [
        ("routed", "router"),
        ("tcp", "router"),
        ("stacked", "stack"),
        ("served", "service"),
        ("aliased", "network alias"),
        ("configured", "config"),
    ];
    for (recipe, what) in expected {
        let fixed = scene.alloc(&["--recipe", recipe, "--pattern", "{class}-{recipe}"]);
        let output = finish(fixed, "");
        assert_eq!(output.status.code(), Some(1), "{recipe}: {}", stderr(&output));
        assert!(stderr(&output).contains(&format!(": {what} ")), "{recipe}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
    assert!(scene.leases().is_empty());
    // Another name is granted at once.
    let other = records(&ok(scene.alloc(&["--recipe", "routed"]), ""), "domain.leased");
    assert!(other[0]["domain"].as_str().unwrap().starts_with("iso-routed-"));

    // The network is shared: a stack that sorts behind it would be answered by strangers, so its class gets a prefix;
    // a pattern that leaves no room for one is refused.
    let zzz = |pattern: &str| {
        finish(
            scene.tool(&["--base", &scene.base, "--recipe", "x", "--class", "zzz", "--pattern", pattern]),
            "",
        )
    };
    let moved = records(&String::from_utf8_lossy(&zzz("{class}-{recipe}-{short}").stdout), "domain.leased");
    assert!(moved[0]["domain"].as_str().unwrap().starts_with("iso-zzz-x-"), "{moved:?}");
    ok(scene.tool(&["release"]), "");
    let output = zzz("zzz-{recipe}-{short}");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("sorts behind the shared network"), "{}", stderr(&output));
}

#[test]
fn a_canonical_never_gets_the_name_of_the_live_service() {
    let scene = Scene::new();
    let live = format!("warm-keycloak.{}", scene.base);
    let stack = live.replace('.', "_");
    let router = format!("traefik.http.routers.{stack}.rule=Host(`{live}`)");
    let namespace = format!("com.docker.stack.namespace={stack}");
    scene.service(&format!("{stack}_app"), &["--label", &router, "--label", &namespace]);
    for class in ["warm", "canon"] {
        for round in 0..6 {
            let holder = format!("{}-{class}-{round}", scene.id);
            let leased =
                ok(scene.alloc(&["--recipe", "keycloak", "--class", class, "--holder", &holder]), "");
            let leased = records(&leased, "domain.leased");
            let (domain, theirs) =
                (leased[0]["domain"].as_str().unwrap(), leased[0]["stack"].as_str().unwrap());
            assert_ne!(domain, live);
            assert!(!theirs.starts_with(&stack) && !stack.starts_with(theirs), "{theirs}");
        }
    }
    // Asked for by name, it is refused.
    for (class, pattern) in [("warm", "{class}-{recipe}"), ("canon", "warm-keycloak"), ("canon", "warm")] {
        let output = finish(
            scene.tool(&[
                "--base",
                &scene.base,
                "--shared-network",
                "zzz",
                "--recipe",
                "keycloak",
                "--class",
                class,
                "--pattern",
                pattern,
            ]),
            "",
        );
        assert_eq!(output.status.code(), Some(1), "{pattern}: {}", stderr(&output));
        assert!(
            stderr(&output).contains("in its way") || stderr(&output).contains("takes it"),
            "{}",
            stderr(&output)
        );
    }
    // A name of its own, with nothing random in it, once nobody holds what attempts under it would be called.
    for class in ["warm", "canon"] {
        for round in 0..6 {
            ok(scene.tool(&["release", "--holder", &format!("{}-{class}-{round}", scene.id)]), "");
        }
    }
    let own =
        ok(scene.alloc(&["--recipe", "keycloak", "--class", "canon", "--pattern", "{class}-{recipe}"]), "");
    let own = &records(&own, "domain.leased")[0];
    assert_eq!(own["domain"], format!("canon-keycloak.{}", scene.base));
}

#[test]
fn what_abra_knows_is_taken() {
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let server = folder.path().join("servers").join(&scene.base);
    std::fs::create_dir_all(&server).unwrap();
    // Not deployed: nothing on the swarm tells of it.
    std::fs::write(server.join(format!("canon-gitea.{}.env", scene.base)), "TYPE=gitea\n").unwrap();
    let fixed = ["--class", "canon", "--recipe", "gitea", "--pattern", "{class}-{recipe}"];
    let abra = [&fixed[..], &["--abra-dir", folder.path().to_str().unwrap()]].concat();
    let output = finish(scene.alloc(&abra), "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("abra's app canon-gitea_"), "{}", stderr(&output));
    ok(scene.alloc(&fixed), "");
}

#[test]
fn hostile_labels_hide_nothing_and_break_nothing() {
    let scene = Scene::new();
    let id = &scene.id;
    let rules = ["Host(`ü\u{202e}`) ||", "((((((((", "Host(`\"'\\`)", "HostRegexp(`(a+)+$`)", "𝓗(`x`)"];
    for (n, rule) in rules.iter().enumerate() {
        let label = format!("traefik.http.routers.ü\u{202e}{n}-{id}.rule={rule}");
        scene.service(
            &format!("h{n}-{id}"),
            &["--label", &label, "--label", "\u{1f980}=\u{7}", "--label", "traefik.http..="],
        );
    }
    let routed = format!("traefik.http.routers.plain-{id}.rule=Host(`iso-routed.{}`)", scene.base);
    scene.service(&format!("last-{id}"), &["--label", &routed]);
    let output = finish(scene.alloc(&["--recipe", "routed", "--pattern", "{class}-{recipe}"]), "");
    assert!(
        stderr(&output).contains(&format!("router plain-{id} of last-{id} takes it")),
        "{}",
        stderr(&output)
    );
    ok(scene.alloc(&["--recipe", "ünïcödé\u{202e}-x"]), "");
}

/// Processes and leases of each: all of it with REDFIX_STORM=64x50, a quarter in CI.
fn storm() -> (usize, usize) {
    let text = std::env::var("REDFIX_STORM").unwrap_or_else(|_| "16x20".into());
    let (processes, each) =
        text.split_once('x').unwrap_or_else(|| panic!("REDFIX_STORM={text} is not 64x50"));
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
        scene.tool(&["--base", &bases[n % 2], "--shared-network", "proxy", "--holder", &holder])
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
        assert!(may_be_killed || outputs.iter().all(|output| output.status.success()));
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
            // Twelve of its own, the owner's mark, and one mark for each beginning of `iso-r0x-...`.
            assert_eq!(labels.len(), 16, "{labels:?}");
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

#[test]
fn what_cannot_be_printed_is_given_back() {
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.jsonl");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = scene.alloc(&["--recipe", "gitea", "--ledger", ledger.to_str().unwrap()]);
    let output = command.stdout(writer).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("iso-gitea-") && said.contains("released again"), "{said}");
    assert!(scene.leases().is_empty());
    // The ledger tells both halves.
    let ledger = std::fs::read_to_string(ledger).unwrap();
    let (leased, released) = (records(&ledger, "domain.leased"), records(&ledger, "domain.released"));
    assert_eq!((leased.len(), field(&leased, "lease_id")), (1, field(&released, "lease_id")));
}

#[test]
fn only_what_is_over_and_gone_is_collected() {
    let scene = Scene::new();
    let leased = ok(scene.alloc(&["--recipe", "old", "--ttl", "1ms"]), "");
    let stack = records(&leased, "domain.leased")[0]["stack"].as_str().unwrap().to_owned();
    ok(scene.alloc(&["--recipe", "canonical", "--class", "canon", "--ttl", "1ms"]), "");
    ok(scene.alloc(&["--recipe", "fresh"]), "");
    let gc = |more: &[&str]| {
        let output = ok(scene.tool(&[&["gc", "--holder", &scene.id], more].concat()), "");
        records(&output, "domain.released").len()
    };
    let left = format!("{stack}_data");
    scene.docker(&["network", "create", "--label", &scene.label(), &left]);
    assert_eq!((gc(&[]), scene.leases().len()), (0, 3));
    scene.docker(&["network", "rm", &left]);
    assert_eq!((gc(&["--dry-run"]), scene.leases().len()), (0, 3));
    assert_eq!((gc(&[]), scene.leases().len()), (1, 2));
}
