//! Rules of Traefik's routers, in v2 and v3 syntax: which of them can match a domain, and which match no other. No I/O.

mod confine;

pub use confine::{confined, is_within};

use std::borrow::Cow;

use regex::RegexBuilder;

/// How a rule matches a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hit {
    /// It never matches.
    No,
    /// It matches by a pattern, or because it does not look at the host. Traefik prefers longer rules, such as one that
    /// names the host.
    Loose,
    /// It names the domain.
    Exact,
}

/// How `rule` can match `domain` (lower case). A rule that cannot be parsed counts as exact if its text has the domain.
#[must_use]
pub fn hit(rule: &str, domain: &str) -> Hit {
    let mut parser = Parser { rest: rule.trim() };
    match parser.either(0) {
        Some(parsed) if parser.rest.is_empty() => parsed.judge(domain).can,
        _ if rule.to_ascii_lowercase().contains(domain) => Hit::Exact,
        _ => Hit::No,
    }
}

/// The hosts that `rule` names, in lower case; none if the rule cannot be parsed.
#[must_use]
pub fn hosts(rule: &str) -> Vec<String> {
    let mut parser = Parser { rest: rule.trim() };
    let mut found = Vec::new();
    if let Some(parsed) = parser.either(0).filter(|_| parser.rest.is_empty()) {
        parsed.each(&mut |name, args| {
            if matches!(name.to_ascii_lowercase().as_str(), "host" | "hostheader" | "hostsni") {
                found.extend(args.iter().map(|arg| arg.trim().trim_end_matches('.').to_ascii_lowercase()));
            }
        });
    }
    found.retain(|host| !host.is_empty() && !host.starts_with('*'));
    found.dedup();
    found
}

/// What Traefik 3 would refuse about a rule, if anything.
#[must_use]
pub fn problem(rule: &str) -> Option<String> {
    let mut parser = Parser { rest: rule.trim() };
    let parsed = parser.either(0).filter(|_| parser.rest.is_empty());
    let Some(parsed) = parsed else {
        return Some(format!("it cannot be parsed from '{}' on", parser.rest));
    };
    let mut problem = None;
    parsed.each(&mut |name, args| {
        let most = match name.to_ascii_lowercase().as_str() {
            "host" | "hostregexp" | "hostsni" | "hostsniregexp" | "path" | "pathprefix" | "pathregexp"
            | "method" | "clientip" | "alpn" => 1,
            "header" | "headerregexp" | "query" | "queryregexp" => 2,
            _ => return problem = Some(format!("there is no matcher {name}")),
        };
        if args.is_empty() || args.iter().any(|arg| arg.is_empty()) {
            problem = Some(format!("{name} has an empty argument"));
        } else if args.len() > most {
            problem = Some(format!("{name} has {} arguments, Traefik 3 takes {most}", args.len()));
        } else if name.to_ascii_lowercase().contains("host") && args.iter().any(|arg| !arg.is_ascii()) {
            problem = Some(format!("{name} has an argument that is not ASCII"));
        }
    });
    problem
}

