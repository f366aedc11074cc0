//! Decides whether a router's rule can only match allowed domains. A rule of which this cannot be proved is not
//! confined.

use regex_syntax::hir::{Hir, HirKind, Look};

use super::{Parser, Rule};

/// Whether every request that `rule` can match is for one of `domains` (lower case) or a name below one. A
/// domain `*` allows everything.
#[must_use]
pub fn confined(rule: &str, domains: &[String]) -> bool {
    if domains.iter().any(|domain| domain == "*") {
        return true;
    }
    let mut parser = Parser { rest: rule.trim() };
    match parser.either(0) {
        Some(parsed) if parser.rest.is_empty() => parsed.is_confined(domains),
        _ => false,
    }
}

impl Rule<'_> {
    fn is_confined(&self, domains: &[String]) -> bool {
        match self {
            Self::Any(rules) => rules.iter().all(|rule| rule.is_confined(domains)),
            Self::All(rules) => rules.iter().any(|rule| rule.is_confined(domains)),
            Self::Not(_) => false,
            Self::Matcher(name, args) => {
                let within: fn(&str, &[String]) -> bool = match name.to_ascii_lowercase().as_str() {
                    "host" | "hostheader" | "hostsni" => is_within,
                    "hostregexp" | "hostsniregexp" => pattern_is_within,
                    _ => return false,
                };
                !args.is_empty() && args.iter().all(|arg| within(arg, domains))
            }
        }
    }
}

/// Whether `name` is one of the domains, or below one.
#[must_use]
pub fn is_within(name: &str, domains: &[String]) -> bool {
    let name = name.trim().trim_end_matches('.').to_ascii_lowercase();
    let plain = !name.is_empty() && name.chars().all(|c| is_host(c) || c == '*');
    let below = |domain: &String| name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'));
    plain && domains.iter().any(|domain| *domain == name || below(domain))
}

fn is_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || ['-', '.', '_'].contains(&c)
}

/// Traefik 2 and Traefik 3 read the same pattern differently, so it must be confined for both.
fn pattern_is_within(pattern: &str, domains: &[String]) -> bool {
    if pattern.contains('{') { v2_is_within(pattern, domains) } else { v3_is_within(pattern, domains) }
}

/// Whether a pattern is `{name:regex}.domain`, with literal host text between the braces and the domain behind the last
/// of them. Traefik 3 takes such a text for a regular expression that, without an alternation, no host can match.
fn v2_is_within(pattern: &str, domains: &[String]) -> bool {
    let mut rest = pattern;
    while let Some(open) = rest.find('{') {
        let inner = &rest[open + 1..];
        let Some(close) = super::matching_brace(inner) else { return false };
        let field = &inner[..close];
        let named = field.starts_with(|c: char| c.is_ascii_alphabetic());
        if !rest[..open].chars().all(is_host) || !named || field.contains('|') {
            return false;
        }
        rest = &inner[close + 1..];
    }
    // A placeholder that does not compile may match anything, as in `hit`.
    let compiles = super::from_v2(pattern).is_some_and(|regex| regex_syntax::parse(&regex).is_ok());
    compiles && rest.starts_with('.') && is_within(&format!("x{rest}"), domains)
}

/// Whether a pattern is an anchored regular expression that ends in the literal domain.
fn v3_is_within(pattern: &str, domains: &[String]) -> bool {
    let Ok(hir) = regex_syntax::parse(pattern) else { return false };
    let HirKind::Concat(parts) = hir.kind() else { return false };
    let [first, .., last, end] = parts.as_slice() else { return false };
    let anchored = is_look(first, Look::Start) && is_look(end, Look::End);
    let HirKind::Literal(literal) = last.kind() else { return false };
    let Ok(text) = std::str::from_utf8(&literal.0) else { return false };
    // `^a\.example$` matches one host; `^.+\.a\.example$` matches the hosts below it.
    let whole = parts.len() == 3;
    let tail = if whole { text.to_owned() } else { format!("x{text}") };
    anchored && (whole || text.starts_with('.')) && is_within(&tail, domains)
}

