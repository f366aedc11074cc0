//! Tests of decisions without an engine: a fake look-up knows a few objects of the owner and of others.

mod container;
mod objects;
mod others;
mod prop;

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::decision::{Forward, Kind, Outgoing, Stop};
use crate::facts::{Facts, Found, Known, Object};
use crate::policy::Policy;
use crate::policy::tests::{RUN, policy};
use crate::request::Head;
use crate::world::{Name, World};
use crate::{json as strict, route};

/// Objects named `own...` are the owner's, `live...` are others', `proxy` is allowed. A full id is the name and `-id`.
fn look_up(kind: Kind, reference: &str) -> Found {
    if let Kind::Path | Kind::NewPath = kind {
        let id = reference.replace("/scratch/link", "/etc");
        let mount = Some(Ok(reference.replace("/scratch", "/run/swarm-guard/x")));
        return Found::Object(Box::new(Object { id, mount, ..Object::default() }));
    }
    if let Kind::Node | Kind::Names | Kind::Ports | Kind::Ranges = kind {
        return Found::World(Box::new(world()));
    }
    let name = reference.strip_suffix("-id").unwrap_or(reference);
    let own = name.starts_with("own") || name.starts_with("iso-x_ci_example_own");
    if !own && !["live", "proxy", "backup", "image"].iter().any(|known| name.starts_with(known)) {
        return Found::Missing(404, format!("No such {}: {reference}", kind.word()));
    }
    let id = if kind == Kind::Volume { name.to_owned() } else { format!("{name}-id") };
    let routes = json!({"traefik.http.routers.live.rule": "Host(`live.ci.example`)"});
    let compose =
        json!({"com.docker.compose.project": "author", "com.docker.compose.service": "x", "a": "b"});
    let labels = match name {
        "image-with-routes" => routes.as_object().cloned(),
        "image-by-compose" => compose.as_object().cloned(),
        _ => None,
    };
    Found::Object(Box::new(Object {
        id,
        name: name.to_owned(),
        owner: own.then(|| RUN.to_owned()),
        service: name.starts_with("backup").then(|| "backups_app".to_owned()),
        container: (kind == Kind::Exec).then(|| format!("{}-id", name.trim_end_matches("-exec"))),
        tags: match name {
            "own-image" => vec!["iso-x_ci_example:1".into()],
            "own-image-shared" => vec!["iso-x_ci_example:1".into(), "live:1".into()],
            _ => vec!["live:1".into()],
        },
        labels: labels.unwrap_or_default(),
        mount: None,
    }))
}

/// What the fake engine and its node have together.
fn world() -> World {
    let name = |name: &str, is_short| Name { name: name.into(), by: "live_app".into(), is_short };
    World {
        node: "here".into(),
        nodes: 2,
        names: vec![
            name("live_app", false),
            name("tasks.live_app", false),
            name("shop", false),
            name("app", true),
        ],
        ports: vec![((8080, "tcp".into()), "service live_app".into())],
        ranges: vec![("10.9.0.0/16".parse().unwrap(), "network live".into())],
        problem: None,
    }
}

/// The decision. An error is a refusal's rule, or the status of the engine's answer to a look-up.
fn decide_raw(method: &str, target: &str, body: &[u8]) -> Result<Forward, String> {
    decide_by(policy(), method, target, body)
}

#[allow(clippy::needless_pass_by_value)] // each caller makes one of its own
fn decide_by(policy: Policy, method: &str, target: &str, body: &[u8]) -> Result<Forward, String> {
    let head = Head::parse(method, target).map_err(|refusal| refusal.rule.to_owned())?;
    let (route, params) = route::find(&head).map_err(|refusal| refusal.rule.to_owned())?;
    let body = if body.is_empty() { None } else { Some(strict::parse(body).map_err(|_| "body")?) };
    let (known, mut facts) = (Known::default(), Facts::default());
    loop {
        let body = body.as_ref();
        let ask = Ask { head: &head, params: &params, body, policy: &policy, facts: &facts, known: &known };
        match (route.decide)(&ask) {
            Ok(forward) => return Ok(forward),
            Err(Stop::Refuse(refusal)) => return Err(refusal.rule.to_owned()),
            Err(Stop::Missing(status, _)) => return Err(status.to_string()),
            Err(Stop::Need(kind, reference)) => {
                let found = look_up(kind, &reference);
                facts.learn(kind, reference, found);
            }
        }
    }
}

fn decide(method: &str, target: &str, body: &Value) -> Result<Forward, String> {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    decide_raw(method, target, text.as_bytes())
}

/// Request target and body that are sent to the engine.
#[track_caller]
fn sent(method: &str, target: &str, body: &Value) -> (String, Value) {
    let forward = decide(method, target, body).unwrap_or_else(|rule| panic!("{method} {target}: {rule}"));
    let body = match forward.body {
        Outgoing::Json(body) => body,
        _ => Value::Null,
    };
    (forward.head.target(), body)
}

#[track_caller]
fn refused(method: &str, target: &str, body: &Value, rule: &str) {
    let decision = decide(method, target, body);
    assert_eq!(decision.as_ref().err().map(String::as_str), Some(rule), "{method} {target} {body}");
}
