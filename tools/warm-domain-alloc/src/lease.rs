//! A lease and the config object that stores it. Everything is in the object's labels, which change only by
//! compare-and-swap. No I/O.

use jiff::{SignedDuration, Timestamp};
use lib_common::clock::rfc3339;
use lib_common::docker::models::ConfigSpec;
use lib_common::record::domain::{DomainLeased, DomainReleased};
use serde_json::{Value, json};
use std::collections::HashMap;

use crate::name::{Candidate, Class};

/// The label that marks a lease and carries its id.
pub const LABEL: &str = "redfix.lease";

/// The label that names the holder.
pub const HOLDER: &str = "redfix.holder";

/// Selects leases that can matter to a grant. The engine filters by name or label, so a query stays cheap however many
/// leases there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    All,
    /// The lease with this label.
    Label(String),
    /// Leases whose label equals one of these, continues one, or is continued by one.
    Meeting(Vec<String>),
    Holder(String),
}

impl Query {
    pub fn means(&self, lease: &Lease) -> bool {
        match self {
            Self::All => true,
            Self::Label(label) => lease.name().label == *label,
            Self::Meeting(labels) => labels.iter().any(|label| meet(label, &lease.name().label)),
            Self::Holder(holder) => lease.holder == *holder,
        }
    }
}

/// Whether two labels are equal, or one continues the other after a hyphen.
pub fn meet(one: &str, other: &str) -> bool {
    beginnings(other).contains(&one) || beginnings(one).contains(&other)
}

/// Every beginning of a label that is followed by a hyphen, and the label itself.
pub fn beginnings(label: &str) -> Vec<&str> {
    let cuts = label.match_indices('-').map(|(at, _)| &label[..at]);
    cuts.filter(|beginning| !beginning.is_empty()).chain([label]).collect()
}

/// The beginning of the config names of all leases whose labels begin with `label`: the engine filters by the
/// beginning of names.
pub fn config_prefix(label: &str) -> String {
    format!("redfix-lease-{label}")
}

/// The name of the config that stores the lease with this label. Because of the ending, no such name is the beginning of
/// another.
pub fn config_name(label: &str) -> String {
    config_prefix(label) + ".held"
}

/// The content of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub id: String,
    pub recipe: String,
    pub purpose: String,
    pub holder: String,
    pub domain: String,
    pub stack: String,
    pub class: String,
    pub ttl_ms: u64,
    pub investigation: String,
    pub granted: String,
    pub renewed: String,
}

/// Whether a stored lease still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Held,
    /// A tombstone: it never becomes held again, and is about to be deleted.
    Released,
}

/// A lease as the swarm stores it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub config_id: String,
    pub version: u64,
    /// When the swarm's leader stored it, by the leader's clock. Of two grants that raced, the earlier one stands.
    pub created: Timestamp,
    pub state: State,
    pub lease: Lease,
    /// The object's whole spec, because an update must repeat everything but the labels unchanged.
    pub spec: Value,
}

impl Lease {
    /// The config object's name. It is made of the label alone, so that the engine itself refuses a second grant of
    /// a label, whatever the base domain.
    pub fn config_name(&self) -> String {
        config_name(&self.name().label)
    }

    /// Whether both leases are for the same recipe, purpose and holder, which may have only one.
    pub fn is_for_same(&self, other: &Self) -> bool {
        (&self.recipe, &self.purpose, &self.holder) == (&other.recipe, &other.purpose, &other.holder)
    }

    /// The config object of a held lease.
    pub fn spec(&self) -> ConfigSpec {
        ConfigSpec {
            name: Some(self.config_name()),
            labels: Some(self.labels(State::Held)),
            // "redfix lease" in base64: the engine refuses a config without data.
            data: Some("cmVkZml4IGxlYXNl".to_owned()),
            templating: None,
        }
    }