/// A parsed rule. It borrows from the text where it can, because every new name is compared with thousands of rules.
#[derive(Debug, PartialEq)]
enum Rule<'r> {
    Any(Vec<Rule<'r>>),
    All(Vec<Rule<'r>>),
    Not(Box<Rule<'r>>),
    Matcher(&'r str, Vec<Cow<'r, str>>),
}

/// What is known about a rule and a domain before the rest of the request is known.
#[derive(Clone, Copy)]
struct Judgement {
    can: Hit,
    /// The rule matches every request for the domain, whatever else is in the request.
    surely: bool,
}

impl Rule<'_> {
    fn each(&self, visit: &mut dyn FnMut(&str, &[Cow<str>])) {
        match self {
            Self::Any(rules) | Self::All(rules) => rules.iter().for_each(|rule| rule.each(visit)),
            Self::Not(rule) => rule.each(visit),
            Self::Matcher(name, args) => visit(name, args),
        }
    }

    fn judge(&self, domain: &str) -> Judgement {
        match self {
            Self::Any(rules) => {
                let all = rules.iter().map(|rule| rule.judge(domain));
                all.fold(Judgement { can: Hit::No, surely: false }, |a, b| Judgement {
                    can: a.can.max(b.can),
                    surely: a.surely || b.surely,
                })
            }
            Self::All(rules) => {
                let all: Vec<Judgement> = rules.iter().map(|rule| rule.judge(domain)).collect();
                let impossible = all.iter().any(|one| one.can == Hit::No);
                let best = all.iter().map(|one| one.can).max().unwrap_or(Hit::No);
                Judgement {
                    can: if impossible { Hit::No } else { best },
                    surely: all.iter().all(|one| one.surely),
                }
            }
            Self::Not(rule) => {
                let inner = rule.judge(domain);
                let can = if inner.surely { Hit::No } else { Hit::Loose };
                Judgement { can, surely: inner.can == Hit::No }
            }
            Self::Matcher(name, args) => {
                let best = args.iter().filter_map(|arg| host(name, arg, domain)).max();
                match best {
                    // A matcher that does not look at the host may match or not.
                    None => Judgement { can: Hit::Loose, surely: false },
                    Some(can) => Judgement { can, surely: can != Hit::No },
                }
            }
        }
    }
}

/// How one argument of a host matcher matches the domain; `None` for a matcher that does not look at the host.
fn host(matcher: &str, arg: &str, domain: &str) -> Option<Hit> {
    let found = |yes: bool| if yes { Hit::Loose } else { Hit::No };
    let is_one_of = |names: &[&str]| names.iter().any(|name| matcher.eq_ignore_ascii_case(name));
    if is_one_of(&["host", "hostheader", "hostsni"]) {
        let arg = arg.trim().trim_end_matches('.');
        return Some(match arg.strip_prefix('*') {
            Some(rest) => found(domain.ends_with(&rest.to_ascii_lowercase())),
            None if arg.eq_ignore_ascii_case(domain) => Hit::Exact,
            None => Hit::No,
        });
    }
    if !is_one_of(&["hostregexp", "hostsniregexp"]) {
        return None;
    }
    let pattern = from_v2(arg).unwrap_or_else(|| arg.to_owned());
    let regex = RegexBuilder::new(&pattern).case_insensitive(true).build();
    // A pattern that does not compile here may still compile in Traefik, and match anything.
    Some(found(
        regex.is_ok_and(|regex| regex.is_match(domain)) || RegexBuilder::new(&pattern).build().is_err(),
    ))
}

/// A v2 pattern, literal text with `{name:regex}` or `{name}` in it, as a regular expression. `None` if it is not a v2
/// pattern: in v3, braces are only around numbers (`{1,3}`).
fn from_v2(arg: &str) -> Option<String> {
    let mut out = String::from("^");
    let mut rest = arg;
    let mut fields = 0;
    while let Some(open) = rest.find('{') {
        let inner = &rest[open + 1..];
        let close = matching_brace(inner)?;
        let (name, pattern) = inner[..close].split_once(':').unwrap_or((&inner[..close], "[^.]+"));
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        out.push_str(&regex::escape(&rest[..open]));
        out.extend(["(?:", pattern, ")"]);
        fields += 1;
        rest = &inner[close + 1..];
    }
    out.push_str(&regex::escape(rest));
    out.push('$');
    (fields > 0).then_some(out)
}

/// Where the brace ends that was opened before `text`.
fn matching_brace(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Joins rules by `join`; a single rule needs no joining.
fn joined<'r>(first: Rule<'r>, others: Vec<Rule<'r>>, join: fn(Vec<Rule<'r>>) -> Rule<'r>) -> Rule<'r> {
    if others.is_empty() { first } else { join(std::iter::once(first).chain(others).collect()) }
}

/// Deepest nesting that is parsed, so that a hostile rule cannot exhaust the stack.
const DEPTH: usize = 50;

struct Parser<'r> {
    rest: &'r str,
}

