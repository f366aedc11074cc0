//! Tests of what a request could take from others without naming an object of theirs: names, addresses, ports, routes, logs,
//! and what is made of an image.

use serde_json::{Value, json};

use super::{RUN, decide, refused, sent};
use crate::decision::Answer;
use crate::policy::Policy;
use crate::policy::tests::policy;

const NAME: &str = "iso-x_ci_example_app";

/// A service with these aliases on a network of others.
fn on_proxy(aliases: &[&str], hostname: &str) -> Value {
    json!({"Name": NAME, "TaskTemplate": {
        "ContainerSpec": {"Image": "image", "Hostname": hostname}, "Networks": [{"Target": "proxy", "Aliases": aliases}]}})
}

#[test]
fn names_by_which_others_are_asked_for() {
    for aliases in [
        &["app"][..],
        &["iso-x.ci.example"],
        &["WWW.iso-x.ci.example"],
        &["db"],
        &["iso-x_ci_example_app", "tasks.iso-x_ci_example_app"],
    ] {
        sent("POST", "/services/create", &on_proxy(aliases, "{{.Node.Hostname}}-{{.Task.Slot}}"));
    }
    let told = decide("POST", "/services/create", &on_proxy(&["app"], "")).unwrap().notes;
    assert_eq!(told, ["the name 'app' on 'proxy', by which 'live_app' is asked for, too"]);
    for taken in [
        "live_app",
        "LIVE_APP",
        "Live_App.",
        "tasks.live_app",
        "shop",
        "live.ci.example",
        "api.pay.example",
        "li\u{17f}e.example",
        "\u{212a}.example",
    ] {
        refused("POST", "/services/create", &on_proxy(&["app", taken], ""), "name");
        refused("POST", "/services/create", &on_proxy(&[], taken), "name");
        let endpoint = json!({"proxy": {"Aliases": [taken]}});
        let container = json!({"Image": "image", "NetworkingConfig": {"EndpointsConfig": endpoint}});
        refused("POST", "/containers/create", &container, "name");
        let hostname = json!({"Image": "image", "Hostname": taken, "HostConfig": {"NetworkMode": "proxy"}});
        refused("POST", "/containers/create", &hostname, "name");
        let connect = json!({"Container": "own-c", "EndpointConfig": {"Aliases": [taken]}});
        refused("POST", "/networks/proxy/connect", &connect, "name");
        let own = json!({"Container": "own-c", "EndpointConfig": {"Aliases": [taken]}});
        sent("POST", "/networks/own-net/connect", &own);
    }
    refused("POST", "/services/create", &on_proxy(&[], "{{index .Service.Labels \"x\"}}"), "name");
    // A stack calls a service `live_app` by itself where its own is called so.
    let mut long = on_proxy(&["live_app"], "");
    long["Name"] = "iso-x_ci_example_live_app".into();
    refused("POST", "/services/create", &long, "name");
    let domain = json!({"Image": "image", "Hostname": "live", "Domainname": "ci.example", "HostConfig": {"NetworkMode": "proxy"}});
    refused("POST", "/containers/create", &domain, "name");
    // docker-compose calls a container by its service.
    let compose = json!({"Image": "image", "Labels": {"com.docker.compose.project": "iso-x_ci_example",
        "com.docker.compose.service": "app"}, "HostConfig": {"NetworkMode": "proxy"},
        "NetworkingConfig": {"EndpointsConfig": {"proxy": {"Aliases": ["app", "0123456789ab"], "IPAMConfig": {}}}}});
    sent("POST", "/containers/create", &compose);
}

#[test]
fn addresses_on_networks_of_others_are_the_engines_to_give() {
    for endpoint in [
        json!({"IPAMConfig": {"IPv4Address": "10.9.0.7"}}),
        json!({"IPAMConfig": {"LinkLocalIPs": ["169.254.1.1"]}}),
        json!({"MacAddress": "02:42:0a:09:00:07"}),
        json!({"IPAddress": "10.9.0.7"}),
    ] {
        let create = |network: &str| json!({"Image": "image", "NetworkingConfig": {"EndpointsConfig": {network: endpoint}}});
        refused("POST", "/containers/create", &create("proxy"), "address");
        refused("POST", "/containers/create", &create("bridge"), "address");
        sent("POST", "/containers/create", &create("own-net"));
        let connect = json!({"Container": "own-c", "EndpointConfig": endpoint});
        refused("POST", "/networks/proxy/connect", &connect, "address");
    }
    let mac =
        json!({"Image": "image", "MacAddress": "02:42:0a:09:00:07", "HostConfig": {"NetworkMode": "proxy"}});
    refused("POST", "/containers/create", &mac, "address");
}

