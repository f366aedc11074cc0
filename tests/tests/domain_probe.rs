//! `warm-domain-alloc probe` and `audit` against real Traefik 3, real Caddy and a real swarm. The test produces every cause
//! that it can, and the tool must name each, with the engine's answers alone and with Traefik's API.

#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

mod domain_scene;

use std::collections::BTreeMap;

use domain_scene::matrix::{Matrix, OTHER, bluesky, deploy, proxies};
use domain_scene::{LimitedAuthority, Scene, probed, stderr};
use e2e::wait_for;

#[test]
fn every_cause_is_named() {
    let scene = Scene::new();
    let mut matrix = Matrix { scene: &scene, expected: BTreeMap::new() };
    let authority = LimitedAuthority::start(&scene);
    proxies(&scene, &authority);
    deploy(&mut matrix);
    // The two stacks of the bluesky-pds failure: the name of one sorts before the shared network's, the other's after it.
    let (before, behind) = (format!("aa{}-blue", scene.id), format!("warm{}-blue", scene.id));
    let (good, bad) = (matrix.domain("bluesky"), matrix.domain("warm-bluesky"));
    bluesky(&matrix, &before, &good);
    bluesky(&matrix, &behind, &bad);
    matrix.expect(&bad, "alias-collision");

    // The same causes must be found with the engine's answers alone and with Traefik's API.
    let one = format!("{}-one", scene.id);
    matrix.check(&["--proxy", &one]);
    let api = format!("http://{}:8080", Scene::address());
    let records = matrix.check(&["--proxy", &one, "--traefik", &api]);
    for record in &records {
        let routes = record["routes"].as_bool().unwrap();
        let kind = record["kind"].as_str().unwrap_or_default();
        assert!(routes == kind.is_empty() || kind == "network-label-wrong", "{record:#}");
        assert_eq!(record["remedy"].is_string(), !kind.is_empty());
        assert!(kind.is_empty() || !record["evidence"].as_array().unwrap().is_empty(), "{record:#}");
        assert!(
            record["layers"].as_array().unwrap().iter().any(|layer| layer["layer"] == "tcp"),
            "{record:#}"
        );
    }
    let of = |domain: &str| records.iter().find(|record| record["domain"] == domain).unwrap().to_string();
    assert!(of(&matrix.domain("entry")).contains("api: router"), "{}", of(&matrix.domain("entry")));
    assert!(of(&bad).contains(&format!("{behind}_app")), "{}", of(&bad));

    the_alias_experiment(&scene, &good, &bad);
    other_layers(&scene, &matrix);
    whole_list(&scene, &matrix, &one);
    audited(&scene, &behind);
}

/// The stack whose name sorts before the shared network's always gets its own page; the other one gets other stacks' pages.
fn the_alias_experiment(scene: &Scene, good: &str, bad: &str) {
    let address = Scene::address();
    let expect = "own page of aa";
    for _ in 0..5 {
        let output = scene.run(&[
            "probe",
            good,
            "--resolve",
            &address,
            "--insecure",
            "--expect",
            expect,
            "--wait",
            "--deadline",
            "30s",
        ]);
        let record = &probed(&output)[0];
        assert!(output.status.success() && record["routes"] == true, "{record:#} {}", stderr(&output));
    }
    // Its name resolves to several addresses, those of other stacks among them.
    let output = scene.run(&["probe", bad, "--resolve", &address, "--insecure"]);
    let record = &probed(&output)[0];
    assert_eq!(
        (record["kind"].as_str(), record["routes"].as_bool()),
        (Some("alias-collision"), Some(false)),
        "{record:#}"
    );
    let evidence = record["evidence"].to_string();
    assert!(evidence.contains("Caddyfile uses app") || evidence.contains("does its own TLS"), "{evidence}");
    // The name that is leased for it sorts before the network's, so the collision cannot happen again.
    let leased = scene.run(&[
        "--base",
        &scene.base,
        "--class",
        "warm",
        "--recipe",
        "blue",
        "--shared-network",
        &scene.network,
    ]);
    let domain = probed(&leased)[0]["domain"].as_str().unwrap().to_owned();
    assert!(domain < scene.network && domain.contains("-warm-blue-"), "{domain}");
}

