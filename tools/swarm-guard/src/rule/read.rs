//! Rules for calls that only read. All pass, but for contents of other owners' objects (logs, files) and the swarm's join
//! tokens; where others are to be hidden, lists hold the owner's objects, and only those are described.

#![allow(clippy::unnecessary_wraps)] // rules have one signature

use lib_common::swarm::label;
use serde_json::{Map, Value};

use crate::ask::Ask;
use crate::decision::{Answer, Decision, Forward, Kind, Stop};
use crate::refusal::Refusal;

/// What the engine says of itself, and of images.
pub fn free(ask: &Ask) -> Decision {
    Ok(ask.forward())
}

/// What tells of everybody's objects together.
pub fn together(ask: &Ask) -> Decision {
    if ask.policy.hide_others {
        return Err(Refusal::new("hidden", ask.head.to_string()).remedy("list objects of one kind").into());
    }
    Ok(ask.forward())
}

/// A list of objects, or their events.
pub fn list(ask: &Ask) -> Decision {
    let mut forward = ask.forward();
    if ask.policy.hide_others {
        let filters = with_label(ask.head.get("filters").unwrap_or_default(), &ask.policy.owner)?;
        forward.head.set("filters", filters);
    }
    Ok(forward)
}

/// The engine's filters with the owner's label among them. They are lists, or (older) objects whose keys are the values.
fn with_label(filters: &str, owner: &str) -> Result<String, Stop> {
    let odd = || Refusal::new("query", "filters that are no object of lists");
    let given = if filters.is_empty() {
        Value::Null
    } else {
        crate::json::parse(filters.as_bytes()).map_err(|_| odd())?
    };
    let mut all = match given {
        Value::Null => Map::new(),
        Value::Object(all) => all,
        _ => return Err(odd().into()),
    };
    let wanted = format!("{}={owner}", label::RUN);
    for (key, values) in &mut all {
        // One request has one of the two forms throughout.
        match values {
            Value::Array(_) => {}
            Value::Object(set) => *values = set.keys().cloned().collect::<Vec<_>>().into(),
            _ => return Err(Refusal::new("query", format!("the filter {key}")).into()),
        }
    }
    match all.entry("label").or_insert_with(|| Value::Array(Vec::new())) {
        Value::Array(labels) => labels.push(wanted.into()),
        _ => return Err(odd().into()),
    }
    Ok(Value::Object(all).to_string())
}

pub fn container(ask: &Ask) -> Decision {
    described(ask, Kind::Container)
}

pub fn service(ask: &Ask) -> Decision {
    described(ask, Kind::Service)
}

pub fn task(ask: &Ask) -> Decision {
    described(ask, Kind::Task)
}

pub fn volume(ask: &Ask) -> Decision {
    described(ask, Kind::Volume)
}

pub fn config(ask: &Ask) -> Decision {
    described(ask, Kind::Config)
}

pub fn secret(ask: &Ask) -> Decision {
    described(ask, Kind::Secret)
}

/// A network, the owner's or one that is allowed.
pub fn network(ask: &Ask) -> Decision {
    if ask.policy.hide_others {
        ask.network(Kind::Network, &ask.params[0])?;
    }
    Ok(ask.forward())
}

/// The description of one object.
fn described(ask: &Ask, kind: Kind) -> Decision {
    if !ask.policy.hide_others {
        return Ok(ask.forward());
    }
    if kind == Kind::Container {
        Ok(ask.forward_to(&ask.exec_target(&ask.params[0])?.id))
    } else {
        ask.for_own(kind)
    }
}

/// Describes the swarm, without its join tokens.
pub fn swarm(ask: &Ask) -> Decision {
    Ok(Forward { answer: Answer::Scrubbed, ..ask.forward() })
}

pub fn own_container(ask: &Ask) -> Decision {
    Ok(Forward { answer: Answer::Bulk, ..ask.for_own(Kind::Container)? })
}

pub fn own_service(ask: &Ask) -> Decision {
    Ok(Forward { answer: Answer::Bulk, ..ask.for_own(Kind::Service)? })
}

pub fn own_task(ask: &Ask) -> Decision {
    Ok(Forward { answer: Answer::Bulk, ..ask.for_own(Kind::Task)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owners_label_is_one_more_filter() {
        for (given, sent) in [
            ("", r#"{"label":["redfix.run=me"]}"#),
            (r#"{"name":["x"]}"#, r#"{"label":["redfix.run=me"],"name":["x"]}"#),
            (r#"{"label":{"a=b":true}}"#, r#"{"label":["a=b","redfix.run=me"]}"#),
            (r#"{"label":["redfix.run=you"]}"#, r#"{"label":["redfix.run=you","redfix.run=me"]}"#),
        ] {
            assert_eq!(with_label(given, "me").unwrap(), sent, "{given}");
        }
        for odd in ["x", "[]", r#"{"label":1}"#, r#"{"label":[],"label":[]}"#] {
            assert!(with_label(odd, "me").is_err(), "{odd}");
        }
    }
}
