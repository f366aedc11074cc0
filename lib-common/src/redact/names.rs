//! Decides by a name whether its value may be a secret. A name is read as words, in any case and however they are
//! joined: `SMTP_PASS`, `smtp-pass`, `smtpPass` and `smtppass` are the same. Logs, environments, labels, configs and
//! command lines all ask here.

use super::words::LISTS;

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
    if LISTS.about.contains(last) || words.iter().any(|word| LISTS.public.contains(word)) {
        return Level::Open;
    }
    // `ENCRYPTION_PRIMARY_KEY` is no data base's key.
    let ciphers =
        words.iter().any(|word| ["encryption", "signing", "private", "cipher"].contains(&word.as_str()));
    let level = words
        .iter()
        .enumerate()
        .map(|(at, word)| judge_word(word, before(at), ciphers, words.len() == 1))
        .max();
    let level = level.unwrap_or(Level::Open);
    if LISTS.switching.contains(&words[0]) { level.min(Level::Perhaps) } else { level }
}

fn judge_word(word: &str, before: &str, ciphers: bool, alone: bool) -> Level {
    if LISTS.harmless.contains(word) {
        return Level::Open;
    }
    match word {
        "key" | "keys" if LISTS.keys.contains(before) || ciphers => return Level::Secret,
        "key" | "keys" if LISTS.finders.contains(before) => return Level::Open,
        "key" | "keys" | "tokens" | "secrets" | "passwords" | "cookies" | "passkey" => return Level::Perhaps,
        // A personal access token.
        "pat" if !before.is_empty() => return Level::Perhaps,
        "pass" if alone => return Level::Perhaps,
        // What stands in front of it is a word of its own: a web server's `proxy_pass` says where to go.
        "pass"
            if ["proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached", "first", "second"]
                .contains(&before) =>
        {
            return Level::Perhaps;
        }
        _ => {}
    }
    if LISTS.secret_parts.iter().any(|part| word.contains(part))
        || LISTS.secret_ends.iter().any(|end| word.ends_with(end))
    {
        Level::Secret
    } else if LISTS.perhaps_ends.iter().any(|end| word.ends_with(end)) {
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
        for name in
            ["POSTGRES_PASSWORD", "jwt-token", "APP_KEY", "SECRET_KEY_BASE", "x.htpasswd", "dbpass", "bindpw"]
        {
            assert_eq!(judge(name), Level::Secret, "{name}");
        }
        for name in
            ["BASIC_AUTH", "ROOT_TOKEN_ID", "erlang_cookie", "SENTRY_DSN", "pass", "use_token", "MEILI_KEY"]
        {
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