/// Causes that need another call of the tool: DNS, TCP, a Traefik that is down or has not read the swarm yet, and the second
/// Traefik's certificates.
fn other_layers(scene: &Scene, matrix: &Matrix) {
    let (address, authority) = (Scene::address(), scene.authority());
    let (one, two) = (format!("{}-one", scene.id), format!("{}-two", scene.id));
    let fine = matrix.domain("fine");
    let kind = |args: &[&str]| {
        let all = [&["probe", "--ca-file", authority.to_str().unwrap(), "--timeout", "2s"], args].concat();
        let output = scene.run(&all);
        let record = probed(&output).pop().unwrap_or_else(|| panic!("{}", stderr(&output)));
        (record["kind"].as_str().unwrap_or_default().to_owned(), record.to_string())
    };
    let (missing, told) = kind(&[&fine, "--proxy", &one]);
    assert_eq!(missing, "dns-missing", "{told}");
    assert!(told.contains("answers for it with status 200"), "{told}");
    let with = |more: &[&str]| kind(&[&["--resolve", &address], more].concat()).0;
    assert_eq!(with(&[&format!("{fine}:4444"), "--proxy", &one]), "tcp-refused");
    assert_eq!(with(&[&fine, "--proxy", &one, "--expect", "no such page"]), "unexpected-page");
    let nobody = format!("{}.250", address.rsplit_once('.').unwrap().0);
    assert_eq!(kind(&[&fine, "--proxy", &one, "--resolve", &nobody]).0, "tcp-timeout");
    let untrusted = scene.run(&["probe", &fine, "--resolve", &address, "--proxy", &one]);
    assert_eq!(probed(&untrusted)[0]["kind"], "certificate-untrusted");

    // The second Traefik read the swarm only once, when it started.
    let deep = format!("a.b.{}", scene.base);
    assert_eq!(with(&[&format!("{deep}:444"), "--proxy", &two]), "nothing-deployed");
    matrix.site_at("young", &matrix.domain("young"), &[], &[]);
    wait_for("the new service", 180, || with(&[&matrix.domain("young"), "--proxy", &one]).is_empty());
    assert_eq!(with(&[&format!("{}:444", matrix.domain("young")), "--proxy", &two]), "just-deployed");

    // After a restart it knows the services of now.
    matrix.site_at("deep", &deep, &[], &[]);
    wait_for("the deep service", 180, || with(&[&deep, "--proxy", &one, "--insecure"]).is_empty());
    e2e::docker(["service", "scale", "--detach", &format!("{two}=0")]);
    let down = [&*format!("{fine}:444"), "--proxy", &two];
    wait_for("the second Traefik to stop", 180, || with(&down) == "proxy-down");
    e2e::docker(["service", "scale", "--detach", &format!("{two}=1")]);
    wait_for("wildcard-depth", 180, || with(&[&format!("{deep}:444"), "--proxy", &two]) == "wildcard-depth");
    assert_eq!(with(&[&format!("bare.{OTHER}:444"), "--proxy", &two]), "certificate-name");

    // A name that resolves to another machine. /etc/hosts is replaced in a mount namespace, so that only this probe sees it.
    let hosts = scene.folder.path().join("hosts");
    std::fs::write(&hosts, format!("127.0.0.7 {fine}\n")).unwrap();
    let tool = e2e::tool("warm-domain-alloc");
    let script = format!(
        "mount --bind {} /etc/hosts && exec {} probe {fine} --proxy {one}",
        hosts.display(),
        tool.display()
    );
    let output =
        std::process::Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().unwrap();
    assert_eq!(probed(&output)[0]["kind"], "dns-wrong-address", "{}", stderr(&output));
}

/// Probes a list of sixteen domains, one of which is wrong.
fn whole_list(scene: &Scene, matrix: &Matrix, proxy: &str) {
    let list = scene.folder.path().join("warm.txt");
    let fine = matrix.domain("fine");
    let lines: Vec<String> = (1..16).map(|n| format!("https://{fine}/?{n}")).collect();
    let port = matrix.domain("port");
    std::fs::write(&list, format!("# warm\n{}\n{port} # the odd one\n", lines.join("\n"))).unwrap();
    let (address, authority) = (Scene::address(), scene.authority());
    let output = scene.run(&[
        "probe",
        "--from",
        list.to_str().unwrap(),
        "--resolve",
        &address,
        "--ca-file",
        authority.to_str().unwrap(),
        "--proxy",
        proxy,
    ]);
    assert_eq!(output.status.code(), Some(1));
    let records = probed(&output);
    assert_eq!((records.len(), records[15]["odd"].as_str()), (16, Some("15 of 16 route")));
    assert!(records[..15].iter().all(|record| record.get("odd").is_none()));
    assert!(
        stderr(&output).contains(&format!("odd one out: {port}: wrong-port; 15 of 16 route")),
        "{}",
        stderr(&output)
    );
}

fn audited(scene: &Scene, behind: &str) {
    let output = scene.run(&["audit", "--base", &scene.base]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let records = probed(&output);
    let of = |kind: &str| -> Vec<String> {
        let found =
            records.iter().filter(|record| record["kind"] == kind && record.to_string().contains(&scene.id));
        found.map(ToString::to_string).collect()
    };
    for kind in [
        "router-duplicate",
        "rule-overlap",
        "rule-invalid",
        "alias-shared",
        "network-full",
        "lease-without-stack",
        "stack-without-lease",
    ] {
        assert!(!of(kind).is_empty(), "{kind}");
    }
    let shadowed = of("alias-answered-by-strangers");
    assert!(shadowed.iter().any(|record| record.contains(&format!("{behind}_caddy"))), "{shadowed:?}");
    assert!(!shadowed.iter().any(|record| record.contains("\"what\":\"aa")), "{shadowed:?}");
    let breaks: Vec<bool> = records.iter().map(|record| record["breaks"].as_bool().unwrap()).collect();
    assert!(breaks.is_sorted_by(|a, b| a >= b), "what breaks comes first");
}
