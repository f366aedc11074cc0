//! Decides by a name whether its value is a secret, and which values are no secrets. The same lists serve for keys in
//! logs, environments, labels, configs and command lines.

/// A name that contains one of these is the name of a secret.
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

/// A name that ends in one of these is not: it names a file, a version or a switch that has to do with a secret.
const HARMLESS: [&str; 10] =
    ["file", "path", "version", "length", "enabled", "name", "ttl", "type", "id", "count"];

/// Values that are used as weak secrets and are too common to be searched for anywhere else.
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

/// Whether the value under this name is to be hidden.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let last = name.rsplit(['_', '-', '.']).next().unwrap_or_default();
    let keyed = last == "key" && name.len() > last.len();
    (keyed || name == "key" || WORDS.iter().any(|word| name.contains(word))) && !HARMLESS.contains(&last)
}

/// Whether a value under a secret's name is none: a switch, the path at which a secret is mounted, or stars.
#[must_use]
pub fn is_harmless(value: &str) -> bool {
    const SWITCHES: [&str; 10] = ["", "true", "false", "yes", "no", "on", "off", "none", "null", "nil"];
    let path = value.starts_with("/run/secrets/");
    path || value == "***" || SWITCHES.iter().any(|switch| value.eq_ignore_ascii_case(switch))
}

/// Whether a secret's value is an ordinary word or number. To replace it everywhere would make logs unreadable and
/// protect nothing.
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