fn is_look(hir: &Hir, look: Look) -> bool {
    matches!(hir.kind(), HirKind::Look(found) if *found == look)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::traefik::rule::{Hit, hit};
    use proptest::prelude::*;

    fn is_confined(rule: &str) -> bool {
        confined(rule, &["a.ci.example".into(), "dep.ci.example".into()])
    }

    #[test]
    fn rules_of_the_own_domain() {
        for rule in [
            "Host(`a.ci.example`)",
            "Host(`A.CI.example.`) && PathPrefix(`/x`)",
            "Host(`a.ci.example`, `www.a.ci.example`) || Host(\"dep.ci.example\")",
            "HostSNI(`a.ci.example`)",
            "HostSNI(`*.a.ci.example`)",
            "HostRegexp(`{sub:[a-z0-9-]+}.a.ci.example`)",
            "HostRegexp(`{sub:[a-z]{1,3}}.{x}.a.ci.example`)",
            r"HostRegexp(`^[a-z]+\.a\.ci\.example$`)",
            r"HostRegexp(`^a\.ci\.example$`)",
            r"HostSNIRegexp(`^.+\.a\.ci\.example$`)",
            "!Path(`/x`) && (Host(`a.ci.example`) || Host(`dep.ci.example`))",
        ] {
            assert!(is_confined(rule), "{rule}");
        }
    }

    #[test]
    fn rules_that_reach_others() {
        for rule in [
            "",
            "Host:a.ci.example",
            "Host()",
            "Host(`live.ci.example`)",
            "Host(`a.ci.example`, `live.ci.example`)",
            "Host(`a.ci.example`) || Host(`live.ci.example`)",
            "Host(`a.ci.example`) || PathPrefix(`/`)",
            "Host(`xa.ci.example`)",
            "Host(`ci.example`)",
            "!Host(`a.ci.example`)",
            "HostSNI(`*`)",
            "HostSNI(`*.ci.example`)",
            "PathPrefix(`/`)",
            "HostRegexp(`.*`)",
            r"HostRegexp(`a\.ci\.example$`)",
            r"HostRegexp(`^.*a\.ci\.example$`)",
            r"HostRegexp(`^.+\.a.ci.example$`)",
            r"HostRegexp(`^x|.+\.a\.ci\.example$`)",
            r"HostRegexp(`(?m)^.+\.a\.ci\.example$`)",
            "HostRegexp(`a.ci.example`)",
            "HostRegexp(`{sub:[a-z]+}a.ci.example`)",
            "HostRegexp(`.*|{sub:[a-z]+}.a.ci.example`)",
            "HostRegexp(`{sub:x|.*|y}.a.ci.example`)",
            "HostRegexp(`{1,2}.a.ci.example`)",
            "HostRegexp(`{sub:.*}`)",
            "HostRegexp(`{s:*}.a.ci.example`)",
            "Host(`a.ci.example`",
        ] {
            assert!(!is_confined(rule), "{rule}");
        }
        assert!(confined("HostSNI(`*`)", &["*".into()]));
    }

    proptest! {
        #[test]
        fn a_confined_rule_never_hits_a_stranger(
            rule in "(Host|HostSNI|HostRegexp|!Host|PathPrefix)\\(`(a\\.ci\\.example|live\\.ci\\.example|\\^?\\.[*+](\\\\\\.)?a\\\\?\\.ci\\\\?\\.example\\$?|\\{s:[a-z.*|]{0,4}\\}\\.?a\\.ci\\.example|\\*)`\\)( (\\|\\||&&) Host\\(`(a|live)\\.ci\\.example`\\))?",
        ) {
            if is_confined(&rule) {
                for stranger in ["live.ci.example", "ci.example", "xa.ci.example", "a.ci.example.evil"] {
                    prop_assert_eq!(hit(&rule, stranger), Hit::No, "{} and {}", rule, stranger);
                }
            }
        }

        #[test]
        fn never_panics(rule in "[Host(RegxpSNI)!&|`\"'{}:.*a\\\\ü^$ ,]{0,60}") {
            let _ = is_confined(&rule);
        }
    }
}
