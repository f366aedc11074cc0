//! Which names speak of a secret, and which values are none: one list for keys in logs, environments,
//! labels, configs and command lines.

/// Parts of names whose value is to be hidden.
pub(super) const WORDS: [&str; 21] = [
    "passw",
    "passphrase",
    "passwd",
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
    "htpasswd",
];

/// Last parts of names of files, versions and switches that only speak of a secret.
const HARMLESS: [&str; 10] =
    ["file", "path", "version", "length", "enabled", "name", "ttl", "type", "id", "count"];

/// Values that stand under secret names and are too common to be looked for elsewhere.
const ORDINARY: [&str; 32] = [
    "admin",
    "administrator",
    "changeit",
    "changeme",
    "default",
    "disabled",
    "enabled",
    "example",
    "guest",
    "localhost",
    "mariadb",
    "mongo",
    "mysql",
    "nobody",
    "optional",
    "password",
    "passwd",
    "postgres",
    "postgresql",
    "production",
    "public",
    "redis",
    "required",
    "root",
    "sample",
    "secret",
    "server",
    "string",
    "system",
    "testing",
    "tests",
    "token",
];

/// Whether what stands under this name is to be hidden.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let last = name.rsplit(['_', '-', '.']).next().unwrap_or_default();
    let keyed = last == "key" && name.len() > last.len();
    (keyed || name == "key" || WORDS.iter().any(|word| name.contains(word))) && !HARMLESS.contains(&last)
}

/// Switches, and where a secret is mounted, stand under secret-looking names too.
#[must_use]
pub fn is_harmless(value: &str) -> bool {
    const SWITCHES: [&str; 10] = ["", "true", "false", "yes", "no", "on", "off", "none", "null", "nil"];
    let path = value.starts_with("/run/secrets/");
    path || value == "***" || SWITCHES.iter().any(|switch| value.eq_ignore_ascii_case(switch))
}

/// A weak value that is an ordinary word: to look for it everywhere would hide the log and protect nothing.
#[must_use]
pub fn is_ordinary(value: &str) -> bool {
    value.parse::<u32>().is_ok() || ORDINARY.iter().any(|word| value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["POSTGRES_PASSWORD", "jwt-token", "APP_KEY", "SECRET_KEY_BASE", "x.htpasswd"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["KEYBOARD", "DB_PASSWORD_FILE", "SECRET_X_VERSION", "HOST", "MONKEY", "token_type"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn values() {
        assert!(is_harmless("True") && is_harmless("/run/secrets/x") && !is_harmless("hunter2"));
        assert!(is_ordinary("Postgres") && is_ordinary("12345") && !is_ordinary("hunter2hunter"));
    }
}
