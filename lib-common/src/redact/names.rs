//! Decides by a name whether its value may be a secret. A name is read as words, in any case and however they are
//! joined: `SMTP_PASS`, `smtp-pass`, `smtpPass` and `smtppass` are the same. Logs, environments, labels, configs and
//! command lines all ask here.

/// What a name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// The value is no secret.
    Open,
    /// The value is a secret if it looks like one: such names are also those of switches, kinds and states.
    Perhaps,
    /// The value is a secret unless it says that there is none.
    Secret,
}

/// What the name of a secret contains, in lower case. Only lines that have one of these are read for names.
pub(super) const STEMS: &[&str] = &[
    "pass",
    "pwd",
    "pw",
    "secret",
    "token",
    "cred",
    "cookie",
    "auth",
    "dsn",
    "salt",
    "nonce",
    "key",
    "psk",
    "jwt",
    "session",
    "csrf",
    "xsrf",
    "otp",
    "pepper",
    "hmac",
    "signature",
    "contrase",
    "kennwort",
    "bearer",
    "macaroon",
    "webhook",
    "license",
    "licence",
    "community",
    "_pat",
];

/// A word that contains one of these names a secret, if it is not one of [`HARMLESS`].
const SECRET_PARTS: &[&str] = &[
    "passw",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "credential",
    "contrasen",
    "kennwort",
    "requirepass",
    "masterauth",
    "apikey",
    "privatekey",
    "privkey",
    "accesskey",
    "authkey",
    "sharedkey",
    "masterkey",
    "signingkey",
    "encryptionkey",
    "accountkey",
    "storagekey",
    "servicekey",
    "licensekey",
    "sessionkey",
    "applicationkey",
    "consumerkey",
    "unsealkey",
    "secretkey",
];

/// A word that ends in one of these names a secret: `dbpass`, `rootpw`.
const SECRET_ENDS: &[&str] = &["pass", "pwd", "pw", "creds", "cred", "psk", "appkey", "adminkey"];

/// A word that ends in one of these may name a secret.
const PERHAPS_ENDS: &[&str] = &[
    "auth", "dsn", "salt", "nonce", "cookie", "cookies", "jwt", "session", "sessionid", "csrf", "xsrf", "otp",
    "pepper", "hmac", "signature", "authorization", "key",
    "bearer", "macaroon", "webhook", "license", "licence", "community",
];

/// Words that only contain the word of a secret.
const HARMLESS: &[&str] = &[
    "tokenizer",
    "tokenizers",
    "tokenize",
    "tokenized",
    "tokenization",
    "tokenizing",
    "detokenize",
    "detokenizer",
    "secretary",
    "secretaries",
    "secretariat",
    "passwordless",
    "compass",
    "bypass",
    "trespass",
    "encompass",
    "surpass",
    "overpass",
    "underpass",
    "lowpass",
    "highpass",
    "bandpass",
    "allpass",
    "multipass",
    "proxypass",
    "singlepass",
    "oauth",
    "noauth",
    "preauth",
    "unauth",
    "reauth",
    "sasauth",
    "basalt",
    "cobalt",
    "asphalt",
    "gestalt",
    "monkey",
    "turkey",
    "donkey",
    "hockey",
    "jockey",
    "whiskey",
    "hotkey",
    "hotkeys",
    "publickey",
    "pubkey",
    "primarykey",
    "foreignkey",
    "cachekey",
    "routingkey",
    "sortkey",
    "partitionkey",
    "objectkey",
    "hostkey",
    "foreignkeys",
    "lookupkey",
    "groupkey",
    "rowkey",
    "indexkey",
    "bucketkey",
    "shardkey",
    "langkey",
    "translationkey",
    "metrickey",
    "configkey",
    "shortcutkey",
    "eventkey",
    "idempotencykey",
    "messagekey",
    "fieldkey",
    "mapkey",
    "tagkey",
    "labelkey",
    "dedupkey",
    "arrowkey",
    "sshpass",
];

