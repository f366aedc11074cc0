//! Finds the Traefik on the swarm, with its entry points, certificate resolvers and networks, from its arguments,
//! environment and mounted configuration. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::swarm::{Service, Swarm};

#[derive(Clone, Debug, Default)]
pub struct Proxy {
    /// The engine's name of the service.
    pub service: String,
    pub id: String,
    pub entry_points: BTreeMap<String, EntryPoint>,
    pub resolvers: BTreeSet<String>,
    pub exposed_by_default: bool,
    /// The network that it uses for services whose labels name none.
    pub network: Option<String>,
    pub refresh_seconds: i64,
    /// Ids of the networks that it is attached to.
    pub networks: BTreeSet<String>,
    pub is_running: bool,
    /// Addresses of the nodes that it runs on.
    pub addresses: Vec<String>,
    pub published: Vec<(u16, u16)>,
    /// Whether it understands only the rules of Traefik 2.
    pub is_v2: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryPoint {
    pub port: u16,
    /// Whether every router on it is a TLS router.
    pub tls: bool,
}

/// Every Traefik on the swarm, running ones first.
pub fn all(swarm: &Swarm) -> Vec<Proxy> {
    let mut found: Vec<Proxy> = swarm.services.iter().filter_map(|service| of(swarm, service)).collect();
    found.sort_by_key(|proxy| !proxy.is_running);
    found
}

fn of(swarm: &Swarm, service: &Service) -> Option<Proxy> {
    let settings = settings(swarm, service);
    let watches =
        |provider: &str| settings.keys().any(|key| key.starts_with(&format!("providers.{provider}")));
    if !watches("swarm") && !watches("docker") {
        return None;
    }
    let is = |key: &str, value: &str| settings.get(key).is_some_and(|is| is.eq_ignore_ascii_case(value));
    let of_provider = |field: &str| {
        let keys = ["swarm", "docker"].map(|provider| format!("providers.{provider}.{field}"));
        keys.iter().find_map(|key| settings.get(key)).cloned()
    };
    let mut entry_points: BTreeMap<String, EntryPoint> = BTreeMap::new();
    let mut resolvers = BTreeSet::new();
    for (key, value) in &settings {
        let parts: Vec<&str> = key.split('.').collect();
        match parts[..] {
            ["entrypoints", name, "address"] => {
                let port = value.rsplit(':').next().and_then(|rest| rest.split('/').next());
                entry_points.entry(name.into()).or_default().port =
                    port.and_then(|port| port.parse().ok()).unwrap_or_default();
            }
            ["entrypoints", name, "http", "tls", ref rest @ ..] => {
                let on = !rest.is_empty() || !value.eq_ignore_ascii_case("false");
                entry_points.entry(name.into()).or_default().tls |= on;
            }
            ["certificatesresolvers", name, ..] => {
                resolvers.insert(name.to_owned());
            }
            _ => {}
        }
    }
    let refresh =
        of_provider("refreshseconds").and_then(|text| text.trim_end_matches('s').parse::<f64>().ok());
    #[allow(clippy::cast_possible_truncation)] // seconds between two looks
    let refresh_seconds = refresh.unwrap_or(15.0).ceil() as i64;
    Some(Proxy {
        service: service.name.clone(),
        id: service.id.clone(),
        entry_points,
        resolvers,
        exposed_by_default: !of_provider("exposedbydefault")
            .is_some_and(|is| is.eq_ignore_ascii_case("false")),
        network: of_provider("network"),
        refresh_seconds,
        networks: service.attached.iter().map(|attached| attached.network.clone()).collect(),
        is_running: service.running().next().is_some(),
        addresses: service.running().filter_map(|task| swarm.nodes.get(&task.node)).cloned().collect(),
        published: service.published.clone(),
        is_v2: is("providers.docker.swarmmode", "true") || is("core.defaultrulesyntax", "v2"),
    })
}

/// All settings, with dotted names in lower case. Traefik itself uses only one source, but here all are merged, since a
/// deployment hardly ever sets one differently in two.
fn settings(swarm: &Swarm, service: &Service) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    // Later sources replace earlier ones: the file, then the environment, then flags.
    for (config, path) in &service.mounts {
        let is_static = ["traefik.yml", "traefik.yaml"].iter().any(|name| path.ends_with(name));
        if let Some(text) = swarm.configs.get(config).filter(|_| is_static) {
            let value: Value = serde_saphyr::from_str(text).unwrap_or_default();
            flatten("", &value, &mut all);
        }
    }
    for line in &service.env {
        if let Some((key, value)) = line.strip_prefix("TRAEFIK_").and_then(|rest| rest.split_once('=')) {
            all.insert(key.to_ascii_lowercase().replace('_', "."), value.to_owned());
        }
    }
    for argument in &service.command {
        // Split into words, since all flags may be in one `sh -c` line.
        for word in argument.split_whitespace() {
            if let Some(flag) = word.strip_prefix("--") {
                let (key, value) = flag.split_once('=').unwrap_or((flag, "true"));
                all.insert(key.to_ascii_lowercase(), value.trim_matches('"').to_owned());
            }
        }
    }
    all
}

fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, inner) in map {
                let dot = if prefix.is_empty() { "" } else { "." };
                flatten(&format!("{prefix}{dot}{}", key.to_ascii_lowercase()), inner, into);
            }
        }
        Value::String(text) => {
            into.insert(prefix.to_owned(), text.clone());
        }
        Value::Object(_) | Value::Null => {
            into.insert(prefix.to_owned(), "true".to_owned());
        }
        other => {
            into.insert(prefix.to_owned(), other.to_string());
        }
    }
}

impl Proxy {
    /// The entry point that a request to this port of a node reaches.
    pub fn entry_point(&self, port: u16) -> Option<&str> {
        let target =
            self.published.iter().find(|(_, published)| *published == port).map(|(target, _)| *target);
        let target = target.unwrap_or(port);
        self.entry_points.iter().find(|(_, entry)| entry.port == target).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::swarm::tests::{net, svc};
    use crate::route::swarm::{self, Lists};
    use serde_json::json;

    fn with(container: &Value) -> Vec<Proxy> {
        let (mut service, task) = svc("traefik", "app", &["proxy"], &json!({}));
        service["Spec"]["TaskTemplate"]["ContainerSpec"] = container.clone();
        service["Spec"]["EndpointSpec"] = json!({"Ports": [{"TargetPort": 443, "PublishedPort": 8443}]});
        let yaml = "entryPoints:\n  web-secure:\n    address: ':443'\n    http: {tls: {}}\nproviders:\n  swarm:\n    exposedByDefault: false\n    network: proxy\ncertificatesResolvers: {production: {acme: {email: x}}}\n";
        let swarm = Swarm::new(&Lists {
            services: json!([service]),
            tasks: json!([task]),
            networks: json!([net("proxy", None)]),
            nodes: json!([{"ID": "n1", "Status": {"Addr": "192.0.2.1"}}]),
            configs: json!([{"ID": "c1", "Spec": {"Data": base64_of(yaml)}}]),
        });
        all(&swarm)
    }

    fn base64_of(text: &str) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(text)
    }

    #[track_caller]
    fn check(proxy: &Proxy) {
        let entry = EntryPoint { port: 443, tls: true };
        assert_eq!(proxy.entry_points.get("web-secure"), Some(&entry), "{proxy:?}");
        assert_eq!(proxy.entry_point(8443), Some("web-secure"));
        assert!(!proxy.exposed_by_default && proxy.is_running && proxy.resolvers.contains("production"));
        assert_eq!(
            (proxy.network.as_deref(), &proxy.addresses[..]),
            (Some("proxy"), &["192.0.2.1".to_owned()][..])
        );
    }

    #[test]
    fn arguments_environment_and_file_say_the_same() {
        check(
            &with(
                &json!({"Args": ["--entrypoints.web-secure.address=:443", "--entryPoints.web-secure.http.tls=true",
            "--providers.swarm.exposedByDefault=false", "--providers.swarm.network=proxy",
            "--certificatesresolvers.production.acme.email=x"]}),
            )[0],
        );
        check(
            &with(&json!({"Configs": [{"ConfigID": "c1", "File": {"Name": "/etc/traefik/traefik.yml"}}]}))[0],
        );
        let env = with(&json!({"Env": ["TRAEFIK_PROVIDERS_SWARM_REFRESHSECONDS=1", "PATH=/"]}));
        assert_eq!((env[0].refresh_seconds, env[0].exposed_by_default), (1, true));
    }

    #[test]
    fn what_is_no_traefik_is_none() {
        assert!(with(&json!({"Args": ["--port=80"]})).is_empty());
        let _ = swarm::Swarm::default();
    }
}
