//! Tests of the rules for containers: every way to the host that a body can ask for.

use lib_common::swarm::label::STACK;
use serde_json::{Value, json};

use super::{RUN, decide_raw, refused, sent};
use crate::decision::{Answer, Outgoing};

const CREATE: &str = "/v1.41/containers/create";

fn with(host: &Value) -> Value {
    json!({"Image": "image", "HostConfig": host})
}

#[test]
fn a_plain_container_is_stamped() {
    let (target, body) = sent(
        "POST",
        "/v1.41/containers/create?name=iso-x_ci_example_x",
        &json!({"Image": "image", "Cmd": ["true"], "Labels": {"a": "b"}, "Privileges": [], "HostConfig": {
            "NetworkMode": "own-net", "Privileged": false, "CapAdd": null, "Devices": [],
            "MaskedPaths": null, "Binds": ["own-vol:/data:ro", "/scratch/a:/a", "/anonymous"],
            "Mounts": [{"Type": "volume", "Source": "iso-x_ci_example_new", "Target": "/m"}],
            "VolumesFrom": ["own-other:ro"]},
            "NetworkingConfig": {"EndpointsConfig": {"own-net": {"Aliases": ["x"]}, "proxy": null}}}),
    );
    assert_eq!(target, "/v1.41/containers/create?name=iso-x_ci_example_x");
    assert_eq!(body["Labels"], json!({"a": "b", "redfix.run": RUN}));
    let host = &body["HostConfig"];
    assert_eq!(host["NetworkMode"], "own-net-id");
    let binds = json!(["own-vol:/data:ro", "/run/swarm-guard/x/a:/a", "/anonymous"]);
    assert_eq!(host["Binds"], binds, "the engine mounts what was looked at, by a path that is the guard's");
    assert_eq!(host["Mounts"][0]["VolumeOptions"]["Labels"]["redfix.run"], RUN);
    assert_eq!(host["VolumesFrom"], json!(["own-other-id:ro"]));
    let endpoints = body["NetworkingConfig"]["EndpointsConfig"].as_object().unwrap();
    assert_eq!(endpoints.keys().collect::<Vec<_>>(), ["own-net-id", "proxy"]);
    assert!(body.get("Privileges").is_none(), "an unknown key that says nothing is left out");
}

#[test]
fn volumes_that_binds_would_make_without_a_label_are_made_first() {
    let body = with(&json!({"Binds": ["iso-x_ci_example_new:/data", "own-vol:/x"]}));
    let forward = super::decide("POST", CREATE, &body).unwrap();
    assert_eq!(forward.make_volumes, ["iso-x_ci_example_new"]);
}

