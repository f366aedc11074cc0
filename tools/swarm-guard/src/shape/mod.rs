//! The shapes that request bodies may have. The tables in this folder are an allow-list: an unknown key passes only
//! with an empty value, and a key that differs from a known one by case alone never passes, since the engine would
//! take it for the known one. No I/O.

pub mod container;
pub mod service;
pub mod small;

use serde_json::{Map, Value};

use crate::json::fold;
use crate::refusal::Refusal;

/// What a JSON value may be.
pub enum Shape {
    /// A scalar or a list of scalars.
    Leaf,
    /// An object with any keys, whose values are scalars or lists of scalars.
    Map,
    /// An object with any keys, whose values have one shape.
    MapOf(&'static Shape),
    List(&'static Shape),
    Object(&'static [Group]),
    /// Only null, false, zero, or empty; else refused by this rule with this remedy.
    Never(&'static str, &'static str),
    /// Only null, since an empty list means "none" instead of "the default"; rule and remedy as above.
    Null(&'static str, &'static str),
}

/// Some keys of an object.
pub enum Group {
    /// Keys whose values are scalars or lists of scalars.
    Leaves(&'static [&'static str]),
    Fields(&'static [(&'static str, Shape)]),
}

impl Group {
    fn shape(&self, key: &str) -> Option<&Shape> {
        match self {
            Self::Leaves(names) => names.contains(&key).then_some(&Shape::Leaf),
            Self::Fields(fields) => fields.iter().find(|(name, _)| *name == key).map(|(_, shape)| shape),
        }
    }

    fn has_folded(&self, key: &str) -> bool {
        let same = |name: &&str| fold(name) == fold(key);
        match self {
            Self::Leaves(names) => names.iter().any(same),
            Self::Fields(fields) => fields.iter().map(|(name, _)| name).any(same),
        }
    }
}

/// Checks `value`, and removes unknown keys with empty values. `path` names the value in a refusal.
pub fn check(shape: &Shape, value: &mut Value, path: &str) -> Result<(), Refusal> {
    let odd = |what: &str| Refusal::new("body", format!("{path} is {what}"));
    if value.is_null() {
        return Ok(());
    }
    match shape {
        Shape::Leaf => is_leaf(value).then_some(()).ok_or_else(|| odd("an object or nested")),
        Shape::Map => {
            let map = value.as_object().ok_or_else(|| odd("no object"))?;
            // An empty object is how a set is written: {"80/tcp": {}}.
            let plain = |v: &Value| is_leaf(v) || v.as_object().is_some_and(Map::is_empty);
            map.values().all(plain).then_some(()).ok_or_else(|| odd("nested"))
        }
        Shape::MapOf(inner) => {
            let map = value.as_object_mut().ok_or_else(|| odd("no object"))?;
            map.iter_mut().try_for_each(|(key, v)| check(inner, v, &format!("{path}[{key:?}]")))
        }
        Shape::List(inner) => {
            let list = value.as_array_mut().ok_or_else(|| odd("no list"))?;
            list.iter_mut().try_for_each(|v| check(inner, v, path))
        }
        Shape::Object(groups) => check_object(groups, value, path),
        Shape::Never(..) if is_nothing(value) => Ok(()),
        Shape::Never(rule, remedy) | Shape::Null(rule, remedy) => {
            Err(Refusal::new(rule, path.to_owned()).remedy(*remedy))
        }
    }
}

fn check_object(groups: &[Group], value: &mut Value, path: &str) -> Result<(), Refusal> {
    let Some(map) = value.as_object_mut() else {
        return Err(Refusal::new("body", format!("{path} is no object")));
    };
    let keys: Vec<String> = map.keys().cloned().collect();
    for key in keys {
        let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match groups.iter().find_map(|group| group.shape(&key)) {
            Some(shape) => check(shape, &mut map[&key], &inner)?,
            None if groups.iter().any(|group| group.has_folded(&key)) => {
                return Err(Refusal::new("odd case", inner).remedy("spell keys as the API does"));
            }
            None if is_nothing(&map[&key]) => drop(map.remove(&key)),
            None => {
                return Err(
                    Refusal::new("unknown key", inner).remedy("the guard passes on only what it understands")
                );
            }
        }
    }
    Ok(())
}

fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().all(|v| !v.is_array() && !v.is_object()),
        Value::Object(_) => false,
        _ => true,
    }
}

/// Null, false, zero, or empty.
pub fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SHAPE: Shape = Shape::Object(&[
        Group::Leaves(&["Name"]),
        Group::Fields(&[
            ("Labels", Shape::Map),
            ("Bad", Shape::Never("bad", "do not")),
            ("Paths", Shape::Null("paths", "leave them")),
            ("List", Shape::List(&Shape::Object(&[Group::Leaves(&["K"])]))),
        ]),
    ]);

    fn rule(mut value: Value) -> String {
        check(&SHAPE, &mut value, "").map_or_else(|refusal| refusal.rule.into(), |()| value.to_string())
    }

    #[test]
    fn only_what_is_known_passes() {
        assert_eq!(rule(json!({"Name": "n", "New": [], "Other": 0})), r#"{"Name":"n"}"#);
        assert_eq!(rule(json!({"Labels": {"a": "b", "80/tcp": {}}, "List": [{"K": 1}]})).len(), 49);
        for (value, expected) in [
            (json!({"name": "n"}), "odd case"),
            (json!({"name": null}), "odd case"),
            (json!({"List": [{"k": 1}]}), "odd case"),
            (json!({"List": [{"\u{212a}": 1}]}), "odd case"),
            (json!({"New": "x"}), "unknown key"),
            (json!({"Name": {"a": 1}}), "body"),
            (json!({"Name": [[1]]}), "body"),
            (json!({"Labels": {"a": {"b": 1}}}), "body"),
            (json!({"Labels": []}), "body"),
            (json!({"List": {}}), "body"),
            (json!([]), "body"),
            (json!({"Bad": true}), "bad"),
            (json!({"Paths": []}), "paths"),
        ] {
            assert_eq!(rule(value.clone()), expected, "{value}");
        }
        assert_eq!(rule(json!({"Bad": false, "Paths": null})), r#"{"Bad":false,"Paths":null}"#);
    }
}