/// A name that ends in one of these words speaks about a secret and holds none: a file, a switch, a number.
const ABOUT: &[&str] = &[
    "file",
    "files",
    "path",
    "paths",
    "dir",
    "directory",
    "folder",
    "location",
    "mount",
    "version",
    "length",
    "len",
    "size",
    "bits",
    "bytes",
    "enabled",
    "disabled",
    "enable",
    "disable",
    "name",
    "names",
    "ttl",
    "type",
    "types",
    "kind",
    "id",
    "ids",
    "count",
    "counts",
    "counter",
    "url",
    "urls",
    "uri",
    "uris",
    "endpoint",
    "host",
    "hosts",
    "port",
    "addr",
    "address",
    "domain",
    "domains",
    "realm",
    "user",
    "users",
    "username",
    "email",
    "group",
    "groups",
    "method",
    "methods",
    "mode",
    "policy",
    "policies",
    "expiry",
    "expires",
    "expired",
    "expiration",
    "expire",
    "exp",
    "lifetime",
    "validity",
    "timeout",
    "duration",
    "interval",
    "period",
    "age",
    "days",
    "hours",
    "minutes",
    "seconds",
    "secs",
    "ms",
    "date",
    "time",
    "at",
    "in",
    "by",
    "format",
    "field",
    "fields",
    "column",
    "columns",
    "header",
    "headers",
    "prefix",
    "suffix",
    "secure",
    "httponly",
    "samesite",
    "algorithm",
    "algorithms",
    "alg",
    "algo",
    "provider",
    "providers",
    "backend",
    "backends",
    "strategy",
    "attempts",
    "failures",
    "failed",
    "retries",
    "limit",
    "limits",
    "required",
    "changed",
    "reset",
    "status",
    "state",
    "error",
    "errors",
    "message",
    "usage",
    "used",
    "budget",
    "rounds",
    "iterations",
    "cost",
    "hint",
    "label",
    "pattern",
    "regex",
    "rotation",
    "ref",
    "source",
    "manager",
    "helper",
    "command",
    "stdin",
    "env",
    "scope",
    "scopes",
    "issuer",
    "warning",
    "strength",
    "store",
    "engine",
    "history",
    "rm",
    "add",
    "create",
    "ls",
    "list",
    "ok",
    "valid",
    "verified",
    "exists",
    "present",
    "set",
    "check",
    "checks",
    "consent",
    "scheme",
    "middleware",
    "handler",
    "service",
    "controller",
    "class",
    "index",
    "placeholder",
    "title",
    "text",
    "description",
    "template",
    "encoder",
    "score",
];

/// A name that has one of these words anywhere is that of a number, or of what everybody may know.
const PUBLIC: &[&str] = &[
    "max", "min", "num", "total", "avg", "count", "counts", "public", "pub", "prompt", "completion", "per",
    "rate", "friends", "author", "authority",
];

/// A name that begins with one of these is a switch, unless its value looks like a secret.
const SWITCHING: &[&str] = &[
    "is", "has", "use", "uses", "enable", "disable", "allow", "skip", "show", "hide", "generate", "require",
    "requires", "need", "needs", "no", "with", "without", "ignore",
];

/// In front of `key`: the key is a secret.
const KEYS: &[&str] = &[
    "api",
    "auth",
    "authentication",
    "access",
    "secret",
    "private",
    "priv",
    "signing",
    "sign",
    "encryption",
    "encrypt",
    "crypt",
    "crypto",
    "cipher",
    "aes",
    "master",
    "admin",
    "app",
    "application",
    "account",
    "storage",
    "service",
    "license",
    "licence",
    "deploy",
    "session",
    "cookie",
    "jwt",
    "hmac",
    "shared",
    "preshared",
    "role",
    "consumer",
    "nonce",
    "unseal",
    "recovery",
    "vapid",
    "root",
    "write",
    "subscription",
    "db",
    "database",
    "pass",
    "in",
];

/// In front of `key`: the key finds something and opens nothing.
const FINDERS: &[&str] = &[
    "cache",
    "routing",
    "route",
    "primary",
    "foreign",
    "partition",
    "sort",
    "object",
    "index",
    "shard",
    "group",
    "unique",
    "duplicate",
    "lookup",
    "map",
    "dict",
    "row",
    "field",
    "column",
    "bucket",
    "event",
    "message",
    "label",
    "metric",
    "config",
    "configuration",
    "setting",
    "settings",
    "template",
    "hot",
    "short",
    "arrow",
    "idempotency",
    "dedup",
    "locale",
    "lang",
    "translation",
    "lock",
    "range",
    "hash",
    "composite",
    "candidate",
    "search",
    "tag",
    "queue",
    "topic",
    "record",
    "item",
    "entry",
    "header",
    "param",
    "query",
    "property",
    "attribute",
    "json",
    "yaml",
    "meta",
    "context",
    "feature",
    "flag",
    "page",
    "path",
    "file",
    "trace",
    "span",
    "log",
    "sequence",
    "order",
    "filter",
    "join",
    "parent",
    "child",
    "host",
    "known",
    "gpg",
    "pgp",
    "registry",
    "unknown",
    "missing",
    "invalid",
    "no",
    "any",
    "new",
    "old",
    "other",
    "the",
    "this",
    "by",
    "of",
    "for",
    "with",
    "sticky",
];

