//! The labels of a slot: whether it is free, and if not, who holds it, for what, and with which TTL. No I/O.
//!
//! `redfix.slot` is the slot's number, or `exclusive` for the marker of whoever wants several;
//! `redfix.slot.state` is `free` or `held`; slot 0 has the number of slots in `redfix.slot.total`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use lib_common::docker::models::ConfigSpec;
use serde_json::Value;

use crate::teardown::objects::RUN;

pub type Labels = BTreeMap<String, String>;

/// The label by which slots are found; also the prefix of the others.
pub const LABEL: &str = "redfix.slot";
const DATA: &str = "cmVkZml4IHNsb3Q="; // "redfix slot" in base64: the engine refuses a config without data

/// One of the config objects that make up the semaphore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    Slot(u32),
    /// The marker: while somebody holds it, newcomers take no slot.
    Exclusive,
}

impl Place {
    /// The name of the config object.
    pub fn config(self) -> String {
        format!("redfix-slot-{self}")
    }

    fn parse(text: &str) -> Option<Self> {
        let number = || text.parse().ok().filter(|number: &u32| number.to_string() == text);
        if text == "exclusive" { Some(Self::Exclusive) } else { number().map(Self::Slot) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(number) => write!(f, "{number}"),
            Self::Exclusive => f.write_str("exclusive"),
        }
    }
}

/// Who holds a slot and what for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// `pid@host`.
    pub holder: String,
    pub boot_id: String,
    /// The file that the holder has locked, as device and inode; empty if it has none.
    pub lock: String,
    /// Distinguishes this holding from every other.
    pub nonce: String,
    /// The attempt, or another text that says what the slot is for.
    pub attempt: String,
    /// Stacks that may exist because of this holder.
    pub stacks: Vec<String>,
    /// RFC 3339, by the holder's clock. Only for people: nothing is decided by it.
    pub since: String,
    /// The holder counts as dead after this time without a renewal; it renews three times as often.
    pub ttl_ms: u64,
}

impl Holding {
    /// Parses a slot's labels; `None` if the slot is free.
    fn parse(labels: &Value) -> Option<Self> {
        let text = |key: &str| labels[format!("{LABEL}.{key}")].as_str().unwrap_or_default().to_owned();
        let stacks = text("stacks").split(',').filter(|s| !s.is_empty()).map(ToOwned::to_owned).collect();
        (text("state") == "held").then(|| Self {
            holder: text("holder"),
            boot_id: text("boot"),
            lock: text("lock"),
            nonce: text("nonce"),
            attempt: text("attempt"),
            stacks,
            since: text("since"),
            ttl_ms: text("ttl_ms").parse().unwrap_or_default(),
        })
    }

    /// What its successor must tear down: its attempt (`run=<id>`) and its stacks.
    pub fn remains(&self) -> Vec<String> {
        if self.stacks.is_empty() {
            return Vec::new();
        }
        std::iter::once(format!("{RUN}{}", self.attempt)).chain(self.stacks.iter().cloned()).collect()
    }

    /// How long its labels must be unchanged until it counts as dead: as the holder wrote, else `default`.
    pub fn ttl(&self, default: Duration) -> Duration {
        if self.ttl_ms == 0 { default } else { Duration::from_millis(self.ttl_ms) }
    }
}

/// A slot, or the marker, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRead {
    pub place: Place,
    pub config_id: String,
    /// The object's version, which a compare-and-swap has to name.
    pub version: u64,
    /// How many slots the swarm has; only slot 0 says so.
    pub total: Option<u32>,
    /// `None` if it is free.
    pub holding: Option<Holding>,
}

impl SlotRead {
    /// Parses a config object. `None` if it is no slot: a slot's label and its name must agree.
    pub fn parse(config: &Value) -> Option<Self> {
        let spec = &config["Spec"];
        let place = Place::parse(spec["Labels"][LABEL].as_str()?)?;
        if spec["Name"].as_str()? != place.config() {
            return None;
        }
        Some(Self {
            place,
            config_id: config["ID"].as_str()?.to_owned(),
            version: config["Version"]["Index"].as_u64()?,
            total: spec["Labels"][format!("{LABEL}.total")].as_str().and_then(|text| text.parse().ok()),
            holding: Holding::parse(&spec["Labels"]),
        })
    }

