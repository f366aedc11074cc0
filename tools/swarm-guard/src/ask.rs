//! One request as the rules see it: its normal form, the objects that it names, and who owns those. No I/O.

use lib_common::swarm::label;
use serde_json::{Value, json};

use crate::decision::{Forward, Kind, Stop};
use crate::facts::{Facts, Known, Object};
use crate::labels;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::request::Head;
use crate::shape::{self, Shape};

/// Everything that a rule may base its decision on.
pub struct Ask<'a> {
    pub head: &'a Head,
    /// The path segments that the route's placeholders `{}` and `{*}` matched.
    pub params: &'a [String],
    pub body: Option<&'a Value>,
    pub policy: &'a Policy,
    pub facts: &'a Facts,
    pub known: &'a Known,
}

impl Ask<'_> {
    /// The request as it is, to be forwarded.
    pub fn forward(&self) -> Forward {
        Forward::new(self.head.clone())
    }

    /// The body, once it is checked against `wanted`.
    pub fn body(&self, wanted: &Shape) -> Result<Value, Stop> {
        let mut body = self.body.cloned().filter(Value::is_object).ok_or_else(|| {
            Refusal::new("body", "no JSON object").remedy("send the object that the API documents")
        })?;
        shape::check(wanted, &mut body, "")?;
        Ok(body)
    }

    pub fn is_own(&self, kind: Kind, object: &Object) -> bool {
        object.owner.as_deref() == Some(&self.policy.owner) || self.known.has(kind, &object.id)
    }

    /// The object that `reference` names, if it is the owner's.
    pub fn own(&self, kind: Kind, reference: &str) -> Result<&Object, Stop> {
        let object = self.facts.must(kind, reference)?;
        if self.is_own(kind, object) { Ok(object) } else { Err(foreign(kind, object).into()) }
    }

    /// Forwards the request for the owner's own object that the first placeholder names, by its full id.
    pub fn for_own(&self, kind: Kind) -> Result<Forward, Stop> {
        let id = self.own(kind, &self.params[0])?.id.clone();
        Ok(self.forward_to(&id))
    }

    /// The request with its object, which is always the second path segment, named by full id. An id cannot come to mean
    /// another object between the decision and the call, as a name can.
    pub fn forward_to(&self, id: &str) -> Forward {
        let mut forward = self.forward();
        id.clone_into(&mut forward.head.segments[1]);
        forward
    }

    /// Checks the labels under `key` of `body` and puts the owner's own label there.
    pub fn stamp(&self, body: &mut Value, key: &str) -> Result<(), Refusal> {
        if body[key].is_null() {
            body[key] = json!({});
        }
        labels::check(self.policy, body[key].as_object().into_iter().flatten())?;
        body[key][label::RUN] = self.policy.owner.clone().into();
        Ok(())
    }

    /// A network that the owner may use: its own, or one that is allowed by name.
    pub fn network(&self, kind: Kind, reference: &str) -> Result<&Object, Stop> {
        let object = self.facts.must(kind, reference)?;
        if self.is_own(kind, object) || self.policy.networks.contains(&object.name) {
            return Ok(object);
        }
        Err(foreign(kind, object).into())
    }

    /// A container that the owner may exec into: its own, or one of an allowed service.
    pub fn exec_target(&self, reference: &str) -> Result<&Object, Stop> {
        let object = self.facts.must(Kind::Container, reference)?;
        let allowed = |name: &String| Some(name) == object.service.as_ref() || *name == object.name;
        if self.is_own(Kind::Container, object) || self.policy.exec.iter().any(allowed) {
            return Ok(object);
        }
        Err(Refusal {
            remedy: Some("allow it: --allow exec=SERVICE".into()),
            ..foreign(Kind::Container, object)
        }
        .into())
    }
}

/// The string under `key`; empty where the key is absent or holds something else.
pub fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn foreign(kind: Kind, object: &Object) -> Refusal {
    let name = if object.name.is_empty() { &object.id } else { &object.name };
    let remedy = match kind.plain() {
        Kind::Network => "use a network of your own, or allow it: --allow network=NAME",
        _ => "name an object that was created through this guard",
    };
    Refusal::new("of others", format!("{} '{name}'", kind.word())).remedy(remedy)
}
