//! Which values of the stack are secret: what stands under a secret-looking name in environment, labels and
//! configs, and passwords in URLs.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::seen::{Seen, text};

/// Larger configs are programs and data, not values.
const MAX_CONFIG: usize = 64 * 1024;

/// Every secret value that the engine shows of the stack.
#[must_use]
pub fn of(seen: &Seen) -> Vec<Vec<u8>> {
    let mut found = Found::default();
    for service in seen.services.values() {
        for spec in service.specs.iter().chain([&service.previous]) {
            found.map(&spec["Labels"]);
            let container = &spec["TaskTemplate"]["ContainerSpec"];
            found.map(&container["Labels"]);
            container["Env"].as_array().into_iter().flatten().for_each(|pair| found.pair(&text(pair), '='));
        }
    }
    for container in seen.containers.values() {
        container.env.iter().for_each(|pair| found.pair(pair, '='));
    }
    for config in seen.configs.values() {
        found.map(&config["Spec"]["Labels"]);
        found.config(&text(&config["Spec"]["Name"]), &text(&config["Spec"]["Data"]));
    }
    found.0.into_iter().map(String::into_bytes).collect()
}

/// Whether what stands under this name is to be hidden.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    const WORDS: [&str; 19] = [
        "passw",
        "passphrase",
        "secret",
        "token",
        "apikey",
        "api_key",
        "api-key",
        "privatekey",
        "private_key",
        "private-key",
        "credential",
        "cookie",
        "dsn",
        "salt",
        "basicauth",
        "access_key",
        "encryption_key",
        "signing_key",
        "auth_key",
    ];
    // Names of files, versions and switches that only speak of a secret.
    const HARMLESS: [&str; 7] = ["file", "path", "version", "length", "enabled", "name", "ttl"];
    let name = name.to_ascii_lowercase();
    let last = name.rsplit(['_', '-', '.']).next().unwrap_or_default();
    (last == "key" || WORDS.iter().any(|word| name.contains(word))) && !HARMLESS.contains(&last)
}

#[derive(Default)]
struct Found(BTreeSet<String>);

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

    fn value(&mut self, key: &str, value: &str) {
        let value = value.trim().trim_matches(['"', '\'']);
        if is_secret_name(key) && !is_harmless(value) {
            self.0.insert(value.to_owned());
        }
        if let Some(password) = url_password(value) {
            self.0.insert(password.to_owned());
        }
    }

    fn config(&mut self, name: &str, data: &str) {
        let Ok(data) = STANDARD.decode(data) else { return };
        let Ok(content) = String::from_utf8(data) else { return };
        if content.len() > MAX_CONFIG {
            return;
        }
        // Versions end the names of configs: app_db_password_v1.
        let base = name.rsplit_once("_v").filter(|(_, v)| v.parse::<u32>().is_ok()).map_or(name, |(b, _)| b);
        for line in content.lines() {
            if is_secret_name(base) && !is_harmless(line.trim()) {
                self.0.insert(line.trim().to_owned());
            }
            let border = line.find(['=', ':']).filter(|_| !line.trim_start().starts_with(['#', ';']));
            if let Some(at) = border {
                self.value(line[..at].trim().trim_matches(['"', '\'']), line[at + 1..].trim_end_matches(','));
            }
        }
    }
}

/// Switches, and where a secret is mounted, stand under secret-looking names too.
#[must_use]
pub fn is_harmless(value: &str) -> bool {
    const SWITCHES: [&str; 9] = ["", "true", "false", "yes", "no", "on", "off", "none", "null"];
    SWITCHES.iter().any(|switch| value.eq_ignore_ascii_case(switch)) || value.starts_with("/run/secrets/")
}

/// The password of `scheme://user:password@host`.
fn url_password(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password).filter(|password| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::{NAMESPACE, Poll};
    use serde_json::json;

    #[test]
    fn values_of_environment_labels_and_configs() {
        let data = STANDARD.encode("# SECRET = comment\n[security]\nSECRET_KEY = k3yk3yk3y\nport = 3000\n");
        let env = json!([
            "DB_PASSWORD=hunter2222",
            "DB_PASSWORD_FILE=/x/y",
            "TOKEN_CHECK=false",
            "URL=postgres://u:pgpass@db/x",
            "HOST=plain"
        ]);
        let poll = Poll {
            services: Some(json!([{"ID": "a", "Spec": {"Name": "s_a",
                "Labels": {NAMESPACE: "s", "app.api_key": "labelkey"},
                "TaskTemplate": {"ContainerSpec": {"Env": env}}}}])),
            configs: Some(json!([
                {"ID": "c", "Spec": {"Name": "s_app_ini_v1", "Labels": {NAMESPACE: "s"}, "Data": data}},
                {"ID": "d", "Spec": {"Name": "s_db_password_v2", "Labels": {NAMESPACE: "s"},
                                     "Data": STANDARD.encode("fromconfig\n")}}
            ])),
            ..Poll::default()
        };
        let mut seen = Seen::new("s");
        seen.poll(&poll, 1);
        let values: Vec<String> = of(&seen).into_iter().map(|v| String::from_utf8(v).unwrap()).collect();
        assert_eq!(values, ["fromconfig", "hunter2222", "k3yk3yk3y", "labelkey", "pgpass"]);
    }

    #[test]
    fn names() {
        for name in ["POSTGRES_PASSWORD", "jwt-token", "APP_KEY", "SECRET_KEY_BASE"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["KEYBOARD", "DB_PASSWORD_FILE", "SECRET_X_VERSION", "HOST", "MONKEY"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