    pub fn is_held_by(&self, nonce: &str) -> bool {
        self.holding.as_ref().is_some_and(|held| held.nonce == nonce)
    }
}

/// The labels of a slot; without `holding` those of a free one.
pub fn labels(place: Place, total: Option<u32>, holding: Option<&Holding>) -> Labels {
    let mut labels = Labels::from([(LABEL.to_owned(), place.to_string())]);
    let mut put = |key: &str, value: String| {
        if !value.is_empty() {
            labels.insert(format!("{LABEL}.{key}"), value);
        }
    };
    put("total", total.map(|total| total.to_string()).unwrap_or_default());
    let Some(held) = holding else {
        put("state", "free".into());
        return labels;
    };
    put("state", "held".into());
    put("holder", held.holder.clone());
    put("boot", held.boot_id.clone());
    put("lock", held.lock.clone());
    put("nonce", held.nonce.clone());
    put("attempt", held.attempt.clone());
    put("stacks", held.stacks.join(","));
    put("since", held.since.clone());
    put("ttl_ms", held.ttl_ms.to_string());
    labels
}

/// The whole config object, because an update has to repeat name and data.
pub fn spec(place: Place, labels: &Labels) -> ConfigSpec {
    let labels = labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    ConfigSpec {
        name: Some(place.config()),
        labels: Some(labels),
        data: Some(DATA.to_owned()),
        templating: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn config(place: Place, total: Option<u32>, holding: Option<&Holding>) -> Value {
        let spec = spec(place, &labels(place, total, holding));
        json!({"ID": "i", "Version": {"Index": 7}, "Spec": spec})
    }

    fn word() -> impl Strategy<Value = String> {
        "[a-zA-Z0-9@_.:-]{0,12}"
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            number in 0u32..100, exclusive: bool, total in proptest::option::of(1u32..100), held: bool,
            words in proptest::collection::vec(word(), 6),
            stacks in proptest::collection::vec("[a-z0-9_-]{1,20}", 0..4), ttl_ms: u64,
        ) {
            let place = if exclusive { Place::Exclusive } else { Place::Slot(number) };
            let [holder, boot_id, lock, nonce, attempt, since] = words.try_into().unwrap();
            let holding = Holding { holder, boot_id, lock, nonce, attempt, stacks, since, ttl_ms };
            let holding = held.then_some(holding);
            let seen = SlotRead::parse(&config(place, total, holding.as_ref())).unwrap();
            prop_assert_eq!(seen.holding, holding);
            prop_assert_eq!((seen.place, seen.total, seen.version), (place, total, 7));
        }

        #[test]
        fn strangers_objects_are_no_slots(label: String, name: String) {
            let config = json!({"ID": "i", "Version": {"Index": 1},
                "Spec": {"Name": name, "Labels": {LABEL: label}}});
            prop_assert_eq!(SlotRead::parse(&config), None);
        }
    }

    #[test]
    fn odd_labels_are_read_as_far_as_they_go() {
        let read = |labels: Value| {
            let config = json!({"ID": "i", "Version": {"Index": 1},
                "Spec": {"Name": "redfix-slot-0", "Labels": labels}});
            SlotRead::parse(&config)
        };
        assert_eq!(read(Value::Null), None);
        assert_eq!(read(json!({LABEL: "00"})), None, "a number has one spelling");
        assert_eq!(read(json!({LABEL: "0"})).unwrap().holding, None);
        let held = read(json!({LABEL: "0", "redfix.slot.state": "held", "redfix.slot.ttl_ms": "x"})).unwrap();
        let held = held.holding.unwrap();
        assert_eq!(held.ttl(Duration::from_mins(1)), Duration::from_mins(1), "no promise: the default");
    }
}
