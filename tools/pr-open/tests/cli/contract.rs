//! Holds every exchange against the whole published API descriptions (Swagger 2.0) of each version, which lie in
//! `../shared/data` and are not ours to keep. Where they are absent, says aloud that nothing was checked.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

use crate::fake::Exchange;

const FILES: [&str; 3] = ["gitea-v1.22.6.json", "gitea-v1.26.3.json", "forgejo-17.json"];

/// The API of one version: its operations, and its definitions as schemas for requests and for answers.
pub struct Api {
    name: String,
    paths: Value,
    responses: Value,
    sent: Value,
    got: Value,
    ready: Mutex<HashMap<(bool, String), &'static Validator>>,
}

/// Checks all exchanges against all versions.
pub fn check(exchanges: &[Exchange]) {
    static APIS: OnceLock<Vec<Api>> = OnceLock::new();
    let apis = APIS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        let read = |name: &str| serde_json::from_slice(&std::fs::read(folder.join(name)).ok()?).ok();
        let found: Vec<Api> = FILES.iter().filter_map(|name| Some(Api::new(name, &read(name)?))).collect();
        if found.len() < FILES.len() {
            // Write to the process's standard error directly: the test runner captures what is printed.
            use std::io::Write;
            let _ = writeln!(
                std::io::stderr(),
                "forge contract NOT checked: {} of {} descriptions in ../shared/data",
                found.len(),
                FILES.len()
            );
        }
        found
    });
    let mut problems = Vec::new();
    // Newer forges have this one; none of these descriptions does.
    for exchange in exchanges.iter().filter(|exchange| exchange.template != "/token") {
        let known: Vec<Value> = apis.iter().map(|api| api.response(exchange)).collect();
        if !apis.is_empty() && !exchange.fault && known.iter().all(Value::is_null) {
            problems.push(format!("no version answers {} with {}", exchange.template, exchange.status));
        }
        for api in apis {
            let found = api.problems(exchange);
            let line = |problem| format!("{}: {} {}: {problem}", api.name, exchange.method, exchange.path);
            problems.extend(found.into_iter().map(line));
        }
    }
    assert!(problems.is_empty(), "not as published:\n{}", problems.join("\n"));
}

impl Api {
    pub fn new(name: &str, api: &Value) -> Self {
        Self {
            name: name.into(),
            paths: api["paths"].clone(),
            responses: api["responses"].clone(),
            sent: schemas(&api["definitions"], false),
            got: schemas(&api["definitions"], true),
            ready: Mutex::default(),
        }
    }

    fn operation(&self, exchange: &Exchange) -> &Value {
        &self.paths[exchange.template][exchange.method.to_lowercase()]
    }

    /// What this version says about an answer with that status; null if nothing.
    fn response(&self, exchange: &Exchange) -> Value {
        let answer = &self.operation(exchange)["responses"][exchange.status.to_string()];
        let name = answer["$ref"].as_str().and_then(|name| name.rsplit('/').next());
        name.map_or_else(|| answer.clone(), |name| self.responses[name].clone())
    }

    pub fn problems(&self, exchange: &Exchange) -> Vec<String> {
        let operation = self.operation(exchange);
        if operation.is_null() {
            return vec!["no such operation".into()];
        }
        let none = vec![];
        let parameters = operation["parameters"].as_array().unwrap_or(&none);
        let mut problems = query_problems(parameters, &exchange.path);
        let body = parameters.iter().find(|parameter| parameter["in"] == "body").map(|body| &body["schema"]);
        match (body, &exchange.body) {
            (Some(schema), Some(sent)) => problems.extend(self.conform(schema, sent, false)),
            (None, None) => {}
            (schema, _) => problems.push(format!("body wanted: {}", schema.is_some())),
        }
        if exchange.fault || exchange.status >= 500 {
            return problems; // a proxy's answers are in no description
        }
        let answer = self.response(exchange);
        if answer.is_null() && exchange.status < 300 {
            problems.push(format!("no such response: {}", exchange.status));
        }
        if !answer["schema"].is_null() {
            problems.extend(self.conform(&answer["schema"], &exchange.reply, true));
        }
        problems
    }

    fn conform(&self, schema: &Value, value: &Value, got: bool) -> Vec<String> {
        let key = (got, schema.to_string());
        let mut ready = self.ready.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let validator = ready.entry(key).or_insert_with(|| {
            let definitions = if got { &self.got } else { &self.sent };
            let whole = json!({ "allOf": [schema], "definitions": definitions });
            let options = jsonschema::options().with_draft(Draft::Draft4).should_validate_formats(true);
            // Leaked on purpose: there are a few dozen, and they are needed until the process ends.
            Box::leak(Box::new(options.build(&whole).unwrap()))
        });
        let side = if got { "response" } else { "request" };
        validator.iter_errors(value).map(|e| format!("{side} at '{}': {e}", e.instance_path())).collect()
    }
}