#[test]
fn the_network_that_is_joined_is_the_one_that_is_named() {
    let connect = |id: &str| json!({"Container": "own-c", "EndpointConfig": {"NetworkID": id}});
    refused("POST", "/networks/own-net/connect", &connect("live-net"), "of others");
    refused("POST", "/networks/own-net/connect", &connect("own-other"), "network");
    refused("POST", "/networks/own-net/connect", &connect("proxy"), "network");
    let (_, body) = sent("POST", "/networks/own-net/connect", &connect("own-net"));
    assert_eq!(body["EndpointConfig"]["NetworkID"], "own-net-id");
    // The engine's own bridge can be named only by the key, and the network that the id names counts.
    let aliases = json!({"bridge": {"NetworkID": "proxy", "Aliases": ["live_app"]}});
    let create = json!({"Image": "image", "NetworkingConfig": {"EndpointsConfig": aliases}});
    refused("POST", "/containers/create", &create, "name");
    let endpoint = json!({"own-net": {"NetworkID": "proxy"}});
    let create = json!({"Image": "image", "NetworkingConfig": {"EndpointsConfig": endpoint}});
    refused("POST", "/containers/create", &create, "network");
}

#[test]
fn ranges_of_new_networks_take_no_route() {
    let create = |subnet: &str| json!({"Name": NAME, "IPAM": {"Config": [{"Subnet": subnet}]}});
    for fine in ["10.10.0.0/24", "192.168.77.0/24", "fd00:1::/64", ""] {
        sent("POST", "/networks/create", &create(fine));
    }
    for taken in [
        "10.9.1.0/24",
        "10.0.0.0/8",
        "198.18.111.0/25",
        "1.1.1.0/24",
        "0.0.0.0/1",
        "169.254.0.0/16",
        "x",
        "2001:db8::/64",
        "10.10.0.0/+24",
        "10.010.0.0/24",
    ] {
        refused("POST", "/networks/create", &create(taken), "range");
    }
}

#[test]
fn ports_of_others_are_not_waited_for() {
    let service = |port: Value| json!({"Name": NAME, "TaskTemplate": {"ContainerSpec": {"Image": "image"}}, "EndpointSpec": {"Ports": [port]}});
    let container = |port: &str, target: &str| json!({"Image": "image", "HostConfig": {"PortBindings": {target: [{"HostPort": port}]}}});
    let (taken, mode) = (
        json!({"TargetPort": 80, "PublishedPort": 8080}),
        json!({"PublishedPort": 8080, "PublishMode": "host"}),
    );
    for port in [taken, mode] {
        refused("POST", "/services/create", &service(port.clone()), "port");
        let mut update = service(port);
        update["Name"] = "own-s".into();
        refused("POST", "/services/own-s/update?version=1", &update, "port");
    }
    sent("POST", "/services/create", &service(json!({"TargetPort": 8080})));
    sent("POST", "/services/create", &service(json!({"PublishedPort": 8080, "Protocol": "udp"})));
    for port in ["8080", "08080", "8000-8100"] {
        refused("POST", "/containers/create", &container(port, "80/tcp"), "port");
        refused("POST", "/containers/create", &container(port, "80"), "port");
        sent("POST", "/containers/create", &container(port, "80/udp"));
    }
    sent("POST", "/containers/create", &container("", "8080/tcp"));
}

#[test]
fn logs_reach_no_file_or_socket_of_the_host() {
    let ways = |driver: &str, options: Value| {
        let container =
            json!({"Image": "image", "HostConfig": {"LogConfig": {"Type": driver, "Config": options}}});
        let service = json!({"Name": NAME, "TaskTemplate": {"ContainerSpec": {"Image": "image"},
            "LogDriver": {"Name": driver, "Options": options}}});
        [("/containers/create", container), ("/services/create", service)]
    };
    for (driver, options) in [
        ("json-file", json!({"max-size": "10m", "max-file": "3", "tag": "{{.Name}}/{{.ID}}"})),
        ("", json!({"max-size": "10m"})),
        ("none", json!({})),
        ("local", json!(null)),
        ("journald", json!({"labels": "a,b"})),
        ("gelf", json!({"gelf-address": "udp://logs.example:12201", "tag": "a/b"})),
    ] {
        for (path, body) in ways(driver, options) {
            sent("POST", path, &body);
        }
    }
    for (driver, options) in [
        ("syslog", json!({"syslog-address": "unixgram:///run/x"})),
        ("fluentd", json!({"fluentd-address": "unix:///run/x"})),
        ("gelf", json!({"gelf-address": "unix:///run/x"})),
        ("gelf", json!({"gelf-tls-ca-cert": "/etc/shadow"})),
        ("awslogs", json!({})),
        ("", json!({"syslog-tls-ca-cert": "/etc/shadow"})),
        ("json-file", json!({"syslog-address": "tcp://x"})),
        ("rclone/logs", json!({})),
    ] {
        for (path, body) in ways(driver, options) {
            refused("POST", path, &body, "log driver");
        }
    }
}

