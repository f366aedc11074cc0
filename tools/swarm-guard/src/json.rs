//! Parses JSON that every parser reads alike: no key occurs twice, nothing follows the value. Otherwise the engine's
//! parser could take another value than the one that the guard checked. No I/O.

use std::fmt;

use serde::de::{Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Parses a whole body; the error says what is wrong with it.
pub fn parse(body: &[u8]) -> Result<Value, String> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = reader.deserialize_any(Strict).map_err(|e| e.to_string())?;
    reader.end().map_err(|_| "more text follows the JSON value".to_owned())?;
    Ok(value)
}

/// Folds case as Go's `encoding/json` does when it matches keys to fields: the long s (U+017F) equals s, and the
/// Kelvin sign (U+212A) equals k.
pub fn fold(key: &str) -> String {
    key.to_uppercase().to_lowercase()
}

struct Strict;

impl<'de> serde::de::DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Strict)?;
            // Parsers differ in which of two equal keys counts, so the engine might use a value that was not checked.
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} occurs twice")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_counts_once() {
        assert_eq!(parse(b" {\"a\": [1, {\"b\": null}], \"A\": -2.5}\n").unwrap()["A"], -2.5);
        for odd in [
            &b"{\"a\":1,\"a\":2}"[..],
            b"[{\"x\":{\"a\":1,\"\\u0061\":2}}]",
            b"{} {}",
            b"{}x",
            b"",
            b"\xef\xbb\xbf{}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":1,}",
        ] {
            assert!(parse(odd).is_err(), "{}", String::from_utf8_lossy(odd));
        }
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn folding_is_gos() {
        assert_eq!(fold("PRIVILEGED"), fold("privileged"));
        assert_eq!(fold("Ho\u{17f}tConfig"), fold("hostconfig"));
        assert_eq!(fold("Networ\u{212a}Mode"), fold("networkmode"));
    }

    proptest! {
        #[test]
        fn what_passes_is_read_alike_after_the_round_trip(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(value) = parse(&body) {
                prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value);
            }
        }
    }
}
