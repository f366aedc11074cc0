//! One request as the rules see it: its normal form, what it names, and whose that is. No I/O.

use lib_common::swarm::label;
use serde_json::{Value, json};

use super::facts::{Facts, Known, Object};
use super::policy::Policy;
use super::request::Head;
use super::rule::labels;
use super::shape::{self, Shape};
use super::verdict::{Forward, Kind, Refusal, Stop};

/// Everything that a decision is made of.
pub struct Ask<'a> {
    pub head: &'a Head,
    /// What the route's placeholders stand for.
    pub params: &'a [String],
    pub body: Option<&'a Value>,
    pub policy: &'a Policy,
    pub facts: &'a Facts,
    pub known: &'a Known,
}

impl Ask<'_> {
    /// The same request, to be forwarded.
    pub fn forward(&self) -> Forward {
        Forward::new(self.head.clone())
    }

    /// The body in the shape that it must have.
    pub fn body(&self, wanted: &Shape) -> Result<Value, Stop> {
        let mut body = self.body.cloned().filter(Value::is_object).ok_or_else(|| {
            Refusal::new("body", "no JSON object").remedy("send the object that the API documents")
        })?;
        shape::check(wanted, &mut body, "")?;
        Ok(body)
    }

    pub fn is_own(&self, kind: Kind, object: &Object) -> bool {
        object.run.as_deref() == Some(&self.policy.run) || self.known.has(kind, &object.id)
    }

    /// The object that `reference` names, if it is the run's.
    pub fn own(&self, kind: Kind, reference: &str) -> Result<&Object, Stop> {
        let object = self.facts.must(kind, reference)?;
        if self.is_own(kind, object) { Ok(object) } else { Err(foreign(kind, object).into()) }
    }

    /// Forwards the request for the run's own object that the first placeholder names, by its full id.
    pub fn for_own(&self, kind: Kind) -> Result<Forward, Stop> {
        let id = self.own(kind, &self.params[0])?.id.clone();
        Ok(self.forward_to(&id))
    }

    /// The same request with the first placeholder replaced.
    pub fn forward_to(&self, id: &str) -> Forward {
        let mut forward = self.forward();
        id.clone_into(&mut forward.head.segments[1]);
        forward
    }

    /// Checks the labels under `key` of `body` and puts the run's own label there.
    pub fn stamp(&self, body: &mut Value, key: &str) -> Result<(), Refusal> {
        if body[key].is_null() {
            body[key] = json!({});
        }
        labels::check(self.policy, body[key].as_object().into_iter().flatten())?;
        body[key][label::RUN] = self.policy.run.clone().into();
        Ok(())
    }

    /// A network that the run may use: its own, or one that is allowed by name.
    pub fn network(&self, kind: Kind, reference: &str) -> Result<&Object, Stop> {
        let object = self.facts.must(kind, reference)?;
        if self.is_own(kind, object) || self.policy.networks.contains(&object.name) {
            return Ok(object);
        }
        Err(foreign(kind, object).into())
    }

    /// A container that the run may exec into: its own, or one of an allowed service.
    pub fn exec_target(&self, reference: &str) -> Result<&Object, Stop> {
        let object = self.facts.must(Kind::Container, reference)?;
        let allowed = |name: &String| Some(name) == object.service.as_ref() || *name == object.name;
        if self.is_own(Kind::Container, object) || self.policy.exec.iter().any(allowed) {
            return Ok(object);
        }
        Err(Refusal {
            remedy: Some("allow it with --allow-exec SERVICE".into()),
            ..foreign(Kind::Container, object)
        }
        .into())
    }
}

/// A text of a body; null where it is absent.
pub fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn foreign(kind: Kind, object: &Object) -> Refusal {
    let name = if object.name.is_empty() { &object.id } else { &object.name };
    let remedy = match kind.plain() {
        Kind::Network => "use a network of the run's own, or allow it with --allow-network",
        _ => "name an object that this run has created",
    };
    Refusal::new("not of this run", format!("{} '{name}'", kind.word())).remedy(remedy)
}
