//! Reads Traefik's log for the reason why it has no certificate for a name.

use std::time::Duration;

use lib_common::docker::Engine;
use lib_common::redact::Redactor;
use lib_common::swarm::frame;

use super::cause::Cause;

/// Most bytes of the log that are read.
const MAX: usize = 4 << 20;
const LINES: u32 = 2000;
/// Most lines that become evidence.
const SHOWN: usize = 3;

/// The last lines of a service's log, redacted; none if the engine cannot read the log.
pub async fn tail(engine: &Engine, service: &str, timeout: Duration) -> Vec<String> {
    let mut bytes = Vec::new();
    let read = async {
        let path = format!("/services/{service}/logs?stdout=1&stderr=1&tail={LINES}");
        let Ok(mut stream) = engine.stream(&path).await else { return };
        while let Ok(Some(chunk)) = Engine::chunk(&mut stream).await {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX {
                break;
            }
        }
    };
    // Ignore the timeout, which is reached when one of the log's nodes is away, and use what has come until then.
    let _ = tokio::time::timeout(timeout, read).await;
    let mut redactor = Redactor::new::<&str>(&[]);
    lines(&bytes)
        .iter()
        .map(|line| String::from_utf8_lossy(&redactor.line(line.as_bytes())).into_owned())
        .collect()
}

/// The lines of the engine's answer.
pub fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(&frame::text(bytes)).lines().map(without_colour).collect()
}

/// The line without the escape sequences for colour.
fn without_colour(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

/// What the log says about a certificate for `domain` from `resolver`.
pub fn acme(log: &[String], domain: &str, resolver: &str) -> Option<(Cause, Vec<String>)> {
    let has = |line: &str, words: &[&str]| words.iter().any(|word| line.contains(word));
    let about = |line: &&String| {
        let lower = line.to_lowercase();
        lower.contains(domain)
            || (has_word(&lower, &resolver.to_lowercase()) && has(&lower, &["resolver", "acme", "storage"]))
    };
    let lines: Vec<&String> = log.iter().filter(about).collect();
    let shown = |words: &[&str]| -> Vec<String> {
        let found = lines.iter().filter(|line| has(&line.to_lowercase(), words));
        let found: Vec<String> = found.map(|line| format!("log: {}", line.trim())).collect();
        found[found.len().saturating_sub(SHOWN)..].to_vec()
    };
    let kinds = [
        (Cause::AcmeRateLimited, &["ratelimited", "rate limit", "too many certificates"][..]),
        (Cause::AcmeStorage, &["permissions", "skipped from the resolvers", "permission denied"][..]),
        (
            Cause::AcmeFailed,
            &["unable to obtain", "unable to generate", "acme: error", "cannot get acme client"][..],
        ),
    ];
    kinds.into_iter().map(|(cause, words)| (cause, shown(words))).find(|(_, lines)| !lines.is_empty())
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').any(|one| one == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(text: &str) -> Vec<u8> {
        [&[1, 0, 0, 0][..], &u32::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
    }

    #[test]
    fn frames_become_lines() {
        let bytes = [frame("one\ntw"), frame("o\n")].concat();
        assert_eq!(lines(&bytes), ["one", "two"]);
        assert_eq!(lines(&bytes[..bytes.len() - 1]), ["one", "two"]);
        assert_eq!(lines(&frame("\u{1b}[31mERR\u{1b}[0m no \u{1b}[1mcode")), ["ERR no code"]);
    }

    #[test]
    fn the_log_tells_why() {
        let say = |line: &str| acme(&[line.to_owned()], "a.b", "le").map(|(cause, _)| cause);
        assert_eq!(
            say(
                "Unable to obtain ACME certificate for domains [a.b]: urn:ietf:params:acme:error:rateLimited"
            ),
            Some(Cause::AcmeRateLimited)
        );
        assert_eq!(
            say(
                "The ACME resolve is skipped from the resolvers list error=\"permissions 644 are too open\" resolver=le"
            ),
            Some(Cause::AcmeStorage)
        );
        assert_eq!(
            say("Unable to obtain ACME certificate for domains \"a.b\" acme: error: 500"),
            Some(Cause::AcmeFailed)
        );
        assert_eq!(say("Unable to obtain ACME certificate for domains [x.y]"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = lines(&bytes);
        }
    }
}
