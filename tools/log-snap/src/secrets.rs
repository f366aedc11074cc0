//! Which values of the stack are secret: what stands under a secret-looking name in environment, labels, command lines
//! and configs, and what the redactor finds within these.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lib_common::redact::{is_ordinary, is_secret, is_secret_name, secrets_in};
use serde_json::Value;

use crate::seen::{Seen, text};

/// Configs larger than this are programs or data; they are not searched for `name = value` lines.
const MAX_CONFIG: usize = 64 * 1024;

/// The secrets of a stack.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Secrets {
    pub values: Vec<Vec<u8>>,
    /// Names of the secrets whose value is an ordinary word. Such a value is not searched for in the logs.
    pub weak: Vec<String>,
}

/// Every secret value of the stack that the engine shows, and those that were handed over (name and value).
#[must_use]
pub fn of(seen: &Seen, handed: &[(String, Vec<u8>)]) -> Secrets {
    let mut found = Found::default();
    for service in seen.services.values() {
        for spec in service.specs.iter().chain([&service.previous]) {
            found.map(&spec["Labels"]);
            let container = &spec["TaskTemplate"]["ContainerSpec"];
            found.map(&container["Labels"]);
            container["Env"].as_array().into_iter().flatten().for_each(|pair| found.pair(&text(pair), '='));
            for list in [&container["Command"], &container["Args"], &container["Healthcheck"]["Test"]] {
                found.words(list.as_array().into_iter().flatten().filter_map(Value::as_str));
            }
        }
    }
    for container in seen.containers.values() {
        container.env.iter().for_each(|pair| found.pair(pair, '='));
        found.words(container.argv.iter().map(String::as_str));
    }
    for config in seen.configs.values() {
        found.map(&config["Spec"]["Labels"]);
        found.config(&text(&config["Spec"]["Name"]), &text(&config["Spec"]["Data"]));
    }
    let public = public_names(seen);
    let mut secrets = Secrets::default();
    let shown = found.0.into_iter().map(|(value, name)| (name, value.into_bytes()));
    for (name, value) in shown.chain(handed.iter().cloned()) {
        if is_weak(&value, &public) {
            secrets.weak.push(name);
        } else {
            secrets.values.push(value);
        }
    }
    secrets.weak.sort();
    secrets.weak.dedup();
    secrets
}

/// Names of services, images, configs, secrets and networks: they are public, and must stay readable in the logs.
fn public_names(seen: &Seen) -> Vec<String> {
    let services = seen.services.values();
    let names = services.clone().map(|service| service.name.clone());
    let images = services.map(|service| text(&service.container_spec()["Image"]));
    let tasks = seen.tasks.values().map(|task| task.image.clone());
    let configs = seen.configs.values().chain(seen.secrets.values()).map(|row| text(&row["Spec"]["Name"]));
    let networks = seen.networks.values().map(|row| text(&row["Name"]));
    names.chain(images).chain(tasks).chain(configs).chain(networks).collect()
}

/// Whether a value is an ordinary word: part of a public name (`postgres`), or a password that many stacks use
/// (`secret`). Hiding such a word everywhere would make the logs unreadable. A value with digits or capitals is a
/// secret even if a public name contains it.
fn is_weak(value: &[u8], public: &[String]) -> bool {
    let Ok(value) = std::str::from_utf8(value) else { return false };
    let value = value.trim();
    let plain =
        value.len() <= 20 && value.bytes().all(|byte| byte.is_ascii_lowercase() || b"-_".contains(&byte));
    is_ordinary(value) || (plain && public.iter().any(|name| name.contains(value)))
}

/// Whether `word` is a flag with a secret-looking name whose value is the next word of the command line.
#[must_use]
pub fn is_flag(word: &str) -> bool {
    word.starts_with('-') && word.len() > 3 && !word.contains(['=', ' ']) && is_secret_name(word)
}

/// Secret values, each with the name under which it was found.
#[derive(Default)]
struct Found(BTreeMap<String, String>);

impl Found {
    fn map(&mut self, map: &Value) {
        for (key, value) in map.as_object().into_iter().flatten() {
            self.value(key, &text(value));
        }
    }

