//! What is read from answers as engines give them.

use super::*;
use serde_json::json;

#[test]
fn a_task_of_the_template_is_known_as_such() {
    // As Engine 20.10 answered; the task's copy lacks the runtime.
    let template = json!({"ContainerSpec": {"Image": "b", "Args": ["true"], "Isolation": "default"},
        "Resources": {}, "Placement": {"Constraints": ["node.role==manager"]}, "ForceUpdate": 0,
        "Networks": [{"Target": "n", "Aliases": ["a"]}], "Runtime": "container"});
    let mut task = template.clone();
    task.as_object_mut().unwrap().remove("Runtime");
    assert!(is_of(&task, &template));
    task["Placement"] = json!({});
    assert!(is_of(&task, &template), "constraints alone change no task");
    task["Placement"] = json!({"Preferences": [1]});
    assert!(!is_of(&task, &template));
    task["Placement"] = json!({});
    task["ForceUpdate"] = json!(1);
    assert!(!is_of(&task, &template), "a forced update is a new spec");
}

#[test]
fn what_the_engine_says() {
    let services = json!([
        {"ID": "s1", "Spec": {"Name": "x_app", "Labels": {STACK: "x"},
         "Mode": {"Replicated": {"Replicas": 2}}, "TaskTemplate": {"RestartPolicy": {"Condition": "none"},
         "ContainerSpec": {"Healthcheck": {"Test": ["CMD", "true"], "StartPeriod": 1_200_000_000_000_u64}}, "Networks": [{"Target": "n"}]}},
         "UpdateStatus": {"State": "paused", "Message": "m"}},
        {"ID": "s2", "Spec": {"Name": "x_y_app", "Labels": {STACK: "x_y"}}},
        {"ID": "s3"}, 7
    ]);
    let tasks = json!([
        {"ID": "t", "ServiceID": "s1", "Slot": 1, "NodeID": "n1", "DesiredState": "running",
         "Status": {"State": "pending", "Err": "no suitable node"}, "Spec": {},
         "NetworksAttachments": [{"Addresses": ["10.0.0.2/24"]}, {}]},
        {"ID": "u", "ServiceID": "s1", "NodeID": "n2", "Status": {"State": "orphaned"}}, null
    ]);
    let nodes =
        json!([{"ID": "n1", "Status": {"State": "ready"}}, {"ID": "n2", "Status": {"State": "down"}}]);
    let found = parse("x", &services, &tasks, &nodes);
    assert_eq!(found.len(), 1, "a longer name is a stranger");
    let app = &found[0];
    assert_eq!((app.name.as_str(), app.mode), ("app", Mode::Replicated(2)));
    let never = Restart { condition: Condition::None, delay: Duration::from_secs(5) };
    assert_eq!((app.restart, app.leans.as_deref()), (never, Some("it is the stack's app")));
    let all_tries = Duration::from_mins(20) + Duration::from_secs(90);
    assert_eq!((app.checked, app.start_period), (true, all_tries));
    assert_eq!(app.update, Some(("paused".into(), "m".into())));
    assert_eq!(app.tasks[0].addresses, ["10.0.0.2/24"]);
    let marks: Vec<_> = app.tasks.iter().map(|task| (task.slot.as_str(), task.state, task.lost)).collect();
    assert_eq!(marks, [("1", State::Pending, false), ("n2", State::Gone, true)]);
}

#[test]
fn what_rests_on_a_service() {
    let service = |name: &str, more: Value| {
        let mut spec =
            json!({"Name": format!("x_{name}"), "Labels": {STACK: "x", "coop-cloud.x.timeout": "1200"}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"ID": name, "Spec": spec})
    };
    let env = |env: &str| json!({"TaskTemplate": {"ContainerSpec": {"Env": [env]}}});
    let of = |services: Value| parse("x", &services, &Value::Null, &Value::Null);
    let leans = |found: &[Service], name: &str| {
        found.iter().find(|service| service.name == name).unwrap().leans.is_some()
    };
    let found = of(json!([
        service("db", json!({})),
        service("cache", json!({})),
        service("once", json!({})),
        service("web", json!({"EndpointSpec": {"Ports": [{"TargetPort": 80}]}})),
        service(
            "job",
            json!({"TaskTemplate": {"ContainerSpec": {"Labels": {"traefik.http.routers.x.rule": "r"}}}})
        ),
        service("worker", env("DATABASE_URL=postgres://me:pw@db:5432/onceler")),
        service("other", env("REDIS=cache")),
    ]));
    for (name, is_leant_on) in
        [("db", true), ("cache", true), ("once", false), ("web", true), ("job", true), ("worker", false)]
    {
        assert_eq!(leans(&found, name), is_leant_on, "{name}");
    }
    assert_eq!(found[0].timeout, Duration::from_mins(20));
}

#[test]
fn modes() {
    let mode = |mode: Value| {
        let spec = json!({"Name": "x_a", "Labels": {STACK: "x"}, "Mode": mode});
        parse("x", &json!([{"ID": "i", "Spec": spec}]), &Value::Null, &Value::Null)[0].mode
    };
    assert_eq!(mode(json!({"Replicated": {"Replicas": 0}})), Mode::Replicated(0));
    assert_eq!(mode(json!({"Replicated": {}})), Mode::Replicated(1));
    assert_eq!(mode(json!({"Global": {}})), Mode::Global);
    assert_eq!(mode(json!({"GlobalJob": {}})), Mode::GlobalJob);
    assert_eq!(mode(json!({"ReplicatedJob": {"TotalCompletions": 4}})), Mode::ReplicatedJob(4));
}