/// The words of a name, in lower case, without the digits that end them.
pub(super) fn words(name: &str) -> Vec<String> {
    let bytes = name.as_bytes();
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut close = |word: &mut String| {
        let kept = word.trim_end_matches(|c: char| c.is_ascii_digit());
        if !kept.is_empty() {
            words.push(kept.to_owned());
        }
        word.clear();
    };
    for (at, &byte) in bytes.iter().enumerate() {
        if !byte.is_ascii_alphanumeric() {
            close(&mut word);
            continue;
        }
        let before = at.checked_sub(1).map_or(b' ', |at| bytes[at]);
        let behind = bytes.get(at + 1).copied().unwrap_or(b' ');
        let hump = byte.is_ascii_uppercase()
            && (before.is_ascii_lowercase() || before.is_ascii_alphanumeric() && behind.is_ascii_lowercase());
        if hump {
            close(&mut word);
        }
        word.push(byte.to_ascii_lowercase() as char);
    }
    close(&mut word);
    words
}

/// What this name says about its value.
#[must_use]
pub(super) fn judge(name: &str) -> Level {
    judge_words(&words(name))
}

pub(super) fn judge_words(words: &[String]) -> Level {
    let Some(last) = words.last().map(String::as_str) else { return Level::Open };
    let before = |at: usize| at.checked_sub(1).map_or("", |at| words[at].as_str());
    if last == "id" && ["token", "secret"].contains(&before(words.len() - 1)) {
        return Level::Perhaps;
    }
    if ABOUT.contains(&last) || words.iter().any(|word| PUBLIC.contains(&word.as_str())) {
        return Level::Open;
    }
    // `ENCRYPTION_PRIMARY_KEY` is no data base's key.
    let ciphers = words.iter().any(|word| ["encryption", "signing", "private", "cipher"].contains(&word.as_str()));
    let level =
        words.iter().enumerate().map(|(at, word)| judge_word(word, before(at), ciphers, words.len() == 1)).max();
    let level = level.unwrap_or(Level::Open);
    if SWITCHING.contains(&words[0].as_str()) { level.min(Level::Perhaps) } else { level }
}

fn judge_word(word: &str, before: &str, ciphers: bool, alone: bool) -> Level {
    if HARMLESS.contains(&word) {
        return Level::Open;
    }
    match word {
        "key" | "keys" if KEYS.contains(&before) || ciphers => return Level::Secret,
        "key" | "keys" if FINDERS.contains(&before) => return Level::Open,
        "key" | "keys" | "tokens" | "secrets" | "passwords" | "cookies" | "passkey" => return Level::Perhaps,
        // A personal access token.
        "pat" if !before.is_empty() => return Level::Perhaps,
        "pass" if alone => return Level::Perhaps,
        // What stands in front of it is a word of its own: a web server's `proxy_pass` says where to go.
        "pass" if ["proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached", "first", "second"].contains(&before) => {
            return Level::Perhaps;
        }
        _ => {}
    }
    if SECRET_PARTS.iter().any(|part| word.contains(part)) || SECRET_ENDS.iter().any(|end| word.ends_with(end)) {
        Level::Secret
    } else if PERHAPS_ENDS.iter().any(|end| word.ends_with(end)) {
        Level::Perhaps
    } else {
        Level::Open
    }
}

/// Whether the value under this name may be a secret.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    judge(name) > Level::Open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_any_case_and_joint() {
        for name in ["SMTP_PASS", "smtp-pass", "smtpPass", "SmtpPass", "smtp.pass", "SMTPPass2"] {
            assert_eq!(words(name), ["smtp", "pass"], "{name}");
        }
        assert_eq!(words("K256PrivateKEY"), ["k", "private", "key"]);
    }

    #[test]
    fn names() {
        for name in ["POSTGRES_PASSWORD", "jwt-token", "APP_KEY", "SECRET_KEY_BASE", "x.htpasswd", "dbpass", "bindpw"] {
            assert_eq!(judge(name), Level::Secret, "{name}");
        }
        for name in ["BASIC_AUTH", "ROOT_TOKEN_ID", "erlang_cookie", "SENTRY_DSN", "pass", "use_token", "MEILI_KEY"] {
            assert_eq!(judge(name), Level::Perhaps, "{name}");
        }
        for name in [
            "KEYBOARD",
            "DB_PASSWORD_FILE",
            "SECRET_X_VERSION",
            "HOST",
            "MONKEY",
            "token_type",
            "max_tokens",
            "friendsName",
            "compass",
            "pass_count",
            "author",
            "cache_key",
            "cookie_domain",
            "NEXT_PUBLIC_API_KEY",
        ] {
            assert_eq!(judge(name), Level::Open, "{name}");
        }
    }
}
