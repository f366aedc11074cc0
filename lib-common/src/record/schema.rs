//! JSON Schema (2020-12) of the records, generated from their types. Pure.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::{Head, bodies};

/// Where the schema is, relative to the project.
pub const SCHEMA: &str = "schema/redfix-records.schema.json";

/// The schema of one line: the head, and of a known type and version also the body. Fields that it does not name are
/// allowed, as readers allow them.
#[must_use]
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut generator = settings.with_transform(RecursiveTransform(never_null)).into_generator();
    let mut all = vec![reference::<Head>(&mut generator)];
    for (kind, newest, body) in bodies(&mut generator) {
        all.push(json!({
            "if": {"properties": {"type": {"const": kind}, "v": {"maximum": newest}}},
            "then": body,
        }));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "redfix-records",
        "description": "One line of the record stream, see redfix-records(5). What is absent is left out, never null.",
        "allOf": all,
        "$defs": generator.take_definitions(true),
    })
}

/// A reference to the schema of `T`, which the generator keeps among its definitions.
pub(super) fn reference<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// "Absent beats null": an optional field is left out.
fn never_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
        any.retain(|one| *one != json!({"type": "null"}));
        if let [only] = any.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            schema
                .as_object_mut()
                .into_iter()
                .for_each(|whole| whole.extend(only.as_object().cloned().unwrap_or_default()));
        }
    }
}
