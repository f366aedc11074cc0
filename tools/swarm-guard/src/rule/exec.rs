//! Rules for commands that are executed inside containers.

use crate::ask::Ask;
use crate::decision::{Answer, Decision, Forward, Kind, Stop};
use crate::shape::container;

pub fn create(ask: &Ask) -> Decision {
    let target = ask.exec_target(&ask.params[0])?.id.clone();
    let mut body = ask.body(&container::EXEC)?;
    if let Some(map) = body.as_object_mut() {
        map.remove("Container");
    }
    Ok(Forward { creates: Some(Kind::Exec), ..ask.forward_to(&target).json(body) })
}

pub fn start(ask: &Ask) -> Decision {
    let body = ask.body(&container::EXEC_START)?;
    Ok(Forward { answer: Answer::Hijack, ..known(ask)?.json(body) })
}

pub fn resize(ask: &Ask) -> Decision {
    known(ask)
}

/// An exec that was created through this guard, or one in a container that the owner may exec into.
fn known(ask: &Ask) -> Result<Forward, Stop> {
    let exec = ask.facts.must(Kind::Exec, &ask.params[0])?;
    if !ask.is_own(Kind::Exec, exec) {
        ask.exec_target(exec.container.as_deref().unwrap_or_default())?;
    }
    Ok(ask.forward_to(&exec.id))
}
