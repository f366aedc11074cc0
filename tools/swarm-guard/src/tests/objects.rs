//! Tests of the rules for services, networks, volumes, configs, secrets and images.

use serde_json::{Value, json};

use super::{RUN, decide, refused, sent};
use crate::decision::{Answer, Outgoing};

const NAME: &str = "iso-x_ci_example_app";

fn spec(container: &Value) -> Value {
    let mut spec = json!({"Name": NAME, "TaskTemplate": {"ContainerSpec": {"Image": "image"}}});
    for (key, value) in container.as_object().unwrap() {
        spec["TaskTemplate"]["ContainerSpec"][key] = value.clone();
    }
    spec
}

#[test]
fn a_service_and_its_tasks_are_stamped_and_refer_by_full_id() {
    let mut given = spec(&json!({
        "Secrets": [{"SecretID": "own-s", "SecretName": "x", "File": {"Name": "s", "UID": "0", "GID": "0", "Mode": 292}}],
        "Configs": [{"ConfigID": "own-c", "ConfigName": "x", "File": {"Name": "c", "UID": "0", "GID": "0", "Mode": 292}}],
        "Mounts": [{"Type": "volume", "Source": "iso-x_ci_example_data", "Target": "/d"}]}));
    given["TaskTemplate"]["Networks"] =
        json!([{"Target": "own-net", "Aliases": ["app"]}, {"Target": "proxy"}]);
    given["EndpointSpec"] =
        json!({"Ports": [{"TargetPort": 80, "PublishedPort": 80, "PublishMode": "host"}]});
    given["Mode"] = json!({"Replicated": {"Replicas": 1}});
    let (_, body) = sent("POST", "/v1.41/services/create", &given);
    let task = &body["TaskTemplate"];
    assert_eq!(body["Labels"]["redfix.run"], RUN);
    assert_eq!(task["ContainerSpec"]["Labels"]["redfix.run"], RUN);
    assert_eq!(task["ContainerSpec"]["Mounts"][0]["VolumeOptions"]["Labels"]["redfix.run"], RUN);
    assert_eq!(task["ContainerSpec"]["Secrets"][0]["SecretID"], "own-s-id");
    assert_eq!(task["ContainerSpec"]["Secrets"][0]["SecretName"], "own-s");
    assert_eq!(task["ContainerSpec"]["Configs"][0]["ConfigID"], "own-c-id");
    assert_eq!(task["Networks"][0]["Target"], "own-net-id");
    assert_eq!(task["Networks"][1]["Target"], "proxy-id");
}

#[test]
fn services_that_reach_others_are_refused() {
    for (container, rule) in [
        (json!({"CapabilityAdd": ["CAP_SYS_ADMIN"]}), "capabilities"),
        (json!({"Privileges": {"Seccomp": {"Mode": "unconfined"}}}), "security profile"),
        (json!({"Privileges": {"CredentialSpec": {"Config": "x"}}}), "security profile"),
        (json!({"Secrets": [{"SecretID": "live-s", "SecretName": "x"}]}), "of others"),
        (json!({"Configs": [{"ConfigID": "live-c", "ConfigName": "x"}]}), "of others"),
        (
            json!({"Mounts": [{"Type": "bind", "Source": "/var/run/docker.sock", "Target": "/s"}]}),
            "host path",
        ),
        (json!({"Mounts": [{"Type": "volume", "Source": "live-vol", "Target": "/s"}]}), "of others"),
        (json!({"Mounts": [{"Type": "volume", "Source": "nobodys", "Target": "/s"}]}), "namespace"),
        (json!({"Labels": {"traefik.http.routers.x.rule": "Host(`live`)"}}), "route"),
        (json!({"labels": {"a": "b"}}), "odd case"),
    ] {
        refused("POST", "/services/create", &spec(&container), rule);
        refused("POST", "/services/own-s/update?version=1", &spec(&container), rule);
    }
    for (key, value, rule) in [
        ("Name", json!("live_app"), "namespace"),
        ("Labels", json!({"traefik.http.routers.live.rule": "Host(`iso-x.ci.example`)"}), "route"),
        ("Labels", json!({"com.docker.stack.namespace": "live"}), "namespace"),
        ("Networks", json!([{"Target": "live-net"}]), "of others"),
        (
            "TaskTemplate",
            json!({"ContainerSpec": {"Image": "image"}, "Networks": [{"Target": "live-net"}]}),
            "of others",
        ),
        (
            "TaskTemplate",
            json!({"ContainerSpec": {"Image": "image"}, "Networks": [{"Target": "host"}]}),
            "404",
        ),
        ("TaskTemplate", json!({"ContainerSpec": {"Image": "image"}, "Runtime": "plugin"}), "plugin"),
        ("TaskTemplate", json!({"PluginSpec": {"Name": "x"}}), "plugin"),
        ("TaskTemplate", json!({"NetworkAttachmentSpec": {"ContainerID": "x"}}), "network attachment"),
        ("TaskTemplate", json!({}), "body"),
    ] {
        let mut body = spec(&json!({}));
        body[key] = value;
        refused("POST", "/services/create", &body, rule);
    }
}