    pub fn labels(&self, state: State) -> HashMap<String, String> {
        let state = match state {
            State::Held => "held",
            State::Released => "released",
        };
        let labels = [
            (LABEL, self.id.clone()),
            ("redfix.lease.state", state.to_owned()),
            ("redfix.recipe", self.recipe.clone()),
            ("redfix.purpose", self.purpose.clone()),
            (HOLDER, self.holder.clone()),
            ("redfix.domain", self.domain.clone()),
            ("redfix.stack", self.stack.clone()),
            ("redfix.class", self.class.clone()),
            ("redfix.ttl-ms", self.ttl_ms.to_string()),
            ("redfix.investigation", self.investigation.clone()),
            ("redfix.granted", self.granted.clone()),
            ("redfix.renewed", self.renewed.clone()),
        ];
        labels.map(|(key, value)| (key.to_owned(), value)).into()
    }

    /// The same lease, renewed at `now` for `ttl_ms`.
    pub fn renewed(&self, now: Timestamp, ttl_ms: u64) -> Self {
        Self { renewed: rfc3339(now), ttl_ms, ..self.clone() }
    }

    /// Whether it was not renewed for its time to live. A lease with an unreadable time never expires.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        let ttl = SignedDuration::from_millis(i64::try_from(self.ttl_ms).unwrap_or(i64::MAX));
        let end = self.renewed.parse::<Timestamp>().ok().and_then(|at| at.checked_add(ttl).ok());
        end.is_some_and(|end| end < now)
    }

    /// Its names: first label, domain and stack.
    pub fn name(&self) -> Candidate {
        let label = self.domain.split('.').next().unwrap_or_default();
        let is_exact = Class(self.class.clone()).is_exact();
        Candidate { label: label.into(), domain: self.domain.clone(), stack: self.stack.clone(), is_exact }
    }

    pub fn leased(&self, case: Option<String>, checked: Vec<String>) -> DomainLeased {
        DomainLeased {
            case,
            recipe: self.recipe.clone(),
            purpose: self.purpose.clone(),
            domain: self.domain.clone(),
            stack: self.stack.clone(),
            lease_id: self.id.clone(),
            class: self.class.clone(),
            ttl_ms: self.ttl_ms,
            holder: self.holder.clone(),
            checked,
        }
    }

    pub fn released(&self, case: Option<String>, reason: &str) -> DomainReleased {
        DomainReleased {
            case,
            recipe: self.recipe.clone(),
            domain: self.domain.clone(),
            stack: self.stack.clone(),
            lease_id: self.id.clone(),
            reason: reason.to_owned(),
        }
    }
}

impl std::fmt::Display for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} (lease {})", self.domain, self.id)
    }
}

impl Stored {
    /// Reads a config object; `None` if it is no lease.
    pub fn parse(config: &Value) -> Option<Self> {
        let labels = &config["Spec"]["Labels"];
        let text = |key: &str| labels[key].as_str().unwrap_or_default().to_owned();
        let lease = Lease {
            id: labels[LABEL].as_str()?.to_owned(),
            recipe: text("redfix.recipe"),
            purpose: text("redfix.purpose"),
            holder: text("redfix.holder"),
            domain: text("redfix.domain"),
            stack: text("redfix.stack"),
            class: text("redfix.class"),
            ttl_ms: text("redfix.ttl-ms").parse().unwrap_or_default(),
            investigation: text("redfix.investigation"),
            granted: text("redfix.granted"),
            renewed: text("redfix.renewed"),
        };
        // Somebody's own config may carry the label. It is no lease and is never released, but its name is taken.
        if config["Spec"]["Name"].as_str() != Some(&lease.config_name()) {
            return None;
        }
        Some(Self {
            config_id: config["ID"].as_str()?.to_owned(),
            version: config["Version"]["Index"].as_u64()?,
            created: config["CreatedAt"].as_str()?.parse().ok()?,
            state: if text("redfix.lease.state") == "released" { State::Released } else { State::Held },
            lease,
            spec: config["Spec"].clone(),
        })
    }

    pub fn is_held(&self) -> bool {
        self.state == State::Held
    }

