//! The environment of the command, its companion and the load: our own variables, and those of `--env`, which give the
//! same values under the names that an existing harness expects. No I/O.

use std::path::Path;
use std::str::FromStr;

use lib_common::case::UNVERSIONED;
use lib_common::docker::Endpoint;
use lib_common::record::Factors;

/// The values of one attempt that variables can hold.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    pub investigation: &'a str,
    pub attempt: &'a str,
    pub stack: &'a str,
    pub domain: &'a str,
    pub recipe: &'a str,
    pub version: &'a str,
    pub reference: Option<&'a str>,
    pub factors: &'a Factors,
    pub evidence: &'a Path,
    /// The folder of the ledger and of the evidence folders.
    pub folder: &'a Path,
    /// A folder private to the command; the companion has none.
    pub scratch: Option<&'a Path>,
    pub engine: &'a Endpoint,
    /// The node that this run is asked to use, if `--node` names several.
    pub node: Option<&'a str>,
}

/// The names that may stand in braces, besides `factor.NAME`.
const NAMES: [&str; 13] = [
    "investigation",
    "attempt",
    "stack",
    "domain",
    "recipe",
    "version",
    "ref",
    "condition",
    "evidence",
    "folder",
    "scratch",
    "engine",
    "node",
];

impl Facts<'_> {
    pub fn condition(&self) -> &str {
        self.factors.get("load").map_or("isolated", String::as_str)
    }

    /// The value of a name in braces; empty if this attempt has none.
    fn get(&self, name: &str) -> String {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        match name {
            "investigation" => self.investigation.into(),
            "attempt" => self.attempt.into(),
            "stack" => self.stack.into(),
            "domain" => self.domain.into(),
            "recipe" => self.recipe.into(),
            // `UNVERSIONED` is a word for people. The command gets an empty value and uses its own default.
            "version" => if self.version == UNVERSIONED { "" } else { self.version }.into(),
            "ref" => self.reference.unwrap_or_default().into(),
            "condition" => self.condition().into(),
            "evidence" => path(self.evidence),
            "folder" => path(self.folder),
            "scratch" => self.scratch.map(path).unwrap_or_default(),
            "engine" => self.engine.to_string(),
            "node" => self.node.unwrap_or_default().into(),
            other => {
                let factor = other.strip_prefix("factor.").and_then(|factor| self.factors.get(factor));
                factor.cloned().unwrap_or_default()
            }
        }
    }

    /// Our own variables, then those of `mappings`.
    pub fn variables(&self, mappings: &[Mapping]) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = [
            ("REDFIX_INVESTIGATION", "investigation"),
            ("REDFIX_ATTEMPT", "attempt"),
            ("REDFIX_STACK", "stack"),
            ("REDFIX_DOMAIN", "domain"),
            ("REDFIX_CONDITION", "condition"),
            ("REDFIX_EVIDENCE", "evidence"),
            ("REDFIX_LEDGER_DIR", "folder"),
            ("DOCKER_HOST", "engine"),
            ("RECIPE", "recipe"),
            ("VERSION", "version"),
            ("REF", "ref"),
        ]
        .iter()
        .map(|(variable, name)| ((*variable).to_owned(), self.get(name)))
        .collect();
        if let Some(node) = self.node {
            all.push(("REDFIX_NODE".into(), node.to_owned()));
        }
        if let Some(scratch) = self.scratch {
            let text = |path: &Path| path.to_string_lossy().into_owned();
            all.push(("REDFIX_SCRATCH".into(), text(scratch)));
            all.push(("ABRA_DIR".into(), text(&scratch.join("abra"))));
        }
        let factor = |(name, level): (&String, &String)| {
            (format!("REDFIX_FACTOR_{}", name.to_ascii_uppercase()), level.clone())
        };
        all.extend(self.factors.iter().map(factor));
        all.extend(mappings.iter().map(|mapping| (mapping.variable.clone(), mapping.value(self))));
        all
    }
}

/// One `--env VAR=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub variable: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