#[test]
fn updates_are_for_own_objects_and_keep_their_names() {
    let named = |name: &str| {
        let mut body = spec(&json!({}));
        body["Name"] = name.into();
        body
    };
    let (target, body) =
        sent("POST", "/services/own-s/update?version=7&registryAuthFrom=spec", &named("own-s"));
    assert_eq!(target, "/services/own-s-id/update?version=7&registryAuthFrom=spec");
    assert_eq!(body["Labels"]["redfix.run"], RUN);
    refused("POST", "/services/own-s/update?version=7", &named(NAME), "namespace");
    refused("POST", "/services/live/update?version=7", &named("live"), "of others");
    refused("DELETE", "/services/live", &Value::Null, "of others");
    for kind in ["configs", "secrets"] {
        let (_, body) =
            sent("POST", &format!("/{kind}/own/update?version=1"), &json!({"Name": "own", "Labels": {}}));
        assert_eq!(body["Labels"]["redfix.run"], RUN);
        refused("POST", &format!("/{kind}/live/update?version=1"), &json!({"Name": "live"}), "of others");
        refused("DELETE", &format!("/{kind}/live"), &Value::Null, "of others");
        assert_eq!(sent("DELETE", &format!("/{kind}/own"), &Value::Null).0, format!("/{kind}/own-id"));
    }
}

#[test]
fn secrets_are_stamped_and_their_values_noted() {
    let forward =
        decide("POST", "/secrets/create", &json!({"Name": "iso-x_ci_example_pw_v1", "Data": "cHc="}))
            .unwrap();
    assert_eq!(forward.secret, Some(("iso-x_ci_example_pw_v1".into(), "cHc=".into())));
    refused("POST", "/secrets/create", &json!({"Name": "pw", "Data": "cHc="}), "namespace");
    refused("POST", "/secrets/create", &json!({"Name": NAME, "Driver": {"Name": "x"}}), "secret driver");
    refused(
        "POST",
        "/configs/create",
        &json!({"Name": "redfix-slot-9", "Labels": {"redfix.slot.state": "free"}}),
        "reserved label",
    );
    assert_eq!(
        sent("POST", "/configs/create", &json!({"Name": NAME, "Data": "eA=="})).1["Labels"]["redfix.run"],
        RUN
    );
}

#[test]
fn networks() {
    let (_, body) = sent(
        "POST",
        "/networks/create",
        &json!({"Name": NAME, "Driver": "overlay", "CheckDuplicate": true, "ConfigFrom": {"Network": ""}}),
    );
    assert_eq!(body["Labels"]["redfix.run"], RUN);
    for (body, rule) in [
        (json!({"Name": "proxy"}), "namespace"),
        (json!({"Name": NAME, "Driver": "macvlan", "Options": {"parent": "eth0"}}), "network driver"),
        (json!({"Name": NAME, "Driver": "host"}), "network driver"),
        (json!({"Name": NAME, "Options": {"com.docker.network.bridge.name": "docker0"}}), "driver options"),
        (json!({"Name": NAME, "Ingress": true}), "ingress network"),
        (json!({"Name": NAME, "ConfigFrom": {"Network": "live"}}), "configuration network"),
        (json!({"Name": NAME, "IPAM": {"Driver": "x"}}), "network driver"),
        (json!({"Name": NAME, "ipam": {}}), "odd case"),
    ] {
        refused("POST", "/networks/create", &body, rule);
    }
    for action in ["connect", "disconnect"] {
        let path = |network: &str| format!("/networks/{network}/{action}");
        let (target, body) = sent("POST", &path("proxy"), &json!({"Container": "own-c"}));
        assert_eq!((target, &body["Container"]), (path("proxy-id"), &json!("own-c-id")));
        refused("POST", &path("live"), &json!({"Container": "own-c"}), "of others");
        let linked = json!({"Container": "own-c", "EndpointConfig": {"Links": ["live-c:x"]}});
        assert!(decide("POST", &path("proxy"), &linked).is_err());
        refused("POST", &path("proxy"), &json!({"Container": "live-c"}), "of others");
    }
    refused("DELETE", "/networks/proxy", &Value::Null, "of others");
}

