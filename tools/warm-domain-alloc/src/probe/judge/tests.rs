//! Tests every cause that the engine alone shows, on a swarm with a Traefik and one recipe.

use super::*;
use crate::compose;
use crate::route::proxy;
use crate::route::swarm::tests::{net, svc, swarm};
use serde_json::{Value, json};

const DOMAIN: &str = "iso-x-1.ci.example";
const STACK: &str = "iso-x-1_ci_example";

fn labels() -> Value {
    json!({
        "traefik.enable": "true",
        "traefik.http.routers.x.rule": "Host(`iso-x-1.ci.example`)",
        "traefik.http.routers.x.entrypoints": "web-secure",
        "traefik.http.routers.x.tls": "true",
        "traefik.http.services.x.loadbalancer.server.port": "80",
    })
}

/// Judges a swarm with Traefik, a stranger and the recipe's `app` with these labels, after `change` has changed it.
fn scene(labels: &Value, change: impl Fn(&mut Value, &mut Value), more: Vec<(Value, Value)>) -> Judgement {
    let (mut traefik, task) = svc("traefik", "app", &["proxy"], &json!({}));
    traefik["Spec"]["TaskTemplate"]["ContainerSpec"]["Args"] = json!([
        "--entrypoints.web-secure.address=:443",
        "--entrypoints.web.address=:80",
        "--providers.swarm.exposedByDefault=false",
        "--certificatesresolvers.le.acme.email=x"
    ]);
    let (mut app, mut app_task) = svc(STACK, "app", &["proxy"], labels);
    change(&mut app, &mut app_task);
    let pairs = [vec![(traefik, task), (app, app_task)], more].concat();
    let swarm = swarm(&[net("proxy", None), net("other", None)], pairs);
    let proxy = proxy::all(&swarm).remove(0);
    let objects = Objects::default();
    judge(&question(&objects), &swarm, Some(&proxy))
}

fn question(objects: &Objects) -> Question<'_> {
    let now = "2026-01-01T01:00:00Z".parse().unwrap();
    Question { domain: DOMAIN, port: 443, https: true, now, objects }
}

#[track_caller]
fn check(judgement: &Judgement, expected: Option<Cause>) {
    assert_eq!(judgement.findings.first().map(|finding| finding.cause), expected, "{judgement:#?}");
    assert!(judgement.findings.iter().all(|finding| !finding.evidence.is_empty()));
}

fn with_labels(changes: &[(&str, Option<&str>)]) -> Judgement {
    let mut labels = labels();
    for (key, value) in changes {
        match value {
            Some(value) => labels[*key] = json!(value),
            None => drop(labels.as_object_mut().unwrap().remove(*key)),
        }
    }
    scene(&labels, |_, _| {}, Vec::new())
}

#[test]
fn what_is_right_has_no_finding() {
    let judgement = with_labels(&[]);
    check(&judgement, None);
    assert_eq!(judgement.backend.unwrap().port, "80");
    assert_eq!(judgement.routers, ["x"]);
}

#[test]
fn labels_that_traefik_cannot_use() {
    let rule = "traefik.http.routers.x.rule";
    let typo = "traefik.http.router.x.rule";
    check(
        &with_labels(&[(rule, None), (typo, Some("Host(`iso-x-1.ci.example`)"))]),
        Some(Cause::LabelUnknown),
    );
    check(&with_labels(&[("traefik.http.routers.x.entry", Some("web"))]), Some(Cause::LabelUnknown));
    check(&with_labels(&[("traefik.enable", None)]), Some(Cause::NotEnabled));
    check(&with_labels(&[("traefik.enable", Some("no"))]), Some(Cause::NotEnabled));
    let port = "traefik.http.services.x.loadbalancer.server.port";
    check(&with_labels(&[(port, None)]), Some(Cause::PortMissing));
    check(&with_labels(&[(port, Some("http"))]), Some(Cause::PortMissing));
    check(&with_labels(&[(rule, Some("Host(``)"))]), Some(Cause::RuleInvalid));
    check(&with_labels(&[(rule, Some("Host(`iso-x-1.ci.example`"))]), Some(Cause::RuleInvalid));
    check(
        &with_labels(&[("traefik.http.routers.x.entrypoints", Some("https"))]),
        Some(Cause::EntryPointUnknown),
    );
    check(&with_labels(&[("traefik.http.routers.x.entrypoints", Some("web"))]), Some(Cause::EntryPointOther));
    check(
        &with_labels(&[("traefik.http.routers.x.middlewares", Some("gone"))]),
        Some(Cause::MiddlewareMissing),
    );
    check(&with_labels(&[("traefik.http.routers.x.middlewares", Some("from@file"))]), None);
    check(&with_labels(&[("traefik.http.routers.x.tls", None)]), Some(Cause::RouterWithoutTls));
    check(&with_labels(&[("traefik.swarm.network", Some("nowhere"))]), Some(Cause::NetworkLabel));
    check(&with_labels(&[(rule, None)]), Some(Cause::NoRouter));
    let resolver = with_labels(&[("traefik.http.routers.x.tls.certresolver", Some("gone"))]);
    assert_eq!(resolver.resolver, Some(("gone".into(), false)));
}

#[test]
fn labels_on_the_container_are_found() {
    let stray = labels();
    let judgement = scene(
        &json!({}),
        |app, _| app["Spec"]["TaskTemplate"]["ContainerSpec"]["Labels"] = stray.clone(),
        Vec::new(),
    );
    check(&judgement, Some(Cause::LabelsOnContainer));
}

