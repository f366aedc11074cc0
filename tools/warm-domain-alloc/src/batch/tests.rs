//! Tests grants with a store in memory.

use super::*;
use crate::compose::Objects;
use crate::grant::Terms;
use crate::interrupt::Interrupt;
use crate::name::{Base, Class, Pattern};
use crate::store::fake::Fake;
use crate::world::Lists;
use jiff::Timestamp;
use lib_common::clock::FixedClock;
use regex::Regex;
use serde_json::json;
use std::collections::BTreeSet;

fn terms(pattern: &str) -> Terms {
    Terms {
        base: Base::parse("ci.example").unwrap(),
        class: Class::parse("run").unwrap(),
        purpose: "run".into(),
        holder: "me".into(),
        investigation: "i".into(),
        ttl_ms: 1000,
        pattern: Pattern::parse(pattern).unwrap(),
        avoid: Vec::new(),
        objects: Objects::default(),
        shared: None,
        certificate: Vec::new(),
        dry_run: false,
    }
}

async fn grant_in(fake: &Fake, world: &World, terms: &Terms, recipe: &str) -> Result<Grant> {
    let clock = FixedClock(Timestamp::UNIX_EPOCH);
    let interrupt = Interrupt::default();
    let mut world = world.clone();
    for stored in fake.list().await.unwrap().iter().filter(|stored| stored.is_held()) {
        world.add_lease(&stored.lease);
    }
    let granter = Granter { store: fake, terms, clock: &clock, interrupt: &interrupt };
    let mut batch = granter.grant_all(&[recipe.to_owned()], &mut world, &mut ()).await;
    match batch.stopped {
        Some(error) => Err(error),
        None => batch.outcomes.remove(0).1,
    }
}

async fn grant(fake: &Fake, terms: &Terms, recipe: &str) -> Result<Grant> {
    grant_in(fake, &World::default(), terms, recipe).await
}

#[tokio::test]
async fn a_lease_is_granted_once_and_then_taken_up() {
    let fake = Fake::default();
    let terms = terms("{class}-{recipe}-{short}");
    let first = grant(&fake, &terms, "gitea").await.unwrap();
    assert!(first.is_new && first.lease.domain.starts_with("iso-gitea-"), "{first:?}");
    assert!(first.checked.contains(&"leases=0".to_owned()));
    let again = grant(&fake, &terms, "gitea").await.unwrap();
    assert!(!again.is_new);
    assert_eq!(again.lease.id, first.lease.id);
    let other = grant(&fake, &terms, "mumble").await.unwrap();
    assert!(other.is_new);
    assert_eq!(fake.domains().len(), 2);
}

#[tokio::test]
async fn a_fixed_name_that_is_taken_is_a_no() {
    let terms = terms("{class}-{recipe}");
    let fake = Fake::default();
    let held = grant(&fake, &Terms { holder: "other".into(), ..self::terms("{class}-{recipe}") }, "gitea")
        .await
        .unwrap();
    let error = grant(&fake, &terms, "gitea").await.unwrap_err();
    assert_eq!(error.exit().code(), 1);
    assert!(error.to_string().contains("iso-gitea.ci.example"), "{error}");
    assert_eq!(fake.domains(), [held.lease.domain]);
}

#[tokio::test]
async fn the_live_service_keeps_its_domain() {
    let services = json!([{"Spec": {"Name": "kc", "Labels": {
        "traefik.http.routers.kc.rule": "Host(`canon-keycloak.ci.example`)"}}}]);
    let world = World::new(&Lists { services, ..Lists::default() });
    let canon = |pattern| Terms { class: Class::parse("canon").unwrap(), ..terms(pattern) };
    let fake = Fake::default();
    let error = grant_in(&fake, &world, &canon("{class}-{recipe}"), "keycloak").await.unwrap_err();
    assert!(error.to_string().contains("router kc of kc"), "{error}");
    let granted = grant_in(&fake, &world, &canon("{class}-{recipe}-{short}"), "keycloak").await.unwrap();
    assert!(granted.lease.domain.starts_with("canon-keycloak-"), "{granted:?}");
}