#[test]
fn volumes() {
    assert_eq!(sent("POST", "/volumes/create", &json!({"Name": NAME})).1["Labels"]["redfix.run"], RUN);
    assert_eq!(sent("POST", "/volumes/create", &json!({})).1["Labels"]["redfix.run"], RUN);
    refused("POST", "/volumes/create", &json!({"Name": "nobodys"}), "namespace");
    refused("POST", "/volumes/create", &json!({"Name": "live-vol"}), "of others");
    refused("POST", "/volumes/create", &json!({"Name": NAME, "Driver": "x"}), "volume driver");
    let bind = json!({"type": "none", "o": "bind", "device": "/"});
    refused("POST", "/volumes/create", &json!({"Name": NAME, "DriverOpts": bind}), "volume options");
    refused("DELETE", "/volumes/live-vol?force=1", &Value::Null, "of others");
    sent("DELETE", "/volumes/own-vol", &Value::Null);
}

#[test]
fn images() {
    sent("POST", "/images/live:1/tag?repo=iso-x_ci_example/live&tag=1", &Value::Null);
    refused("POST", "/images/live:1/tag?repo=live&tag=1", &Value::Null, "image");
    refused("POST", "/images/own/tag", &Value::Null, "image");
    refused("DELETE", "/images/live:1", &Value::Null, "image");
    refused("DELETE", "/images/own-image-shared", &Value::Null, "image");
    sent("DELETE", "/images/own-image", &Value::Null);
    refused("DELETE", "/images/iso-x_ci_example:gone", &Value::Null, "404");
    assert!(decide("POST", "/images/load", &Value::Null).unwrap().body == Outgoing::Images);
    sent("POST", "/images/create?fromImage=busybox&tag=1", &Value::Null);
    refused("POST", "/images/create?fromSrc=-&repo=live", &Value::Null, "image");
    refused("POST", "/images/create?fromSrc=http://10.0.0.1/x.tar", &Value::Null, "image");
    let (target, _) = sent("POST", "/images/create?fromSrc=-&repo=iso-x_ci_example", &Value::Null);
    assert!(target.ends_with(&format!("changes=LABEL%20redfix.run%3D{RUN}")), "{target}");
    let (target, _) = sent("POST", "/commit?container=own-c&repo=iso-x_ci_example", &json!({"Env": []}));
    assert!(target.contains("container=own-c-id") && target.contains(RUN), "{target}");
    refused("POST", "/commit?container=live-c", &Value::Null, "of others");
}

#[test]
fn builds_are_labelled_and_leave_no_container() {
    let labels = r#"{"a":"b"}"#.replace('"', "%22");
    let (target, _) = sent(
        "POST",
        &format!("/build?t=iso-x_ci_example_web&rm=0&labels={labels}&networkmode=own-net"),
        &Value::Null,
    );
    for part in ["rm=1", "forcerm=1", "networkmode=own-net-id", &format!("%22redfix.run%22%3A%22{RUN}%22")] {
        assert!(target.contains(part), "{part} in {target}");
    }
    assert!(!target.contains("rm=0"), "{target}");
    for (query, rule) in [
        ("t=live", "image"),
        ("t=iso-x_ci_example&t=live", "image"),
        ("networkmode=host", "host namespace"),
        ("networkmode=container:own-c", "host namespace"),
        ("networkmode=live-net", "of others"),
        ("securityopt=[%22seccomp=unconfined%22]", "security option"),
        ("cgroupparent=/x", "cgroup parent"),
        ("outputs=[{%22Type%22:%22image%22}]", "image"),
        ("outputs=[{%22Type%22:%22moby%22,%22Attrs%22:{%22name%22:%22live%22}}]", "image"),
        ("labels={%22redfix.run%22:%22x%22}", "reserved label"),
        ("labels={%22a%22:%221%22,%22a%22:%222%22}", "query"),
        ("labels=[]", "query"),
        ("remote=http://127.0.0.1:8080/api", "image"),
        ("remote=http://localhost/Dockerfile", "image"),
    ] {
        refused("POST", &format!("/build?{query}"), &Value::Null, rule);
    }
}

#[test]
fn the_swarm_is_described_without_its_tokens() {
    assert!(decide("GET", "/swarm", &Value::Null).unwrap().answer == Answer::Scrubbed);
}