    /// Whether it was granted before `other`; of equal times, the lower config id counts as earlier.
    pub fn is_before(&self, other: &Self) -> bool {
        (self.created, &self.config_id) < (other.created, &other.config_id)
    }

    /// The spec of an update to this lease and state.
    pub fn updated_spec(&self, lease: &Lease, state: State) -> Value {
        let mut spec = self.spec.clone();
        spec["Labels"] = json!(lease.labels(state));
        spec
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn lease(label: &str) -> Lease {
        Lease {
            id: format!("id-{label}"),
            recipe: "gitea".into(),
            purpose: "run".into(),
            holder: "h\"ö\n".into(),
            domain: format!("{label}.b"),
            stack: format!("{label}_b"),
            class: "run".into(),
            ttl_ms: 1000,
            investigation: "i".into(),
            granted: "2026-01-01T00:00:00.000Z".into(),
            renewed: "2026-01-01T00:00:00.000Z".into(),
        }
    }

    pub fn config(lease: &Lease, index: u64) -> Value {
        json!({"ID": format!("c{index}"), "Version": {"Index": index}, "CreatedAt": format!("2026-01-01T00:00:{index:02}.5Z"),
               "Spec": lease.spec()})
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let lease = lease("iso-x");
        let stored = Stored::parse(&config(&lease, 7)).unwrap();
        assert_eq!((stored.version, stored.is_held(), &stored.lease), (7, true, &lease));
        assert_eq!(lease.config_name(), "redfix-lease-iso-x.held");
        let mut released = config(&lease, 8);
        released["Spec"] = stored.updated_spec(&lease, State::Released);
        assert!(!Stored::parse(&released).unwrap().is_held());
        assert_eq!(released["Spec"]["Data"].as_str(), lease.spec().data.as_deref());
    }

    #[test]
    fn what_is_no_lease_is_none() {
        let mut strange = config(&lease("iso-x"), 1);
        strange["Spec"]["Name"] = json!("mine");
        assert_eq!(Stored::parse(&strange), None);
        assert_eq!(Stored::parse(&json!({"Spec": {"Name": "x"}})), None);
        assert_eq!(Stored::parse(&Value::Null), None);
    }

    #[test]
    fn a_lease_expires_after_its_time_to_live() {
        let lease = lease("iso-x");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(!lease.is_expired(at("2026-01-01T00:00:01Z")));
        assert!(lease.is_expired(at("2026-01-01T00:00:01.001Z")));
        assert!(!lease.renewed(at("2026-01-01T00:00:05Z"), 1000).is_expired(at("2026-01-01T00:00:05.5Z")));
        assert!(!Lease { renewed: "?".into(), ..lease.clone() }.is_expired(at("2030-01-01T00:00:00Z")));
        assert!(!Lease { ttl_ms: u64::MAX, ..lease }.is_expired(at("2030-01-01T00:00:00Z")));
    }

    #[test]
    fn a_query_finds_what_meets_a_label() {
        assert_eq!(beginnings("iso-gitea-1a"), ["iso", "iso-gitea", "iso-gitea-1a"]);
        let held = lease("iso-gitea-1a");
        let meets = |label: &str| Query::Meeting(vec!["x".into(), label.into()]).means(&held);
        assert!(meets("iso") && meets("iso-gitea-1a") && meets("iso-gitea-1a-x"));
        assert!(!meets("iso-gite") && !meets("iso-gitea-1ab"));
        assert!(
            Query::Label("iso-gitea-1a".into()).means(&held)
                && !Query::Label("iso-gitea".into()).means(&held)
        );
        assert!(Query::Holder(held.holder.clone()).means(&held) && !Query::Holder("x".into()).means(&held));
    }

    #[test]
    fn the_earlier_grant_stands() {
        let stored = |index| Stored::parse(&config(&lease("iso-x"), index)).unwrap();
        assert!(stored(1).is_before(&stored(2)) && !stored(2).is_before(&stored(1)));
    }
}
