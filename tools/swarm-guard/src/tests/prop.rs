//! Property tests: no input makes the guard panic, and nothing dangerous passes, however it is nested.

use proptest::prelude::*;
use serde_json::Value;

use super::{RUN, decide, decide_raw};
use crate::decision::Outgoing;
use crate::shape;

/// Nested JSON with keys that the rules look at, and a few others.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2i64..300).prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "host",
            "container:x",
            "/",
            "live-net",
            "own-net",
            "bind",
            "volume",
            "own-vol"
        ])
        .prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "Image",
        "HostConfig",
        "hostconfig",
        "Privileged",
        "PRIVILEGED",
        "CapAdd",
        "NetworkMode",
        "PidMode",
        "Binds",
        "Mounts",
        "Type",
        "Source",
        "Target",
        "Labels",
        "NetworkingConfig",
        "EndpointsConfig",
        "Devices",
        "x",
    ]);
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|entries| entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Value>()),
        ]
    })
}

/// The calls that make or change something by a JSON body, each with what it needs to be understood at all.
const CALLS: [(&str, &str); 9] = [
    ("/containers/create", r#"{"Image":"image"}"#),
    ("/containers/own-c/update", "{}"),
    (
        "/services/create",
        r#"{"Name":"iso-x_ci_example_s","TaskTemplate":{"ContainerSpec":{"Image":"image"}}}"#,
    ),
    (
        "/services/own-s/update?version=1",
        r#"{"Name":"own-s","TaskTemplate":{"ContainerSpec":{"Image":"image"}}}"#,
    ),
    ("/networks/create", r#"{"Name":"iso-x_ci_example_n"}"#),
    ("/networks/own-net/connect", r#"{"Container":"own-c"}"#),
    ("/networks/proxy/connect", r#"{"Container":"own-c"}"#),
    ("/volumes/create", r#"{"Name":"iso-x_ci_example_v"}"#),
    ("/containers/own-c/exec", r#"{"Cmd":["true"]}"#),
];

/// Where a value can stand in such a body, and of what others would feel it.
const PLACES: &[&str] = &[
    "HostConfig.NetworkMode",
    "HostConfig.PidMode",
    "HostConfig.IpcMode",
    "HostConfig.UTSMode",
    "HostConfig.UsernsMode",
    "HostConfig.CgroupnsMode",
    "HostConfig.CgroupParent",
    "HostConfig.Privileged",
    "HostConfig.CapAdd.0",
    "HostConfig.Binds.0",
    "HostConfig.Mounts.0.Source",
    "HostConfig.Mounts.0.Type",
    "HostConfig.VolumesFrom.0",
    "HostConfig.Links.0",
    "HostConfig.LogConfig.Type",
    "HostConfig.LogConfig.Config.syslog-address",
    "HostConfig.PortBindings.80/tcp.0.HostPort",
    "HostConfig.Devices.0.PathOnHost",
    "HostConfig.SecurityOpt.0",
    "HostConfig.Runtime",
    "HostConfig.VolumeDriver",
    "Hostname",
    "MacAddress",
    "Privileged",
    "Container",
    "NetworkingConfig.EndpointsConfig.proxy.Aliases.0",
    "NetworkingConfig.EndpointsConfig.proxy.NetworkID",
    "NetworkingConfig.EndpointsConfig.bridge.NetworkID",
    "NetworkingConfig.EndpointsConfig.bridge.Aliases.0",
    "NetworkingConfig.EndpointsConfig.own-net.NetworkID",
    "NetworkingConfig.EndpointsConfig.live-net.Aliases.0",
    "NetworkingConfig.EndpointsConfig.proxy.IPAMConfig.IPv4Address",
    "NetworkingConfig.EndpointsConfig.own-net.Links.0",
    "EndpointConfig.NetworkID",
    "EndpointConfig.Aliases.0",
    "EndpointConfig.Links.0",
    "EndpointConfig.MacAddress",
    "TaskTemplate.Networks.0.Target",
    "TaskTemplate.Networks.0.Aliases.0",
    "Networks.0.Target",
    "Networks.0.Aliases.0",
    "TaskTemplate.ContainerSpec.Hostname",
    "TaskTemplate.ContainerSpec.Mounts.0.Source",
    "TaskTemplate.ContainerSpec.Mounts.0.Type",
    "TaskTemplate.ContainerSpec.Secrets.0.SecretID",
    "TaskTemplate.ContainerSpec.Configs.0.ConfigID",
    "TaskTemplate.ContainerSpec.CapabilityAdd.0",
    "TaskTemplate.ContainerSpec.Mounts.0.VolumeOptions.DriverConfig.Options.device",
    "TaskTemplate.LogDriver.Name",
    "TaskTemplate.Runtime",
    "TaskTemplate.NetworkAttachmentSpec.ContainerID",
    "EndpointSpec.Ports.0.PublishedPort",
    "IPAM.Config.0.Subnet",
    "IPAM.Driver",
    "Driver",
    "DriverOpts.device",
    "ConfigFrom.Network",
    "Ingress",
    "Options.com.docker.network.bridge.name",
    "Mounts.0.Source",
    "Devices.0.PathOnHost",
];

/// Values of others, of the host, and of the owner's own. What no body that passes may hold begins with `live`, `/etc` or
/// `host`, or is named in `gets_out`.
const VALUES: &[&str] = &[
    "live-net",
    "live-net-id",
    "live_app",
    "TASKS.LIVE_APP",
    "live-c",
    "live-c:x",
    "live-vol",
    "live-vol:/x",
    "live-s",
    "/etc",
    "/etc:/x",
    "/scratch/link",
    "/scratch/link:/x",
    "host",
    "container:live-c",
    "shop",
    "unix:///run/x",
    "8080",
    "8000-8090",
    "10.9.0.0/24",
    "1.1.1.0/24",
    "10.9.0.7",
    "SYS_ADMIN",
    "fluentd",
    "syslog",
    "bind",
    "volume",
    "api.pay.example",
    "own-net",
    "own-other",
    "proxy",
    "own-c",
    "own-vol",
    "own-vol:/y",
    "/scratch/a",
    "/scratch/a:/x",
    "own-s",
    "app",
    "10.10.0.0/24",
    "",
];

/// Puts a value where `place` says, and makes what has to be around it.
fn put(body: &mut Value, place: &str, value: &Value) {
    // A driver's option is one key.
    let (place, last) = match place.split_once("Options.com.") {
        Some((_, key)) => ("Options", Some(format!("com.{key}"))),
        None => (place, None),
    };
    let mut at = body;
    for part in place.split('.').chain(last.as_deref()) {
        at = if part == "0" {
            if !at.is_array() {
                *at = Value::Array(vec![Value::Null]);
            }
            &mut at[0]
        } else {
            if !at.is_object() {
                *at = Value::Object(serde_json::Map::new());
            }
            &mut at[part]
        };
    }
    *at = value.clone();
}

/// Where the engine takes a text for the name or id of an object.
const REFERENCES: [&str; 11] = [
    "NetworkMode",
    "NetworkID",
    "Networks.Target",
    "Source",
    "Binds",
    "VolumesFrom",
    "Links",
    "SecretID",
    "ConfigID",
    "ContainerID",
    ".Container",
];

/// What others would feel of the body that the engine gets, read without the guard's own code.
fn gets_out(path: &str, sent: &Value) -> Option<String> {
    let mut found = None;
    let joins_others = sent.to_string().contains("proxy");
    walk(sent, "", &mut |at, value| {
        let text = value.as_str().unwrap_or_default().to_lowercase();
        let word = text.split(':').next().unwrap_or_default();
        let on_others = at.contains(".proxy") || at.contains(".bridge") || path.contains("/proxy/");
        // Nobody is asked for by name on the engine's own bridge.
        let is_asked = on_others && (joins_others || !at.contains(".bridge"));
        let is_taken = ["live_app", "tasks.live_app", "shop", "api.pay.example"].contains(&word);
        // A bind without a source is a volume of the container's own.
        let is_source =
            at.ends_with("Source") || at.ends_with("device") || (at.ends_with("Binds") && text.contains(':'));
        let is_path = is_source && text.starts_with('/');
        let is_reference = REFERENCES.iter().any(|end| at.ends_with(end));
        let bad = (is_reference && word.contains("live"))
            || at.contains("live")
            || (is_path && !text.starts_with("/run/swarm-guard/"))
            || (at.ends_with("Mode") && ["host", "container"].contains(&word))
            || (at.ends_with("Privileged") && *value == true)
            || ((at.contains("CapAdd") || at.contains("CapabilityAdd") || at.contains("PathOnHost"))
                && !text.is_empty())
            || (at.contains("Log") && ["fluentd", "syslog", "unix"].contains(&word))
            || (at.ends_with("HostPort") && (text == "8080" || text.contains('-')))
            || (at.ends_with("PublishedPort") && *value == 8080)
            || (at.ends_with("Subnet") && ["10.9.0.0/24", "1.1.1.0/24"].contains(&text.as_str()))
            || (at.ends_with("IPv4Address") && on_others && !text.is_empty())
            || (at.ends_with("EndpointConfig.MacAddress") && on_others && !text.is_empty())
            || (at.ends_with("Aliases") && is_asked && is_taken)
            || (at.ends_with("Hostname") && joins_others && is_taken);
        if bad {
            found = Some(format!("{at}: {value}"));
        }
    });
    let networks = [&sent["Networks"], &sent["TaskTemplate"]["Networks"]]
        .into_iter()
        .filter_map(Value::as_array)
        .flatten();
    for attached in networks.filter(|one| one["Target"] == "proxy-id") {
        let aliases = attached["Aliases"].to_string().to_lowercase();
        if ["live_app", "shop", "api.pay.example"].iter().any(|name| aliases.contains(name)) {
            found = Some(attached.to_string());
        }
    }
    found
}

fn walk(value: &Value, at: &str, visit: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| walk(inner, &format!("{at}.{key}"), visit)),
        Value::Array(list) => list.iter().for_each(|inner| walk(inner, at, visit)),
        leaf => visit(at, leaf),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn no_composition_of_fields_gets_out(
        call in prop::sample::select(CALLS.to_vec()),
        fields in prop::collection::vec((prop::sample::select(PLACES.to_vec()), prop::sample::select(VALUES.to_vec())), 1..4),
    ) {
        let mut body: Value = serde_json::from_str(call.1).unwrap();
        for (place, value) in fields {
            let value = match value {
                "8080" if place.ends_with("PublishedPort") => Value::from(8080),
                "host" if place.contains("Privileged") || place == "Ingress" => Value::from(true),
                text => Value::from(text),
            };
            put(&mut body, place, &value);
        }
        if let Ok(forward) = decide("POST", call.0, &body)
            && let Outgoing::Json(sent) = &forward.body
        {
            let out = gets_out(call.0, sent);
            prop_assert_eq!(out, None, "{} {}: {}", call.0, body, sent);
        }
    }
}

proptest! {
    #[test]
    fn what_passes_is_stamped_and_harmless(mut body in value(), host in value()) {
        if body.is_object() {
            body["Image"] = "image".into();
            body["HostConfig"] = host;
        }
        if let Ok(forward) = decide("POST", "/containers/create", &body) {
            let Outgoing::Json(mut sent) = forward.body else { panic!("a body") };
            prop_assert_eq!(&sent["Labels"]["redfix.run"], RUN);
            // Labels may have any keys, so the check below leaves them out.
            sent["Labels"] = Value::Null;
            let host = &sent["HostConfig"];
            prop_assert!(shape::is_nothing(&host["Privileged"]), "{}", host);
            for key in ["NetworkMode", "PidMode"] {
                let mode = host[key].as_str().unwrap_or_default();
                prop_assert!(mode != "host" && !mode.starts_with("container:") && mode != "live-net", "{}", host);
            }
            let text = sent.to_string();
            prop_assert!(!text.contains("PRIVILEGED") && !text.contains("hostconfig"), "{}", text);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(target in "/[a-z/%.0-9?=&:{}\"]{0,40}", body in prop::collection::vec(any::<u8>(), 0..80)) {
        for method in ["GET", "POST", "DELETE", "PUT"] {
            let _ = decide_raw(method, &target, &body);
        }
        let _ = decide_raw("POST", "/containers/create", &body);
        let _ = decide_raw("POST", "/services/create", &body);
    }
}