#[test]
fn tasks_mount_folders_of_this_node_only_on_this_node() {
    let service = |constraints: Value| {
        let mounts = json!([{"Type": "bind", "Source": "/scratch/a", "Target": "/a"}]);
        json!({"Name": NAME, "TaskTemplate": {"ContainerSpec": {"Image": "image", "Mounts": mounts},
            "Placement": {"Constraints": constraints}}})
    };
    let (_, body) = sent("POST", "/services/create", &service(json!(["node.id == here"])));
    assert_eq!(body["TaskTemplate"]["ContainerSpec"]["Mounts"][0]["Source"], "/run/swarm-guard/x/a");
    for other in
        [json!(null), json!(["node.id==there"]), json!(["node.id!=here"]), json!(["node.role==manager"])]
    {
        refused("POST", "/services/create", &service(other), "host path");
    }
}

#[test]
fn what_comes_with_an_image_routes_nothing() {
    let service = |image: &str, labels: Value| json!({"Name": NAME, "TaskTemplate": {"ContainerSpec": {"Image": image, "Labels": labels}}});
    refused("POST", "/services/create", &service("image-with-routes", json!({})), "route");
    let (_, body) = sent("POST", "/containers/create", &json!({"Image": "image-by-compose"}));
    let blanked =
        json!({"com.docker.compose.project": "", "com.docker.compose.service": "", "redfix.run": RUN});
    assert_eq!(body["Labels"], blanked, "Traefik would name it after its author's");
    let (_, body) = sent("POST", "/services/create", &service("image", json!({"a": "b"})));
    let labels = &body["TaskTemplate"]["ContainerSpec"]["Labels"];
    assert_eq!(labels["traefik.enable"], "false", "for a Traefik that reads containers");
    let (_, body) = sent("POST", "/services/create", &service("image", json!({"traefik.enable": "true"})));
    assert_eq!(body["TaskTemplate"]["ContainerSpec"]["Labels"]["traefik.enable"], "true");
}

#[test]
fn archives_of_images_of_others_stay_theirs() {
    for target in [
        "/images/own-image/get",
        "/images/get?names=own-image",
        "/images/get?names=own-image,own-image-shared",
    ] {
        assert_eq!(decide("GET", target, &Value::Null).unwrap().answer, Answer::Bulk, "{target}");
    }
    for target in [
        "/images/live:1/get",
        "/images/get?names=live:1",
        "/images/get?names=own-image&names=live:1",
        "/images/get?names=own-image,live:1",
    ] {
        refused("GET", target, &Value::Null, "of others");
    }
}

#[test]
fn others_can_be_hidden() {
    let decide =
        |target: &str| super::decide_by(Policy { hide_others: true, ..policy() }, "GET", target, b"");
    for target in ["/containers/json?all=1", "/services", "/events", "/images/json", "/networks"] {
        let sent = decide(target).unwrap().head.target();
        assert!(sent.contains(&format!("redfix.run%3D{RUN}")), "{sent}");
    }
    for kind in [
        "containers/{}/json",
        "containers/{}/top",
        "services/{}",
        "tasks/{}",
        "volumes/{}",
        "configs/{}",
        "secrets/{}",
    ] {
        assert!(decide(&format!("/{}", kind.replace("{}", "own-x"))).is_ok(), "{kind}");
        assert_eq!(
            decide(&format!("/{}", kind.replace("{}", "live-x"))).err().as_deref(),
            Some("of others"),
            "{kind}"
        );
    }
    assert!(decide("/networks/proxy").is_ok() && decide("/containers/backup-c/json").is_ok());
    assert_eq!(decide("/networks/live").err().as_deref(), Some("of others"));
    assert_eq!(decide("/system/df").err().as_deref(), Some("hidden"));
}