    fn pair(&mut self, pair: &str, border: char) {
        if let Some((key, value)) = pair.split_once(border) {
            self.value(key, value);
        }
    }

    fn words<'w>(&mut self, words: impl Iterator<Item = &'w str>) {
        let mut flag = None;
        let words: Vec<&str> = words.collect();
        self.within("command", &words.join(" "));
        for word in words {
            if let Some(flag) = flag.take() {
                self.value(flag, word);
            }
            self.pair(word, '=');
            flag = Some(word).filter(|word| is_flag(word));
        }
    }

    fn value(&mut self, key: &str, value: &str) {
        let value = value.trim().trim_matches(['"', '\'']);
        if is_secret(key, value) {
            self.0.insert(value.to_owned(), key.to_owned());
        }
        self.within(key, value);
    }

    /// What is secret within a text.
    fn within(&mut self, name: &str, text: &str) {
        for secret in secrets_in(text.as_bytes()) {
            if let Ok(secret) = String::from_utf8(secret) {
                self.0.insert(secret, name.to_owned());
            }
        }
    }

    fn config(&mut self, name: &str, data: &str) {
        let Ok(data) = STANDARD.decode(data) else { return };
        let Ok(content) = String::from_utf8(data) else { return };
        if content.len() > MAX_CONFIG {
            return;
        }
        // Configs cannot be changed, so deployments put a version into their names: app_db_password_v1.
        let base = name.rsplit_once("_v").filter(|(_, v)| v.parse::<u32>().is_ok()).map_or(name, |(b, _)| b);
        for line in content.lines() {
            if is_secret(base, line) {
                self.0.insert(line.trim().to_owned(), base.to_owned());
            }
            if line.trim_start().starts_with(['#', ';']) {
                continue;
            }
            self.within(base, line);
            if let Some(at) = line.find(['=', ':']) {
                self.value(line[..at].trim().trim_matches(['"', '\'']), line[at + 1..].trim_end_matches(','));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::Poll;
    use lib_common::swarm::label::STACK;
    use serde_json::json;

    #[test]
    fn values_of_environment_labels_and_configs() {
        let data = STANDARD.encode("# SECRET = comment\n[security]\nSECRET_KEY = k3yk3yk3y\nport = 3000\n");
        let env = json!([
            "DB_PASSWORD=hunter2222",
            "DB_PASSWORD_FILE=/x/y",
            "POSTGRES_PASSWORD=postgis",
            "TOKEN_CHECK=false",
            "URL=postgres://u:pgpass@db/x",
            "HOST=plain"
        ]);
        let poll = Poll {
            services: Some(json!([{"ID": "a", "Spec": {"Name": "s_a",
                "Labels": {STACK: "s", "app.api_key": "labelkey"},
                "TaskTemplate": {"ContainerSpec": {"Env": env, "Image": "x/postgis:1",
                    "Args": ["run", "--db-password", "behind-flag", "--verbose"]}}}}])),
            configs: Some(json!([
                {"ID": "c", "Spec": {"Name": "s_app_ini_v1", "Labels": {STACK: "s"}, "Data": data}},
                {"ID": "d", "Spec": {"Name": "s_db_password_v2", "Labels": {STACK: "s"},
                                     "Data": STANDARD.encode("fromconfig\n")}}
            ])),
            ..Poll::default()
        };
        let mut seen = Seen::new("s");
        seen.poll(&poll, 1);
        let handed = [("s_x".into(), b"from the guard".to_vec()), ("s_y".into(), b"secret".to_vec())];
        let secrets = of(&seen, &handed);
        let values: Vec<&str> = secrets.values.iter().map(|v| std::str::from_utf8(v).unwrap()).collect();
        let flag = "behind-flag";
        assert_eq!(
            values,
            [flag, "fromconfig", "hunter2222", "k3yk3yk3y", "labelkey", "pgpass", "from the guard"]
        );
        // `postgis` is part of the image's name, and `secret` is an ordinary word.
        assert_eq!(secrets.weak, ["POSTGRES_PASSWORD", "s_y"]);
    }
}
