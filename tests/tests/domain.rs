//! `warm-domain-alloc` against a real swarm: leases are unique and complete, and can be resumed and released.
//!
//! Every object that a test makes carries the test's id and is removed when the test ends. Each test uses new names, so
//! that tests can share an engine.

#![allow(clippy::unwrap_used)]

mod domain_lease;

use std::process::{Command, Stdio};

use domain_lease::{Scene, cases, field, finish, ok, records, stderr};
use lib_common::swarm::label;
use serde_json::Value;

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

    // A pipe that has the lease's record gets no new one; a pipe that lost the record gets the same lease again.
    assert_eq!(ok(scene.alloc(&[]), &first), first);
    let again = records(&ok(scene.alloc(&[]), &input), "domain.leased");
    assert_eq!(field(&again, "lease_id"), field(&leased, "lease_id"));
    // Another purpose gets another lease; a dry run makes none.
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
    let namespace = label::of_stack(&stack("stacked"));
    scene.service(&format!("s3-{id}"), &["--label", &namespace]);
    scene.service(&format!("{}_app", stack("served")), &[]);
    let network = format!("zz-{id}");
    scene.docker(&["network", "create", "-d", "overlay", "--label", &scene.label(), &network]);
    let alias = format!("name={network},alias=iso-aliased.{}", scene.base);
    scene.service(&format!("s4-{id}"), &["--network", &alias]);
    // Objects that abra creates have no stack label.
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
    // A free name is granted at once.
    let other = records(&ok(scene.alloc(&["--recipe", "routed"]), ""), "domain.leased");
    assert!(other[0]["domain"].as_str().unwrap().starts_with("iso-routed-"));

    // The fixed start of a random name may itself be the name of somebody's config, in upper or lower case, or of another lease.
    let mut create = Command::new("docker");
    create.args(["config", "create", "--label", &scene.label(), "ISO-Begun", "-"]).stdout(Stdio::null());
    ok(create, "x");
    ok(scene.alloc(&["--recipe", "held", "--pattern", "{class}-{recipe}", "--holder", "another"]), "");
    for (recipe, what) in [("begun", "config iso-begun"), ("held", "lease iso-held")] {
        let output = finish(scene.alloc(&["--recipe", recipe]), "");
        assert_eq!(output.status.code(), Some(1), "{recipe}: {}", stderr(&output));
        assert!(stderr(&output).contains(what), "{recipe}: {}", stderr(&output));
    }

    // On a shared network, a stack whose name sorts after the network's resolves names to other stacks. So its class gets a
    // prefix that sorts first, and a pattern that leaves no room for the prefix is refused.
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
    let namespace = label::of_stack(&stack);
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
    // A pattern that yields the live service's name is refused.
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
    // A fixed name is granted when nobody holds the names that attempts under it would get.
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
    let folder = e2e::folder::Folder::new();
    let server = folder.path().join("servers").join(&scene.base);
    std::fs::create_dir_all(&server).unwrap();
    // The app is not deployed, so the swarm has no trace of it.
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

#[test]
fn what_cannot_be_printed_is_given_back() {
    let scene = Scene::new();
    let folder = e2e::folder::Folder::new();
    let ledger = folder.path().join("ledger.jsonl");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = scene.alloc(&["--recipe", "gitea", "--ledger", ledger.to_str().unwrap()]);
    let output = command.stdout(writer).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("iso-gitea-") && said.contains("released again"), "{said}");
    assert!(scene.leases().is_empty());
    // The ledger has both the lease and its release.
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
