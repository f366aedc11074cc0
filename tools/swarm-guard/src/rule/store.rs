//! Rules for configs and secrets.

use serde_json::Value;

use crate::ask::{Ask, text};
use crate::decision::{Decision, Forward, Kind, Stop};
use crate::refusal::Refusal;
use crate::shape::small;

pub fn create_config(ask: &Ask) -> Decision {
    create(ask, Kind::Config)
}

pub fn create_secret(ask: &Ask) -> Decision {
    let forward = create(ask, Kind::Secret)?;
    let value = ask.body.map(|body| (text(body, "Name").to_owned(), text(body, "Data").to_owned()));
    Ok(Forward { secret: value, ..forward })
}

pub fn update_config(ask: &Ask) -> Decision {
    update(ask, Kind::Config)
}

pub fn update_secret(ask: &Ask) -> Decision {
    update(ask, Kind::Secret)
}

pub fn delete_config(ask: &Ask) -> Decision {
    ask.for_own(Kind::Config)
}

pub fn delete_secret(ask: &Ask) -> Decision {
    ask.for_own(Kind::Secret)
}

/// Creates one whose name is the owner's. The stack label alone would not do: abra creates secrets without it and
/// compose then refers to them as `external: true`.
fn create(ask: &Ask, kind: Kind) -> Decision {
    let body = stamped(ask)?;
    ask.policy.name(kind.word(), text(&body, "Name"))?;
    Ok(Forward { creates: Some(kind), ..ask.forward().json(body) })
}

fn update(ask: &Ask, kind: Kind) -> Decision {
    let object = ask.own(kind, &ask.params[0])?;
    let body = stamped(ask)?;
    if text(&body, "Name") != object.name {
        return Err(
            Refusal::new("namespace", format!("a new name for {} '{}'", kind.word(), object.name)).into()
        );
    }
    Ok(ask.forward_to(&object.id).json(body))
}

fn stamped(ask: &Ask) -> Result<Value, Stop> {
    let mut body = ask.body(&small::BLOB)?;
    ask.stamp(&mut body, "Labels")?;
    Ok(body)
}