impl<'r> Parser<'r> {
    fn either(&mut self, depth: usize) -> Option<Rule<'r>> {
        let first = self.both(depth)?;
        let mut others = Vec::new();
        while self.eat("||") {
            others.push(self.both(depth)?);
        }
        Some(joined(first, others, Rule::Any))
    }

    fn both(&mut self, depth: usize) -> Option<Rule<'r>> {
        let first = self.one(depth)?;
        let mut others = Vec::new();
        while self.eat("&&") {
            others.push(self.one(depth)?);
        }
        Some(joined(first, others, Rule::All))
    }

    fn one(&mut self, depth: usize) -> Option<Rule<'r>> {
        if depth > DEPTH {
            return None;
        }
        if self.eat("!") {
            return Some(Rule::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.eat("(") {
            let inner = self.either(depth + 1)?;
            return self.eat(")").then_some(inner);
        }
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).filter(|end| *end > 0)?;
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        if !self.eat("(") {
            return None;
        }
        let mut args = Vec::new();
        while !self.eat(")") {
            args.push(self.quoted()?);
            self.eat(",");
        }
        Some(Rule::Matcher(name, args))
    }

    /// Text in backticks, or in quotes. There a backslash may stand before a backslash or the quote: what else Go makes of
    /// it (`\x6c` is an `l`) nobody writes who does not hide something.
    fn quoted(&mut self) -> Option<Cow<'r, str>> {
        let quote = self.rest.chars().next().filter(|c| ['`', '"', '\''].contains(c))?;
        let inner = &self.rest[1..];
        let end = inner.find(|c| c == quote || (c == '\\' && quote != '`'))?;
        if inner[end..].starts_with(quote) {
            self.rest = inner[end + 1..].trim_start();
            return Some(Cow::Borrowed(&inner[..end]));
        }
        let mut text = String::new();
        let mut chars = inner.char_indices();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.rest = inner[at + 1..].trim_start();
                return Some(Cow::Owned(text));
            }
            text.push(match c {
                '\\' => chars.next().map(|(_, next)| next).filter(|next| *next == '\\' || *next == quote)?,
                c => c,
            });
        }
        None
    }

    fn eat(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest.trim_start();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(rule: &str, exact: &[&str], loose: &[&str], no: &[&str]) {
        for (expected, domains) in [(Hit::Exact, exact), (Hit::Loose, loose), (Hit::No, no)] {
            for domain in domains {
                assert_eq!(hit(rule, domain), expected, "{rule} and {domain}");
            }
        }
    }

    #[test]
    fn hosts_by_name() {
        check("Host(`a.ci.example`)", &["a.ci.example"], &[], &["b.ci.example", "x.a.ci.example"]);
        check("Host(`A.CI.Example.`) && PathPrefix(`/x`)", &["a.ci.example"], &[], &["b.ci.example"]);
        check("Host(\"a.b\", 'c.d') || Host(`e.f`)", &["a.b", "c.d", "e.f"], &[], &["g.h"]);
        check("(Path(`/`)||Host(`a.b`)) && Host(`a.b`,`c.d`)", &["a.b", "c.d"], &[], &["e.f"]);
        check("HostSNI(`a.b`)", &["a.b"], &[], &["c.d"]);
    }

    #[test]
    fn wildcards_and_patterns() {
        check("HostSNI(`*`)", &[], &["a.b"], &[]);
        check("Host(`*.ci.example`)", &[], &["a.ci.example"], &["a.other"]);
        check(
            "HostRegexp(`{sub:[a-z]+}.ci.example`)",
            &[],
            &["abc.ci.example"],
            &["a-1.ci.example", "abc.ci-example"],
        );
        check("HostRegexp(`{sub}.ci.example`)", &[], &["a-1.ci.example"], &["a.b.ci.example"]);
        check("HostRegexp(`ci.example`, `{s:[a-z]{1,3}}.x`)", &[], &["abc.x", "ci.example"], &["abcd.x"]);
        check(r"HostRegexp(`^iso-.+\.ci\.example$`)", &[], &["iso-1.ci.example"], &["canon-1.ci.example"]);
        check(r#"HostRegexp("^[a-z]{2}\\.x$")"#, &[], &["ab.x"], &["abc.x"]);
        check("HostSNIRegexp(`.*`)", &[], &["a.b"], &[]);
        // It does not compile here, so it may match anything.
        check("HostRegexp(`(?=x)`)", &[], &["a.b"], &[]);
    }

    #[test]
    fn what_does_not_look_at_the_host_may_take_any() {
        check("PathPrefix(`/`)", &[], &["a.b"], &[]);
        check("!Host(`a.b`)", &[], &["c.d"], &["a.b"]);
        check("!(Host(`a.b`) && Path(`/`))", &[], &["a.b", "c.d"], &[]);
        check("ClientIP(`10.0.0.0/8`) && !Host(`a.b`)", &[], &["c.d"], &["a.b"]);
    }

    #[test]
    fn what_cannot_be_parsed_counts_by_its_text() {
        check("Host(a.b", &["a.b"], &[], &["c.d"]);
        check("Host(`a.b`) ||", &["a.b"], &[], &["c.d"]);
        check("", &[], &[], &["a.b"]);
        let deep = format!("{}Host(`a.b`){}", "(".repeat(10_000), ")".repeat(10_000));
        check(&deep, &["a.b"], &[], &["c.d"]);
    }

    #[test]
    fn named_hosts_and_refused_rules() {
        assert_eq!(hosts("Host(`A.b`) || (Host(`c.d.`) && !Path(`/x`))"), ["a.b", "c.d"]);
        assert_eq!(hosts("HostSNI(`*`)"), Vec::<String>::new());
        for fine in ["Host(`a.b`)", "PathPrefix(`/`)", "HeaderRegexp(`a`, `b`)", "HostSNI(`*`)"] {
            assert_eq!(problem(fine), None, "{fine}");
        }
        for bad in
            ["Host(``)", "", "Host(a.b)", "Hots(`a.b`)", "Host(`a`) &&", "Host(`a`, `b`)", "Host(`ü.b`)"]
        {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(rule in "[Host(RegxpSNI)!&|`\"'{}:.*a\\\\ü ,]{0,60}") {
            let _ = (hit(&rule, "a.b"), hosts(&rule), problem(&rule));
        }

        #[test]
        fn a_named_host_is_always_found(before in "[a-z]{1,5}\\.[a-z]{1,3}", name in "[a-z0-9]{1,8}\\.ci\\.example") {
            let rules = [
                format!("Host(`{before}`) || Host(`{name}`)"),
                format!("Host(`{before}`, \"{name}\")"),
                format!("((Host(`{name}`)) && (Path(`/a`) || Method(`GET`)))"),
            ];
            for rule in rules {
                prop_assert_eq!(hit(&rule, &name), Hit::Exact);
            }
        }
    }
}
