//! A target of a probe: a domain or a URL. No I/O.

/// A domain with port and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// In lower case, without a final dot.
    pub domain: String,
    pub https: bool,
    pub port: u16,
    pub path: String,
}

impl Target {
    /// Reads `domain`, `domain:port`, or `http[s]://domain[:port][/path]`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("'{text}' is neither a domain nor http[s]://DOMAIN[:PORT][/PATH]");
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let https = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(bad()),
        };
        let slash = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(slash);
        let default = if https { 443 } else { 80 };
        let (domain, port) = match authority.split_once(':') {
            Some((domain, port)) => (domain, port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?),
            None => (authority, default),
        };
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_label = |label: &str| !label.is_empty() && label.chars().all(plain);
        if domain.len() > 253 || !domain.split('.').all(is_label) {
            return Err(bad());
        }
        if !path.chars().all(|c| c.is_ascii_graphic()) {
            return Err(bad());
        }
        Ok(Self { domain, https, port, path: if path.is_empty() { "/".into() } else { path.into() } })
    }

    /// The value of the Host header.
    pub fn authority(&self) -> String {
        let default = if self.https { 443 } else { 80 };
        if self.port == default { self.domain.clone() } else { format!("{}:{}", self.domain, self.port) }
    }
}

/// Parses a list of targets, one per line; `#` begins a comment.
pub fn list(text: &str) -> Result<Vec<Target>, String> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.split('#').next().unwrap_or_default().trim()));
    let named = lines.filter(|(_, line)| !line.is_empty());
    named
        .map(|(number, line)| Target::parse(line).map_err(|cause| format!("line {number}: {cause}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn domains_and_addresses() {
        let read = |text: &str| {
            let target = Target::parse(text).unwrap();
            (target.https, target.port, target.path.clone(), target.authority())
        };
        assert_eq!(read("A.b."), (true, 443, "/".into(), "a.b".into()));
        assert_eq!(read("a.b:8443"), (true, 8443, "/".into(), "a.b:8443".into()));
        assert_eq!(read("http://a.b/x?y"), (false, 80, "/x?y".into(), "a.b".into()));
        for bad in ["", "ftp://a", "a b", "a..b", "https://", "a.b:x", "a.b:0", "ü.b", "http://a/\u{7}"] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_has_comments() {
        let domains: Vec<String> =
            list("# warm\na.b # one\n\n c.d\n").unwrap().into_iter().map(|t| t.domain).collect();
        assert_eq!(domains, ["a.b", "c.d"]);
        assert!(list("a.b\n!\n").unwrap_err().starts_with("line 2: "));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = (Target::parse(&text), list(&text));
        }
    }
}
