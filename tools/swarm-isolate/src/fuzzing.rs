//! Entry points for the fuzz targets; the tests below call the same ones with arbitrary bytes, so that CI does too.

use serde_json::Value;

use crate::slot;

/// Reads `bytes` as a list of config objects, then again as a `--window`.
pub fn slot(bytes: &[u8]) {
    if let Ok(configs) = serde_json::from_slice::<Value>(bytes) {
        slot::look_at(&configs);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        slot::look_at_window(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Arbitrary JSON made of keys and values that the parser looks for, so that it gets past the first checks.
    fn json() -> impl Strategy<Value = Value> {
        let word = prop::sample::select(vec!["redfix-slot-0", "redfix.slot", "0", "held", "exclusive", "s"]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            word.prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 48, 6, |inner| {
            let key = prop::sample::select(vec![
                "ID",
                "Spec",
                "Name",
                "Labels",
                "Version",
                "Index",
                "redfix.slot",
                "redfix.slot.state",
                "redfix.slot.total",
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
                slot(&bytes);
            }
        }
    }

    #[test]
    fn the_seeds_are_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds");
        let read = |path: &str| std::fs::read(format!("{folder}/{path}")).unwrap();
        let configs = serde_json::from_slice(&read("swarm_isolate_slot/held.json")).unwrap();
        assert_eq!(slot::look_at(&configs), 1);
        assert!(slot::look_at_window(std::str::from_utf8(&read("swarm_isolate_slot/window")).unwrap()));
    }
}