#[tokio::test]
async fn two_grants_for_the_same_at_once_become_one() {
    let terms = terms("{class}-{recipe}-{short}");
    let fake = Fake::default();
    // Another process stores a lease for the same between our look and our create.
    let faster = Lease {
        recipe: "gitea".into(),
        holder: "me".into(),
        ..crate::lease::tests::lease("iso-gitea-000000")
    };
    let faster = Lease { domain: "iso-gitea-000000.ci.example".into(), ..faster };
    *fake.faster.borrow_mut() = Some(faster.clone());
    let granted = grant(&fake, &terms, "gitea").await.unwrap();
    assert!(!granted.is_new);
    assert_eq!(granted.lease.id, faster.id);
    assert_eq!(fake.domains(), [faster.domain]);
    assert_eq!(fake.configs.borrow().len(), 1, "no tombstone is left");
}

#[tokio::test]
async fn a_name_that_somebody_else_got_first_is_left_to_them() {
    let terms = terms("{class}-{recipe}");
    let fake = Fake::default();
    // The name is not equal to ours, but an attempt of ours could get it.
    let faster = Lease { holder: "other".into(), ..crate::lease::tests::lease("iso-gitea-abcdef") };
    *fake.faster.borrow_mut() = Some(faster.clone());
    let error = grant(&fake, &terms, "gitea").await.unwrap_err();
    assert_eq!(error.exit().code(), 1);
    assert_eq!(fake.domains(), [faster.domain]);
}

#[tokio::test]
async fn a_lost_answer_leaves_nothing() {
    let fake = Fake::default();
    fake.lose_answer.set(true);
    let error = grant(&fake, &terms("{class}-{short}"), "gitea").await.unwrap_err();
    assert_eq!(error.exit().code(), 75);
    assert!(error.hint_text().is_some_and(|hint| hint.contains("released again")), "{error:?}");
    assert!(fake.configs.borrow().is_empty());
}

#[tokio::test]
async fn a_dry_run_stores_nothing() {
    let fake = Fake::default();
    let dry = Terms { dry_run: true, ..terms("{class}-{recipe}-{short}") };
    assert!(grant(&fake, &dry, "gitea").await.unwrap().lease.domain.starts_with("iso-gitea-"));
    assert!(fake.configs.borrow().is_empty());
}

#[tokio::test]
async fn names_that_would_break_are_refused() {
    let fake = Fake::default();
    let proxy = Some(BTreeSet::from(["proxy".to_owned()]));
    let warm =
        Terms { class: Class::parse("warm").unwrap(), shared: proxy, ..terms("warm-{recipe}-{short}") };
    let error = grant(&fake, &warm, "gitea").await.unwrap_err();
    assert!(error.exit().code() == 2 && error.to_string().contains("sorts behind"), "{error}");
    let avoid = Terms { avoid: vec![Regex::new("^iso-").unwrap()], ..terms("{class}-{recipe}-{short}") };
    assert!(grant(&fake, &avoid, "gitea").await.unwrap_err().to_string().contains("--avoid"));
    assert!(grant(&fake, &terms("{class}-{short}"), "ü").await.is_err());
    let deep = Terms {
        base: Base::parse("a-very-long-base.commoninternet.example").unwrap(),
        ..terms("{class}-{recipe}-{short}")
    };
    assert!(grant(&fake, &deep, "gitea").await.unwrap_err().to_string().contains("45 are allowed"));
    assert!(fake.configs.borrow().is_empty());
}

