//! Holds every exchange against the published API descriptions (Swagger 2.0) of each version in
//! `../shared/data/forge-api-subset.json`. Where that file is absent, says aloud that nothing was checked.

use std::path::Path;

use serde_json::{Map, Value};

use crate::fake::Exchange;

/// Checks all exchanges against all versions; the problems, one line each.
pub fn check(exchanges: &[Exchange]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/forge-api-subset.json");
    let Ok(text) = std::fs::read(&path) else {
        // Straight to the process's standard error: the test runner swallows what is printed.
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "forge contract NOT checked: ../shared/data missing");
        return;
    };
    let versions: Map<String, Value> = serde_json::from_slice(&text).unwrap();
    assert!(versions.len() >= 3, "the descriptions of three versions at least");
    let mut problems = Vec::new();
    for (version, api) in &versions {
        for exchange in exchanges {
            for problem in of_exchange(api, exchange) {
                problems.push(format!("{version}: {} {}: {problem}", exchange.method, exchange.path));
            }
        }
    }
    assert!(problems.is_empty(), "not as published:\n{}", problems.join("\n"));
}

fn of_exchange(api: &Value, exchange: &Exchange) -> Vec<String> {
    let operation = &api["paths"][exchange.template][exchange.method.to_lowercase()];
    if operation.is_null() {
        return vec!["no such operation".into()];
    }
    let mut problems = Vec::new();
    let parameters = operation["parameters"].as_array().unwrap();
    let query = exchange.path.split_once('?').map_or("", |(_, query)| query);
    for name in query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name) {
        if !parameters.iter().any(|parameter| parameter["in"] == "query" && parameter["name"] == name) {
            problems.push(format!("no query parameter {name}"));
        }
    }
    let schema = parameters.iter().find(|parameter| parameter["in"] == "body").map(|body| &body["schema"]);
    match (schema, &exchange.body) {
        (Some(schema), Some(body)) => conform(api, schema, body, "request", &mut problems),
        (None, None) => {}
        (schema, _) => problems.push(format!("body wanted: {}", schema.is_some())),
    }
    let response = &operation["responses"][exchange.status.to_string()];
    if exchange.status >= 500 || exchange.fault {
        return problems; // what a proxy says is in no description
    }
    let Some(name) = response["$ref"].as_str().and_then(|name| name.rsplit('/').next()) else {
        problems.push(format!("no such response: {}", exchange.status));
        return problems;
    };
    if exchange.status < 300 {
        let (name, list) = name.strip_suffix("List").map_or((name, false), |name| (name, true));
        let definition = serde_json::json!({ "$ref": format!("#/definitions/{name}") });
        let schema =
            if list { serde_json::json!({"type": "array", "items": definition}) } else { definition };
        conform(api, &schema, &exchange.reply, "response", &mut problems);
    }
    problems
}

/// `type`, `properties`, `required`, `items`, `enum`, `format`; a field that is not described is a problem.
fn conform(api: &Value, schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let definition = &api["definitions"][name.rsplit('/').next().unwrap()];
        assert!(!definition.is_null(), "{name} is not in the file");
        return conform(api, definition, value, at, problems);
    }
    let fits = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    // Go sends null for an absent pointer or slice, whatever the description says.
    if value.is_null() && at.starts_with("response") && at != "response" {
        return;
    }
    if !fits {
        problems.push(format!("{at}: {value} is not of type {}", schema["type"]));
        return;
    }
    if schema["format"] == "date-time" && !value.as_str().is_some_and(|time| time.contains('T')) {
        problems.push(format!("{at}: {value} is not a time"));
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        problems.push(format!("{at}: {value} is none of {allowed:?}"));
    }
    for item in value.as_array().into_iter().flatten() {
        conform(api, &schema["items"], item, &format!("{at}[]"), problems);
    }
    let Some(fields) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            problems.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, value) in fields {
        match schema["properties"].get(name) {
            Some(schema) => conform(api, schema, value, &format!("{at}.{name}"), problems),
            None => problems.push(format!("{at}: no field {name}")),
        }
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let api = serde_json::json!({
        "paths": {"/x/{id}": {"post": {
            "parameters": [{"in": "body", "name": "body", "schema": {"$ref": "#/definitions/In"}},
                           {"in": "query", "name": "page", "type": "integer"}],
            "responses": {"201": {"$ref": "#/responses/OutList"}}}}},
        "definitions": {
            "In": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "enum": ["x"]}}},
            "Out": {"type": "object", "properties": {"n": {"type": "integer"}, "t": {"type": "string", "format": "date-time"}}}}
    });
    let good = Exchange {
        method: "POST".into(),
        template: "/x/{id}",
        path: "/x/1?page=2".into(),
        body: Some(serde_json::json!({"a": "x"})),
        status: 201,
        reply: serde_json::json!([{"n": 1, "t": "2026-01-01T00:00:00Z"}]),
        fault: false,
    };
    assert_eq!(of_exchange(&api, &good), Vec::<String>::new());
    let wrong = |change: &dyn Fn(&mut Exchange), word: &str| {
        let mut bad = good.clone();
        change(&mut bad);
        let problems = of_exchange(&api, &bad);
        assert!(problems.iter().any(|problem| problem.contains(word)), "{word}: {problems:?}");
    };
    wrong(&|e| e.method = "PUT".into(), "no such operation");
    wrong(&|e| e.path = "/x/1?pgae=2".into(), "no query parameter pgae");
    wrong(&|e| e.body = None, "body wanted");
    wrong(&|e| e.body = Some(serde_json::json!({})), "a is missing");
    wrong(&|e| e.body = Some(serde_json::json!({"a": 1})), "not of type");
    wrong(&|e| e.body = Some(serde_json::json!({"a": "y"})), "none of");
    wrong(&|e| e.body = Some(serde_json::json!({"a": "x", "b": 1})), "no field b");
    wrong(&|e| e.status = 200, "no such response");
    wrong(&|e| e.reply = serde_json::json!([{"t": "now"}]), "not a time");
    wrong(&|e| e.reply = serde_json::json!({}), "not of type");
}