#[test]
fn tasks_that_do_not_run() {
    let status = |status: Value, desired: &str| {
        scene(
            &labels(),
            |_, task| {
                task["Status"] = status.clone();
                task["DesiredState"] = json!(desired);
            },
            Vec::new(),
        )
    };
    let at = "2026-01-01T00:30:00Z";
    let state =
        |state: &str, err: &str| status(json!({"State": state, "Err": err, "Timestamp": at}), "running");
    check(&state("starting", ""), Some(Cause::NotHealthyYet));
    check(&state("preparing", ""), Some(Cause::NotHealthyYet));
    check(&state("pending", "no suitable node"), Some(Cause::TaskPending));
    check(&state("new", ""), Some(Cause::AddressesExhausted));
    check(
        &status(json!({"State": "failed", "Err": "task: non-zero exit (1)"}), "shutdown"),
        Some(Cause::TaskFailing),
    );
    let zero =
        scene(&labels(), |app, _| app["Spec"]["Mode"]["Replicated"]["Replicas"] = json!(0), Vec::new());
    check(&zero, None);
    let gone = scene(
        &labels(),
        |app, task| {
            app["Spec"]["Mode"]["Replicated"]["Replicas"] = json!(0);
            task["Status"]["State"] = json!("shutdown");
        },
        Vec::new(),
    );
    check(&gone, Some(Cause::ScaledToZero));
    let young = status(json!({"State": "running", "Timestamp": "2026-01-01T00:59:50Z"}), "running");
    check(&young, Some(Cause::JustDeployed));
}

#[test]
fn networks_that_do_not_meet() {
    let elsewhere = scene(
        &labels(),
        |app, _| app["Spec"]["TaskTemplate"]["Networks"] = json!([{"Target": "id-other"}]),
        Vec::new(),
    );
    check(&elsewhere, Some(Cause::NotOnProxyNetwork));
    let mut balanced = labels();
    balanced["traefik.swarm.lbswarm"] = json!("true");
    let vip = json!({"VirtualIPs": [{"NetworkID": "id-proxy", "Addr": "10.0.1.2/24"}]});
    let judgement = scene(&balanced, |app, _| app["Endpoint"] = vip.clone(), Vec::new());
    assert_eq!(judgement.backend.unwrap().vip.as_deref(), Some("10.0.1.2"));
}

#[test]
fn strangers_in_the_way() {
    let other = |rule: &str, name: &str| {
        let mut theirs = labels();
        theirs.as_object_mut().unwrap().remove("traefik.http.routers.x.rule");
        theirs[format!("traefik.http.routers.{name}.rule")] = json!(rule);
        theirs[format!("traefik.http.routers.{name}.entrypoints")] = json!("web-secure");
        theirs[format!("traefik.http.routers.{name}.tls")] = json!("true");
        scene(&labels(), |_, _| {}, vec![svc("warm-y_ci_example", "app", &["proxy"], &theirs)])
    };
    check(&other("Host(`warm-y.ci.example`)", "x"), Some(Cause::RouterDuplicate));
    check(&other("Host(`warm-y.ci.example`)", "y"), None);
    check(&other("Host(`iso-x-1.ci.example`)", "y"), Some(Cause::TakenByOther));
    // The other router takes one path only, so it shares the domain on purpose.
    check(&other("Host(`iso-x-1.ci.example`) && PathPrefix(`/api`)", "y"), None);
    check(&other("HostRegexp(`^iso-.+[.]ci[.]example$`)", "y"), Some(Cause::TakenByOther));
}

#[test]
fn what_is_not_there_is_said() {
    let empty = swarm(&[], Vec::new());
    let objects = Objects::default();
    check(&judge(&question(&objects), &empty, None), Some(Cause::NothingDeployed));
    let long = "c:\n  x: 1\nconfigs:\n  c:\n    name: ${STACK_NAME}_a_very_long_config_name_that_does_not_fit_at_all_${V:-v10}\n";
    let objects = compose::parse(long, &|_| None).unwrap();
    check(&judge(&question(&objects), &empty, None), Some(Cause::NameTooLong));
    let domain = "iso-a-name-that-abra-would-cut-off.commoninternet.example";
    let objects = Objects::default();
    let question = Question { domain, ..question(&objects) };
    check(&judge(&question, &empty, None), Some(Cause::NameTooLong));
}

#[test]
fn a_name_is_used_as_a_host() {
    for text in ["http://app:3000", "reverse_proxy app:3000", "ask http://app/x", "postgres://u:p@app/db"] {
        assert!(names_host(text, "app"), "{text}");
    }
    for text in ["app", "/app/data", "myapp:80", "app.example:80", "http://app2"] {
        assert!(!names_host(text, "app"), "{text}");
    }
}

#[test]
fn hostile_labels_are_only_text() {
    let mut hostile = labels();
    hostile["traefik.http.routers.ü\u{202e}.rule"] = json!("Host(`\u{0}`) || 𝓗𝓸𝓼𝓽(`x`)");
    hostile["traefik.http.services.\n.loadbalancer.server.port"] = json!("99999999999999999999");
    hostile.as_object_mut().unwrap().retain(|key, _| !key.starts_with("traefik.http.routers.x."));
    check(&scene(&labels(), |_, _| {}, vec![svc("hostile", "app", &["proxy"], &hostile)]), None);
}