#[tokio::test]
async fn a_class_that_sorts_behind_a_shared_network_gets_a_prefix_before_it() {
    let fake = Fake::default();
    let with = |class: &str, network: &str| Terms {
        class: Class::parse(class).unwrap(),
        shared: Some(BTreeSet::from([network.to_owned()])),
        ..terms("{class}-{recipe}-{short}")
    };
    for (class, network, begins) in [
        ("warm", "proxy", "iso-warm-gitea-"),
        ("run", "edge", "c-iso-gitea-"),
        ("canon", "a", "0-canon-gitea-"),
    ] {
        let terms = Terms { holder: class.into(), ..with(class, network) };
        let granted = grant(&fake, &terms, "gitea").await.unwrap();
        assert!(granted.lease.domain.starts_with(begins), "{granted:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_cover_the_name_is_said() {
    let fake = Fake::default();
    let with = |name: &str| Terms { certificate: vec![name.into()], ..terms("{class}-{recipe}-{short}") };
    let error = grant(&fake, &with("*.example"), "gitea").await.unwrap_err();
    assert!(error.to_string().contains("covered by no certificate of *.example"), "{error}");
    grant(&fake, &with("*.ci.example"), "gitea").await.unwrap();
}

#[tokio::test]
async fn a_tombstone_in_the_way_of_a_fixed_name_is_deleted() {
    let fake = Fake::default();
    let terms = terms("{class}-{recipe}");
    grant(&fake, &terms, "gitea").await.unwrap();
    // The holder dies between the compare-and-swap and the deletion, so a tombstone is left.
    let read = fake.list().await.unwrap().remove(0);
    assert!(fake.swap(&read, &read.lease, crate::lease::State::Released).await.unwrap());
    let again = grant(&fake, &terms, "gitea").await.unwrap();
    assert!(again.is_new && fake.configs.borrow().len() == 1, "{again:?}");
}

#[tokio::test]
async fn a_config_that_appeared_meanwhile_is_in_the_way() {
    let fake = Fake::default();
    fake.foreign.borrow_mut().push("iso-gitea_ci_example_ini_v1".into());
    assert_eq!(grant(&fake, &terms("{class}-{recipe}"), "gitea").await.unwrap_err().exit().code(), 1);
    assert!(fake.configs.borrow().is_empty());
    grant(&fake, &terms("{class}-{recipe}-{short}"), "gitea").await.unwrap();
}

#[tokio::test]
async fn a_batch_goes_on_where_one_recipe_gets_no_name() {
    let fake = Fake::default();
    let clock = FixedClock(Timestamp::UNIX_EPOCH);
    let interrupt = Interrupt::default();
    let (terms, mut world) = (terms("{class}-{recipe}"), World::default());
    world.add(lib_common::swarm::object::Kind::Service, &json!("iso-b_ci_example_app"));
    let granter = Granter { store: &fake, terms: &terms, clock: &clock, interrupt: &interrupt };
    let recipes = ["a", "b", "c", "ü", "d"].map(ToOwned::to_owned);
    let batch = granter.grant_all(&recipes, &mut world, &mut ()).await;
    let all: Vec<(&str, bool)> =
        batch.outcomes.iter().map(|(recipe, outcome)| (recipe.as_str(), outcome.is_ok())).collect();
    // A recipe that cannot be named at all ends the batch; leases granted before are kept and printed.
    assert_eq!(all, [("a", true), ("c", true)]);
    assert_eq!(batch.stopped.unwrap().exit(), Exit::Cannot);
    assert_eq!(fake.domains(), ["iso-a.ci.example", "iso-c.ci.example"]);
}

#[tokio::test]
async fn the_recipe_is_cut_where_it_has_to_be() {
    let fake = Fake::default();
    let tight =
        Terms { base: Base::parse("ci.commoninternet.net").unwrap(), ..terms("{class}-{recipe}-{short}") };
    let granted = grant(&fake, &tight, "mattermost-lts").await.unwrap();
    assert!(granted.lease.domain.starts_with("iso-matt-"), "{granted:?}");
}

#[tokio::test]
async fn a_lease_under_another_base_is_not_taken_up() {
    let fake = Fake::default();
    grant(&fake, &terms("{class}-{recipe}-{short}"), "gitea").await.unwrap();
    let elsewhere =
        Terms { base: Base::parse("other.example").unwrap(), ..terms("{class}-{recipe}-{short}") };
    let error = grant(&fake, &elsewhere, "gitea").await.unwrap_err();
    assert!(error.to_string().contains("another base"), "{error}");
}
