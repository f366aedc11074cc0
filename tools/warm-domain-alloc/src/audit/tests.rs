//! Tests each kind of finding on a swarm made for it.

use super::*;
use crate::lease::tests::lease;
use crate::route::swarm::tests::{net, svc, swarm};
use crate::world::NameOf;
use lib_common::swarm::object::Kind;
use serde_json::{Value, json};

fn audit(networks: &[Value], pairs: Vec<(Value, Value)>) -> Vec<Finding> {
    findings(&Scene { swarm: &swarm(networks, pairs), world: &World::default(), leases: &[], base: None })
}

#[track_caller]
fn check(found: &[Finding], kind: &str, breaks: bool, objects: &[&str]) {
    let finding =
        found.iter().find(|finding| finding.kind == kind).unwrap_or_else(|| panic!("{kind}: {found:#?}"));
    assert_eq!(
        (finding.breaks, &finding.objects[..]),
        (breaks, &objects.iter().map(ToString::to_string).collect::<Vec<_>>()[..])
    );
    assert!(KINDS.contains(&kind) && !finding.remedy.is_empty());
}

fn labels(pairs: &[(&str, &str)]) -> Value {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn every_kind_is_in_the_manual() {
    let page = include_str!("../../../../man/warm-domain-alloc.1");
    for kind in KINDS {
        assert!(page.lines().any(|line| line == format!(".It {kind}")), "{kind}");
    }
}

#[test]
fn a_swarm_in_order_has_no_finding() {
    let own = labels(&[
        ("traefik.http.routers.a.rule", "Host(`a.x`)"),
        ("traefik.http.services.a.loadbalancer.server.port", "1"),
    ]);
    assert_eq!(audit(&[net("proxy", None)], vec![svc("a", "web", &["proxy"], &own)]), []);
}

#[test]
fn routers_and_load_balancers() {
    let with = |rule: &str| {
        labels(&[
            ("traefik.http.routers.r.rule", rule),
            ("traefik.http.services.r.loadbalancer.server.port", "1"),
        ])
    };
    let found = audit(
        &[],
        vec![svc("a", "web", &[], &with("Host(`a.x`)")), svc("b", "web", &[], &with("Host(`b.x`)"))],
    );
    check(&found, "router-duplicate", true, &["router r of service a_web", "router r of service b_web"]);
    check(&found, "backend-shared", true, &["service a_web", "service b_web"]);
    let invalid = audit(&[], vec![svc("a", "web", &[], &with("Host(``)"))]);
    check(&invalid, "rule-invalid", true, &["router r of service a_web"]);
}

#[test]
fn rules_that_overlap() {
    let two = |one: &str, two: &str| {
        let router = |name: &str, rule: &str| labels(&[(&format!("traefik.http.routers.{name}.rule"), rule)]);
        audit(&[], vec![svc("a", "web", &[], &router("a", one)), svc("b", "web", &[], &router("b", two))])
    };
    let both = ["router a of service a_web", "router b of service b_web"];
    check(&two("Host(`a.x`)", "Host(`a.x`)"), "rule-overlap", true, &both);
    check(&two("Host(`a.x`)", "Host(`a.x`) && PathPrefix(`/api`)"), "rule-overlap", false, &both);
    check(&two("Host(`a.x`)", "HostRegexp(`^a[.]x$|something-long`)"), "rule-overlap", true, &both);
    assert_eq!(two("Host(`a-longer-name.x`)", "HostRegexp(`.`)"), [], "the longer rule goes first");
}

#[test]
fn aliases_on_shared_networks() {
    let none = json!({});
    let own = ["proxy", "warm_default"];
    let found = audit(
        &[net("proxy", None), net("warm_default", Some("warm"))],
        vec![
            svc("a", "app", &["proxy"], &none),
            svc("warm", "app", &own, &none),
            svc("warm", "web", &own, &none),
        ],
    );
    check(&found, "alias-shared", false, &["service a_app", "service warm_app"]);
    check(&found, "alias-answered-by-strangers", true, &["service a_app", "service warm_app"]);
}

#[test]
fn networks_that_fill_up() {
    let mut small = net("proxy", None);
    small["IPAM"]["Config"][0]["Subnet"] = json!("10.0.1.0/28");
    // The network has 13 addresses, one of which the node takes.
    let pairs = |count: usize| -> Vec<(Value, Value)> {
        let one = |n: usize| {
            let (service, mut task) = svc(&format!("s{n}"), &format!("web{n}"), &["proxy"], &json!({}));
            task["NetworksAttachments"][0]["Addresses"] = json!([format!("10.0.1.{n}/28")]);
            (service, task)
        };
        (1..=count).map(one).collect()
    };
    assert_eq!(audit(&[small.clone()], pairs(9)), []);
    assert_eq!(audit(&[small.clone()], pairs(10))[0].kind, "network-near-full");
    let full = audit(&[small.clone()], pairs(12));
    assert!(full[0].kind == "network-full" && full[0].breaks);
    let mut waiting = pairs(1);
    waiting[0].1["Status"]["State"] = json!("new");
    assert_eq!(audit(&[small], waiting)[0].kind, "network-full");
}

#[test]
fn names_and_leases() {
    let mut world = World::default();
    world.add(NameOf::Stack, &json!("a".repeat(46)));
    world.add(Kind::Config, &json!("c".repeat(62)));
    world.add(Kind::Service, &json!("s".repeat(60)));
    world.add(NameOf::Stack, &json!("held-1_ci_example"));
    world.add(NameOf::Stack, &json!("warm-x_ci_example"));
    let stored = |label: &str| {
        let mut of = lease(label);
        of.domain = format!("{label}.ci.example");
        of.stack = format!("{label}_ci_example");
        Stored::parse(&crate::lease::tests::config(&of, 1)).unwrap()
    };
    let leases = [stored("held-1"), stored("idle-1")];
    let scene = Scene { swarm: &Swarm::default(), world: &world, leases: &leases, base: Some("ci.example") };
    let found = findings(&scene);
    check(&found, "name-over-limit", true, &[&format!("stack {}", "a".repeat(46))]);
    check(&found, "name-near-limit", false, &[&format!("config {}", "c".repeat(62))]);
    check(&found, "lease-without-stack", false, &["lease id-idle-1"]);
    check(&found, "stack-without-lease", false, &["stack warm-x_ci_example"]);
    assert!(!found.iter().any(|finding| finding.what.contains("sss")), "60 of 63 is not near");
    assert!(found[0].breaks, "what breaks comes first");
}