#[test]
fn every_way_to_the_host_is_refused() {
    for (host, rule) in [
        (json!({"Privileged": true}), "privileged"),
        (json!({"Privileged": 1}), "privileged"),
        (json!({"CapAdd": ["SYS_ADMIN"]}), "capabilities"),
        (json!({"Devices": [{"PathOnHost": "/dev/sda"}]}), "devices"),
        (json!({"DeviceRequests": [{"Count": -1}]}), "devices"),
        (json!({"DeviceCgroupRules": ["a *:* rwm"]}), "devices"),
        (json!({"PidMode": "host"}), "host namespace"),
        (json!({"PidMode": "container:own-c"}), "host namespace"),
        (json!({"IpcMode": "host"}), "host namespace"),
        (json!({"IpcMode": "container:own-c"}), "host namespace"),
        (json!({"UTSMode": "host"}), "host namespace"),
        (json!({"UsernsMode": "host"}), "host namespace"),
        (json!({"CgroupnsMode": "host"}), "host namespace"),
        (json!({"NetworkMode": "host"}), "host namespace"),
        (json!({"NetworkMode": "container:own-c"}), "host namespace"),
        (json!({"NetworkMode": "container:live-c"}), "host namespace"),
        (json!({"NetworkMode": "live-net"}), "of others"),
        (json!({"NetworkMode": "nowhere"}), "404"),
        (json!({"Cgroup": "container:x"}), "host namespace"),
        (json!({"CgroupParent": "/"}), "cgroup parent"),
        (json!({"SecurityOpt": ["seccomp=unconfined"]}), "security option"),
        (json!({"SecurityOpt": ["no-new-privileges", "apparmor=unconfined"]}), "security option"),
        (json!({"SecurityOpt": ["systempaths=unconfined"]}), "security option"),
        (json!({"MaskedPaths": []}), "kernel paths"),
        (json!({"ReadonlyPaths": []}), "kernel paths"),
        (json!({"Runtime": "other"}), "runtime"),
        (json!({"Annotations": {"a": "b"}}), "annotations"),
        (json!({"VolumeDriver": "rclone"}), "volume driver"),
        (json!({"Links": ["live-c:x"]}), "of others"),
        (json!({"VolumesFrom": ["live-c"]}), "of others"),
        (json!({"Binds": ["/:/host"]}), "host path"),
        (json!({"Binds": ["/scratch/link:/x"]}), "host path"),
        (json!({"Binds": ["/scratchy:/x"]}), "host path"),
        (json!({"Binds": ["/var/run/docker.sock:/var/run/docker.sock"]}), "host path"),
        (json!({"Binds": ["/scratch/a:/a:shared"]}), "mount"),
        (json!({"Binds": ["/scratch/a:/a:rw:x"]}), "host path"),
        (json!({"Binds": ["live-vol:/x"]}), "of others"),
        (json!({"Binds": ["nobodys:/x"]}), "namespace"),
        (json!({"Binds": [7]}), "body"),
        (json!({"Mounts": [{"Type": "bind", "Source": "/etc", "Target": "/x"}]}), "host path"),
        (
            json!({"Mounts": [{"Type": "bind", "Source": "/scratch/a", "Target": "/x", "BindOptions": {"Propagation": "rshared"}}]}),
            "mount",
        ),
        (json!({"Mounts": [{"Type": "BIND", "Source": "/etc", "Target": "/x"}]}), "mount"),
        (json!({"Mounts": [{"Type": "npipe", "Source": "x", "Target": "/x"}]}), "mount"),
        (json!({"Mounts": [{"Source": "live-vol", "Target": "/x"}]}), "of others"),
        (
            json!({"Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {"DriverConfig": {"Name": "local", "Options": {"type": "none", "device": "/", "o": "bind"}}}}]}),
            "volume options",
        ),
        (
            json!({"Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {"Labels": {"redfix.run": "x"}}}]}),
            "reserved label",
        ),
        (json!({"OomScoreAdj": -1000}), "resources"),
        (json!({"NewFlag": true}), "unknown key"),
        (json!([]), "body"),
    ] {
        refused("POST", CREATE, &with(&host), rule);
    }
}

#[test]
fn names_labels_and_networks_of_others() {
    for (target, body, rule) in [
        ("/containers/create?name=live_app", json!({"Image": "image"}), "namespace"),
        ("/containers/create?name=/live_app", json!({"Image": "image"}), "namespace"),
        (
            "/containers/create",
            json!({"Image": "image", "Labels": {"redfix.run": "other"}}),
            "reserved label",
        ),
        ("/containers/create", json!({"Image": "image", "Labels": {STACK: "live"}}), "namespace"),
        (
            "/containers/create",
            json!({"Image": "image", "Labels": {"traefik.http.routers.live.rule": "Host(`a`)"}}),
            "route",
        ),
        ("/containers/create", json!({"Image": "image-with-routes"}), "route"),
        ("/containers/create", json!({"Image": "image", "Runtime": "x"}), "runtime"),
        (
            "/containers/create",
            json!({"Image": "image", "NetworkingConfig": {"EndpointsConfig": {"live-net": {}}}}),
            "of others",
        ),
        (
            "/containers/create",
            json!({"Image": "image", "NetworkingConfig": {"EndpointsConfig": {"host": {}}}}),
            "404",
        ),
        (
            "/containers/create",
            json!({"Image": "image", "NetworkingConfig": {"EndpointsConfig": {"own-net": {"NetworkID": "live-net"}}}}),
            "of others",
        ),
        (
            "/containers/create",
            json!({"Image": "image", "NetworkingConfig": {"EndpointsConfig": {"own-net": {"Links": ["live-c"]}}}}),
            "of others",
        ),
        ("/containers/create", Value::Null, "body"),
    ] {
        refused("POST", target, &body, rule);
    }
}

#[test]
fn odd_spelling_never_passes() {
    for (body, rule) in [
        (r#"{"Image":"image","hostconfig":{"Privileged":true}}"#, "odd case"),
        (r#"{"Image":"image","HostConfig":{"PRIVILEGED":true}}"#, "odd case"),
        (r#"{"Image":"image","HostConfig":{"privileged":false}}"#, "odd case"),
        (r#"{"Image":"image","Host\u0043onfig":{"Privileged":true}}"#, "privileged"),
        ("{\"Image\":\"image\",\"Ho\u{17f}tConfig\":{\"Privileged\":true}}", "odd case"),
        (r#"{"Image":"image","HostConfig":{},"HostConfig":{"Privileged":true}}"#, "body"),
        (r#"{"Image":"image","HostConfig":{"Privileged":false,"Privileged":true}}"#, "body"),
        (r#"{"Image":"image"} {"HostConfig":{"Privileged":true}}"#, "body"),
        (r#"[{"Image":"image"}]"#, "body"),
        (r#""x""#, "body"),
    ] {
        let decision = decide_raw("POST", CREATE, body.as_bytes());
        assert_eq!(decision.err().as_deref(), Some(rule), "{body}");
    }
}

#[test]
fn acting_on_containers_goes_by_full_id_and_owner() {
    for action in [
        "start",
        "stop?t=1",
        "restart",
        "kill?signal=KILL",
        "pause",
        "unpause",
        "wait",
        "resize?h=1&w=2",
        "attach?stream=1",
    ] {
        let (target, _) = sent("POST", &format!("/v1.41/containers/own-c/{action}"), &Value::Null);
        assert!(target.starts_with("/v1.41/containers/own-c-id/"), "{target}");
        refused("POST", &format!("/containers/live-c/{action}"), &Value::Null, "of others");
        refused("POST", &format!("/containers/nowhere/{action}"), &Value::Null, "404");
    }
    assert_eq!(
        sent("DELETE", "/containers/own-c?force=1&v=1", &Value::Null).0,
        "/containers/own-c-id?force=1&v=1"
    );
    refused("DELETE", "/containers/live-c", &Value::Null, "of others");
    refused("DELETE", "/containers/own-c?link=1", &Value::Null, "query");
    sent("DELETE", "/containers/own-c?v=True&link=False&force=True", &Value::Null);
    sent("POST", "/containers/own-c/rename?name=0a1b2c3d4e5f_iso-x_ci_example_y", &Value::Null);
    sent("POST", "/containers/own-c/rename?name=iso-x_ci_example_y", &Value::Null);
    refused("POST", "/containers/own-c/rename?name=live_app", &Value::Null, "namespace");
    refused("POST", "/containers/own-c/rename", &Value::Null, "namespace");
    sent("POST", "/containers/own-c/update", &json!({"Memory": 1_000_000, "RestartPolicy": {"Name": "no"}}));
    refused("POST", "/containers/own-c/update", &json!({"Devices": [{}]}), "devices");
    refused("POST", "/containers/live-c/update", &json!({"Memory": 1}), "of others");
}

#[test]
fn contents_of_others_stay_theirs() {
    for part in ["logs?stdout=1", "export", "archive?path=/"] {
        sent("GET", &format!("/containers/own-c/{part}"), &Value::Null);
        refused("GET", &format!("/containers/live-c/{part}"), &Value::Null, "of others");
    }
    refused("HEAD", "/containers/live-c/archive?path=/", &Value::Null, "of others");
    refused("PUT", "/containers/live-c/archive?path=/", &Value::Null, "of others");
    let put = super::decide("PUT", "/containers/own-c/archive?path=/", &Value::Null).unwrap();
    assert_eq!(put.body, Outgoing::Archive);
    sent("GET", "/containers/live-c/json", &Value::Null);
    for kind in ["services", "tasks"] {
        sent("GET", &format!("/{kind}/own/logs?stdout=1"), &Value::Null);
        refused("GET", &format!("/{kind}/live/logs?stdout=1"), &Value::Null, "of others");
    }
}

#[test]
fn exec_into_own_and_allowed_containers() {
    let body = json!({"Cmd": ["true"], "Container": "own-c", "User": "", "Privileged": false});
    let (target, sent_body) = sent("POST", "/containers/own-c/exec", &body);
    assert_eq!((target.as_str(), sent_body.get("Container")), ("/containers/own-c-id/exec", None));
    sent("POST", "/containers/backup-c/exec", &body);
    refused("POST", "/containers/live-c/exec", &body, "of others");
    refused("POST", "/containers/own-c/exec", &json!({"Cmd": ["true"], "Privileged": true}), "privileged");
    let start = json!({"Detach": false, "Tty": true});
    for exec in ["own-c-exec", "backup-c-exec"] {
        let forward = super::decide("POST", &format!("/exec/{exec}/start"), &start).unwrap();
        assert_eq!(forward.answer, Answer::Hijack);
    }
    refused("POST", "/exec/live-c-exec/start", &start, "of others");
    refused("POST", "/exec/live-c-exec/resize?h=1&w=1", &Value::Null, "of others");
}
