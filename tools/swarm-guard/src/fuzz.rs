//! Entry points for fuzzing: the guard's decision on one request, for an engine without objects, and the copying of an
//! archive of images.

use crate::ask::Ask;
use crate::decision::{Kind, Outgoing, Stop};
use crate::facts::{Facts, Found, Known};
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::request::Head;
use crate::{images, json, route};

/// The archive of images that would be sent to the engine; `None` if it is refused.
#[must_use]
pub fn images(archive: &[u8]) -> Option<Vec<u8>> {
    let own = |name: &str| {
        if name.starts_with("own/") { Ok(()) } else { Err(Refusal::new("image", name)) }
    };
    let mut sent = Vec::new();
    images::archive::copy(archive, &mut sent, own).is_ok().then_some(sent)
}

/// The body that would be sent to the engine; `None` if the request is refused.
#[must_use]
pub fn decide(method: &str, target: &str, body: &[u8]) -> Option<String> {
    let head = Head::parse(method, target).ok()?;
    let (route, params) = route::find(&head).ok()?;
    let body = if body.is_empty() { None } else { Some(json::parse(body).ok()?) };
    let policy = Policy {
        owner: "owner".into(),
        stack: "own".into(),
        stacks: Vec::new(),
        domains: vec!["own.example".into()],
        networks: Vec::new(),
        exec: Vec::new(),
        images: Vec::new(),
        folders: vec!["/scratch".into()],
        log_drivers: Vec::new(),
        read_only: false,
        hide_others: false,
    };
    let (known, mut facts) = (Known::default(), Facts::default());
    loop {
        let body = body.as_ref();
        match (route.decide)(&Ask {
            head: &head,
            params: &params,
            body,
            policy: &policy,
            facts: &facts,
            known: &known,
        }) {
            Err(Stop::Need(kind, reference)) => {
                let found = match kind {
                    Kind::Node | Kind::Names | Kind::Ports | Kind::Ranges => Found::World(Box::default()),
                    _ => Found::Missing(404, String::new()),
                };
                facts.learn(kind, reference, found);
            }
            Err(_) => return None,
            Ok(forward) => {
                return Some(match forward.body {
                    Outgoing::Json(body) => body.to_string(),
                    Outgoing::Nothing | Outgoing::Archive | Outgoing::Images => String::new(),
                });
            }
        }
    }
}
