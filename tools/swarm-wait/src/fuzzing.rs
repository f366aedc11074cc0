//! Entry points for the fuzz targets; the tests below call the same ones with arbitrary bytes, so that CI does too.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::history::{History, Limits};
use crate::{facts, judge, look};

/// Reads `bytes` as `{"services": [...], "tasks": [...], "nodes": [...]}`, then again as a log.
pub fn stack(bytes: &[u8]) {
    if let Ok(told) = serde_json::from_slice::<Value>(bytes) {
        look_at(&told);
    }
    let _ = look::lines(bytes);
}

/// Judges the services of the stack `x` twice, ten seconds apart; returns how many there are.
fn look_at(told: &Value) -> usize {
    let (now, second) = (Instant::now(), Duration::from_secs(1));
    let limits = Limits { same_error: 1, stuck_after: second, settle: second, idle: second };
    let mut history = History::new(limits, now);
    let services = facts::parse("x", &told["services"], &told["tasks"], &told["nodes"]);
    let looks = judge::each(services);
    for now in [now, now + second * 10] {
        history.note(&looks, now);
        let _ = (history.missing(&looks, now), history.stuck(&looks, &HashMap::new(), now));
    }
    looks.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use lib_common::swarm::label::STACK;

    /// Arbitrary JSON made of keys and values that the parser looks for, so that it gets past the first checks.
    fn json() -> impl Strategy<Value = Value> {
        let word = prop::sample::select(vec!["running", "failed", "paused", "x", "0", "s"]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            word.prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 48, 6, |inner| {
            let key = prop::sample::select(vec![
                "services",
                "tasks",
                "nodes",
                "ID",
                "Spec",
                "Name",
                "Labels",
                STACK,
                "Mode",
                "Global",
                "Replicated",
                "Replicas",
                "TaskTemplate",
                "ServiceID",
                "Slot",
                "Status",
                "State",
                "Err",
                "DesiredState",
            ]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..6).prop_map(|pairs| Value::Object(
                    pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
                )),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_that_an_engine_says_is_stumbled_over(told in json(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for bytes in [told.to_string().into_bytes(), bytes] {
                stack(&bytes);
            }
        }
    }

    #[test]
    fn the_seeds_are_read() {
        let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/swarm_wait_stack/app.json");
        let told = serde_json::from_slice(&std::fs::read(seed).unwrap()).unwrap();
        assert_eq!(look_at(&told), 1);
    }
}