/// Finds query parameters that are not described, have another type, or are missing.
fn query_problems(parameters: &[Value], path: &str) -> Vec<String> {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let given: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let described = |name: &str| parameters.iter().find(|p| p["in"] == "query" && p["name"] == name);
    let mut problems = Vec::new();
    for (name, value) in &given {
        match described(name) {
            None => problems.push(format!("no query parameter {name}")),
            Some(p) if p["type"] == "integer" && value.parse::<i64>().is_err() => {
                problems.push(format!("{name} is no integer: {value}"));
            }
            Some(p) if p["enum"].as_array().is_some_and(|all| !all.iter().any(|one| one == value)) => {
                problems.push(format!("{name} is none of {}: {value}", p["enum"]));
            }
            Some(_) => {}
        }
    }
    for parameter in parameters.iter().filter(|p| p["in"] == "query" && p["required"] == true) {
        if !given.iter().any(|(name, _)| parameter["name"] == *name) {
            problems.push(format!("{} is missing", parameter["name"]));
        }
    }
    problems
}

/// Swagger's definitions as JSON schemas that allow no further fields. `nullable` is for answers: Go sends null for an
/// absent pointer or list, whatever the description says.
fn schemas(definitions: &Value, nullable: bool) -> Value {
    let mut all = Map::new();
    for (name, definition) in definitions.as_object().unwrap() {
        let mut definition = definition.clone();
        if let Some(fields) = definition.get_mut("properties").and_then(Value::as_object_mut) {
            for field in fields.values_mut().filter(|_| nullable) {
                *field = json!({ "anyOf": [field.clone(), { "type": "null" }] });
            }
            definition["additionalProperties"] = json!(false);
        }
        all.insert(name.clone(), definition);
    }
    Value::Object(all)
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let api = json!({
        "paths": {"/x/{id}": {"post": {
            "parameters": [{"in": "body", "name": "body", "schema": {"$ref": "#/definitions/In"}},
                           {"in": "query", "name": "page", "type": "integer"},
                           {"in": "query", "name": "state", "type": "string", "enum": ["open"], "required": true}],
            "responses": {"201": {"$ref": "#/responses/OutList"}, "403": {"$ref": "#/responses/no"}}}}},
        "responses": {"OutList": {"schema": {"type": "array", "items": {"$ref": "#/definitions/Out"}}},
                      "no": {"schema": {"$ref": "#/definitions/No"}}},
        "definitions": {
            "In": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "enum": ["x"]}}},
            "No": {"type": "object", "properties": {"message": {"type": "string"}}},
            "Out": {"type": "object", "properties": {"n": {"type": "integer"}, "t": {"type": "string", "format": "date-time"}}}}
    });
    let api = Api::new("test", &api);
    let good = Exchange {
        method: "POST".into(),
        template: "/x/{id}",
        path: "/x/1?page=2&state=open".into(),
        body: Some(json!({"a": "x"})),
        status: 201,
        reply: json!([{"n": null, "t": "2026-01-01T00:00:00Z"}]),
        fault: false,
    };
    assert_eq!(api.problems(&good), Vec::<String>::new());
    let wrong = |change: &dyn Fn(&mut Exchange), word: &str| {
        let mut bad = good.clone();
        change(&mut bad);
        let problems = api.problems(&bad);
        assert!(problems.iter().any(|problem| problem.contains(word)), "{word}: {problems:?}");
    };
    wrong(&|e| e.method = "PUT".into(), "no such operation");
    wrong(&|e| e.path = "/x/1?pgae=2&state=open".into(), "no query parameter pgae");
    wrong(&|e| e.path = "/x/1?page=two&state=open".into(), "no integer");
    wrong(&|e| e.path = "/x/1?state=shut".into(), "none of");
    wrong(&|e| e.path = "/x/1".into(), "is missing");
    wrong(&|e| e.body = None, "body wanted");
    wrong(&|e| e.body = Some(json!({})), "required property");
    wrong(&|e| e.body = Some(json!({"a": 1})), "not of type");
    wrong(&|e| e.body = Some(json!({"a": null})), "not of type");
    wrong(&|e| e.body = Some(json!({"a": "y"})), "not one of");
    wrong(&|e| e.body = Some(json!({"a": "x", "b": 1})), "unexpected");
    wrong(&|e| e.status = 200, "no such response");
    wrong(&|e| e.reply = json!([{"t": "now"}]), "/0/t");
    wrong(&|e| e.reply = json!([{"m": 1}]), "unexpected");
    wrong(&|e| e.reply = json!({}), "not of type");
    wrong(
        &|e| {
            e.status = 403;
            e.reply = json!({"message": 7});
        },
        "/message",
    );
}
