//! Takes known secrets apart: the fields of a JSON secret, the values of one that is a list of names and values, both
//! sides of `user:password`. Each part may be printed without the rest.

use serde_json::Value;

use super::named::is_secret;
use super::value::{is_harmless, is_ordinary, is_random};
use super::{MIN_SECRET, secrets_in};

/// Larger secrets are programs and data: their lines are looked for, not their parts.
const LARGEST: usize = 64 * 1024;
/// How deep JSON may lie in JSON.
const DEEPEST: usize = 8;

/// The parts of `secret` that are secrets themselves.
pub(super) fn parts(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let Some(text) = std::str::from_utf8(secret).ok().filter(|text| text.len() <= LARGEST) else {
        return found;
    };
    if let Ok(json @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(text) {
        fields("", &json, 0, &mut found);
    } else {
        let named = secrets_in(secret);
        if named.is_empty() {
            found.extend(joined(text));
        }
        found.extend(named);
    }
    found.retain(|part| {
        part.len() >= MIN_SECRET && part != secret && !std::str::from_utf8(part).is_ok_and(is_ordinary)
    });
    found.sort();
    found.dedup();
    found
}

fn fields(name: &str, json: &Value, depth: usize, found: &mut Vec<Vec<u8>>) {
    match json {
        Value::Object(map) if depth < DEEPEST => {
            map.iter().for_each(|(name, value)| fields(name, value, depth + 1, found));
        }
        Value::Array(items) if depth < DEEPEST => {
            for item in items {
                fields(name, item, depth + 1, found);
            }
        }
        Value::String(text) => {
            if is_secret(name, text) || is_random(text) {
                found.push(text.as_bytes().to_vec());
            }
            within(text, depth, found);
        }
        _ => {}
    }
}

/// The parts of a string in JSON, which may be JSON, a URL or a list itself.
fn within(text: &str, depth: usize, found: &mut Vec<Vec<u8>>) {
    match serde_json::from_str::<Value>(text) {
        _ if depth >= DEEPEST => {}
        Ok(json @ (Value::Object(_) | Value::Array(_))) => fields("", &json, depth + 1, found),
        _ => found.extend(secrets_in(text.as_bytes())),
    }
}

/// What is joined by signs in a secret of one line: `user:password`, `key,key`.
fn joined(text: &str) -> Vec<Vec<u8>> {
    let text = text.trim();
    if text.contains('\n') || text.contains("://") {
        return Vec::new();
    }
    let mut found: Vec<Vec<u8>> = text
        .split(|c: char| c.is_ascii_whitespace() || ":,;|".contains(c))
        .filter(|part| part.len() < text.len() && is_random(part))
        .map(|part| part.as_bytes().to_vec())
        .collect();
    if let Some((user, secret)) = text.split_once([':', '/'])
        && !user.is_empty()
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.@-".contains(&byte))
        && !secret.contains(' ')
        && !is_harmless(secret)
        && secret.bytes().any(|byte| !byte.is_ascii_lowercase())
    {
        found.push(secret.as_bytes().to_vec());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_within_a_secret() {
        let part = |secret: &str| -> Vec<String> {
            parts(secret.as_bytes()).into_iter().map(|part| String::from_utf8(part).unwrap()).collect()
        };
        assert_eq!(part(r#"{"username":"svc","password":"inner-Pw \"77","port":5432}"#), ["inner-Pw \"77"]);
        assert_eq!(part(r#"{"a":"{\"db_password\":\"hunter22\"}"}"#), ["hunter22"]);
        assert_eq!(part("user: svc\npassword: hunter22\nlevel: info\n"), ["hunter22"]);
        assert_eq!(part("DB_USER=svc\nDB_PASS=hunter22\n"), ["hunter22"]);
        assert_eq!(part("admin:Rq29dLqPw0x7"), ["Rq29dLqPw0x7"]);
        assert_eq!(part("neo4j/Rq29dLqPw0x7"), ["Rq29dLqPw0x7"]);
        assert_eq!(part("postgres://u:hunter22@db/x"), ["hunter22"]);
        assert_eq!(part("Server=db;Uid=sa;Pwd=Rq29dLqPw0x7;"), ["Rq29dLqPw0x7"]);
        assert!(part("Rq29dLqPw0x7").is_empty() && part("postgres").is_empty());
    }
}
