//! A request's head in one normal form. The rules decide on this form, and exactly this form is sent to the engine, so
//! no spelling can mean one thing here and another there. No I/O.

use std::fmt;

use lib_common::docker::percent_encode;

use crate::refusal::Refusal;

/// Method, API version, path and query, percent-decoded once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub method: String,
    /// The API version that the client named, such as `v1.41`.
    pub version: Option<String>,
    pub segments: Vec<String>,
    pub query: Vec<(String, String)>,
}

/// Oldest API version that is let through (`v1.24`). Before it, `POST /containers/{}/start` took a host
/// configuration, which would go around the checks of `create`.
const OLDEST_MINOR: u32 = 24;

impl Head {
    /// Parses a request; `target` is its path and query as the client sent them.
    pub fn parse(method: &str, target: &str) -> Result<Self, Refusal> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut segments = Vec::new();
        for raw in path.strip_prefix('/').ok_or_else(|| odd_path(path))?.split('/') {
            let text = decode(raw, false).filter(|text| is_name(text)).ok_or_else(|| odd_path(path))?;
            segments.push(text);
        }
        let version = segments.first().filter(|first| is_version(first)).cloned();
        if let Some(version) = &version {
            segments.remove(0);
            let minor = version.strip_prefix("v1.").and_then(|minor| minor.parse::<u32>().ok());
            if minor.is_none_or(|minor| minor < OLDEST_MINOR) {
                return Err(Refusal::new("version", format!("API version {version}"))
                    .remedy(format!("speak v1.{OLDEST_MINOR} or newer")));
            }
        }
        let mut pairs = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = decode(key, true).zip(decode(value, true)).filter(|_| !pair.contains(';'));
            pairs.push(decoded.ok_or_else(|| {
                Refusal::new("query", "the query holds bytes that are not UTF-8, or a ';'")
            })?);
        }
        Ok(Self { method: method.to_owned(), version, segments, query: pairs })
    }

    /// Whether the request may change something on the engine.
    pub fn changes(&self) -> bool {
        self.method != "GET" && self.method != "HEAD"
    }

    /// The first value of a query key; the engine uses the first one, too.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Replaces every value of a key.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.query.retain(|(name, _)| name != key);
        self.query.push((key.to_owned(), value.into()));
    }

    /// The path without the API version.
    pub fn path(&self) -> String {
        format!("/{}", self.segments.join("/"))
    }

    /// The request target (path and query) that is sent to the engine.
    pub fn target(&self) -> String {
        let mut target = String::new();
        for segment in self.version.iter().chain(&self.segments) {
            target.push('/');
            target.push_str(&encode_segment(segment));
        }
        for (at, (key, value)) in self.query.iter().enumerate() {
            target.push(if at == 0 { '?' } else { '&' });
            target.extend([percent_encode(key).as_str(), "=", percent_encode(value).as_str()]);
        }
        target
    }
}

/// Method and path, as refusals name the request.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path())
    }
}

fn odd_path(path: &str) -> Refusal {
    let shown: String = path.chars().take(80).flat_map(char::escape_default).collect();
    Refusal::new("path", format!("path {shown}"))
        .remedy("spell it plainly: no empty, '.' or '..' part, no encoded '/' or '%'")
}

/// Whether the text holds only characters of names of objects, images and routes.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.:@+-".contains(c);
    !text.is_empty() && text != "." && text != ".." && text.chars().all(plain)
}

fn is_version(text: &str) -> bool {
    let rest = text.strip_prefix('v').unwrap_or_default();
    rest.starts_with(|c: char| c.is_ascii_digit()) && rest.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Percent-encodes a segment. `is_name` admits only characters that need no encoding, apart from these two.
fn encode_segment(text: &str) -> String {
    text.replace('+', "%2B").replace('@', "%40")
}

/// Percent-decoding, once; `None` for a broken escape or what is not UTF-8.
fn decode(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let digits = std::str::from_utf8(&digits).ok().filter(|d| !d.starts_with('+'))?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
            }
            b'+' if plus_is_space => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(text: &str) -> String {
        Head::parse("GET", text).map_or_else(|refusal| refusal.rule.to_owned(), |head| head.target())
    }

    #[test]
    fn one_normal_form() {
        for (given, sent) in [
            ("/v1.41/%63ontainers/json?all=1", "/v1.41/containers/json?all=1"),
            ("/containers/a%2Db/json", "/containers/a-b/json"),
            ("/images/a/b:c/json", "/images/a/b:c/json"),
            ("/x?a=b+c&d=%7B%22e%22%3A1%7D&f", "/x?a=b%20c&d=%7B%22e%22%3A1%7D&f="),
        ] {
            assert_eq!(target(given), sent, "{given}");
        }
    }

    #[test]
    fn odd_paths_are_refused() {
        for odd in [
            "",
            "/",
            "*",
            "//containers/json",
            "/containers//json",
            "/containers/../swarm",
            "/./info",
            "/containers/%2e%2e/swarm",
            "/containers/a%2Fb/json",
            "/containers/%2563/json",
            "/a%",
            "/a%4",
            "/a%+1",
            "/a%ff",
            "/containers/a\u{e9}/json",
            "/containers/a b/json",
            "/containers/json/",
            "/containers/%00/json",
            "/containers/a;b/json",
        ] {
            assert_eq!(target(odd), "path", "{odd}");
        }
        for odd in ["/x?a=%", "/x?a=1;b=2", "/x?%ff=1"] {
            assert_eq!(target(odd), "query", "{odd}");
        }
        for odd in ["/v1.23/info", "/v1/info", "/v2.0/info", "/v1.4.1/info", "/v1.99999999999/info"] {
            assert_eq!(target(odd), "version", "{odd}");
        }
        assert_eq!(target("/v1.41/v1.41/info"), "/v1.41/v1.41/info", "one prefix; the rest finds no route");
    }

    proptest! {
        #[test]
        fn the_normal_form_is_a_fixed_point(text in "/[a-z%2FfEe0-9./:@+-]{0,30}(\\?[a-z=&%20+{\"]{0,20})?") {
            if let Ok(head) = Head::parse("GET", &text) {
                let again = Head::parse("GET", &head.target()).unwrap();
                prop_assert_eq!(&again, &head);
                prop_assert!(head.segments.iter().all(|part| !["", ".", ".."].contains(&part.as_str())));
            }
        }
    }
}