impl Mapping {
    fn value(&self, facts: &Facts) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Name(name) => facts.get(name),
        };
        self.parts.iter().map(part).collect()
    }
}

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (variable, value) = text.split_once('=').ok_or("not of the form VAR=VALUE")?;
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if variable.is_empty()
            || !variable.chars().all(word)
            || variable.starts_with(|c: char| c.is_ascii_digit())
        {
            return Err(format!("'{variable}' is not the name of a variable"));
        }
        if variable.starts_with("REDFIX_") || variable.starts_with("DOCKER_") {
            return Err(format!("{variable} may not be changed: it keeps the run apart from others"));
        }
        Ok(Self { variable: variable.into(), parts: parts(value)? })
    }
}

/// Splits a value into text and names in braces, which must be known. `{{` and `}}` stand for single braces.
fn parts(value: &str) -> Result<Vec<Part>, String> {
    if value.contains('\0') {
        return Err("a value cannot hold a NUL".into());
    }
    let (mut parts, mut text, mut rest) = (Vec::new(), String::new(), value);
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(more) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = more;
            continue;
        }
        let name = rest.split_once('}').filter(|_| brace == "{");
        let (name, more) = name.ok_or("a single brace: write {{ or }} for one")?;
        let factor = name.strip_prefix("factor.").is_some_and(|factor| !factor.is_empty());
        if !factor && !NAMES.contains(&name) {
            return Err(format!("{{{name}}} is not known; known are {} and factor.NAME", NAMES.join(", ")));
        }
        parts.push(Part::Text(std::mem::take(&mut text)));
        parts.push(Part::Name(name.into()));
        rest = more;
    }
    text.push_str(rest);
    parts.push(Part::Text(text));
    parts.retain(|part| *part != Part::Text(String::new()));
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(mapping: &str) -> String {
        value_at("1", mapping)
    }

    fn value_at(version: &str, mapping: &str) -> String {
        let factors = Factors::from([("load".into(), "loaded".into()), ("path".into(), "warm".into())]);
        let facts = Facts {
            investigation: "i",
            attempt: "a",
            stack: "s_ci",
            domain: "s.ci",
            recipe: "mumble",
            version,
            reference: None,
            factors: &factors,
            evidence: Path::new("/e"),
            folder: Path::new("/l"),
            scratch: Some(Path::new("/s")),
            engine: &Endpoint::Unix("/x".into()),
            node: None,
        };
        let mapping: Mapping = mapping.parse().unwrap();
        let all = facts.variables(std::slice::from_ref(&mapping));
        assert!(all.contains(&("ABRA_DIR".into(), "/s/abra".into())));
        assert!(all.contains(&("REDFIX_FACTOR_PATH".into(), "warm".into())));
        all.last().unwrap().1.clone()
    }

    #[test]
    fn a_version_that_nobody_named_is_left_to_the_command() {
        assert_eq!(value_at(UNVERSIONED, "V={version}"), "");
    }

    #[test]
    fn names_in_braces_become_what_the_attempt_has() {
        for (mapping, expected) in [
            ("CCCI_APP_DOMAIN={domain}", "s.ci"),
            ("URL=https://{domain}/?v={version}&c={condition}", "https://s.ci/?v=1&c=loaded"),
            ("RUNS={evidence}/runs", "/e/runs"),
            ("JSON={{\"ref\":\"{ref}\"}}", "{\"ref\":\"\"}"),
            ("P={factor.path}{factor.none}", "warm"),
            ("EMPTY=", ""),
            ("EQ=a=b", "a=b"),
        ] {
            assert_eq!(value(mapping), expected, "{mapping}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for bad in ["X", "=x", "1X=y", "A B=x", "X={nothing}", "X={domain", "X=}", "X={", "X={factor.}"] {
            assert!(bad.parse::<Mapping>().is_err(), "{bad}");
        }
        assert!("DOCKER_HOST=x".parse::<Mapping>().unwrap_err().contains("keeps the run apart"));
        assert!("REDFIX_STACK=x".parse::<Mapping>().is_err());
    }

    proptest! {
        #[test]
        fn plain_text_stays_as_it_is(text in "[^{}\0]*") {
            prop_assert_eq!(value(&format!("X={text}")), text);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".*") {
            let _ = text.parse::<Mapping>();
        }
    }
}
