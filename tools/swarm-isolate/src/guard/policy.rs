//! What belongs to the run, by name: names of new objects, images, domains. No I/O.

use crate::command::pattern::Pattern;
use std::path::{Path, PathBuf};

use super::cli::GuardArgs;
use super::verdict::Refusal;
use crate::plan::Namespace;

/// The bounds of one run.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The attempt's id.
    pub run: String,
    pub stack: String,
    /// Patterns of further stack names, which the harness chooses itself.
    pub namespaces: Vec<Pattern>,
    /// Domains whose routes the run may make; names below them too.
    pub domains: Vec<String>,
    /// Networks of others that it may join, by name.
    pub networks: Vec<String>,
    /// Services of others that it may exec into.
    pub exec: Vec<String>,
    /// Further repository prefixes for its images.
    pub images: Vec<String>,
    /// The one folder whose parts may be mounted.
    pub scratch: PathBuf,
}

impl Policy {
    /// The run's own names, and what the options add. The scratch folder exists.
    pub fn new(
        args: &GuardArgs,
        namespaces: &[Pattern],
        run: &str,
        names: &Namespace,
        scratch: &Path,
    ) -> Self {
        let lower = |names: &[String]| {
            names.iter().map(|name| name.trim_matches('.').to_ascii_lowercase()).collect::<Vec<_>>()
        };
        Self {
            run: run.to_owned(),
            stack: names.stack.clone(),
            namespaces: namespaces.to_vec(),
            domains: [lower(std::slice::from_ref(&names.domain)), lower(&args.allow_domain)].concat(),
            networks: args.allow_network.clone(),
            exec: args.allow_exec.clone(),
            images: args.image_prefix.iter().filter(|prefix| !prefix.is_empty()).cloned().collect(),
            scratch: scratch.canonicalize().unwrap_or_else(|_| scratch.to_owned()),
        }
    }

    /// A stack that is the run's: its own, or one that a pattern admits.
    pub fn is_stack(&self, name: &str) -> bool {
        name == self.stack || self.namespaces.iter().any(|pattern| pattern.matches(name))
    }

    /// A name that is a stack of the run, or begins with one and one of the `borders`.
    fn is_under(&self, name: &str, borders: &[char]) -> bool {
        let cuts = name.char_indices().filter(|(_, c)| borders.contains(c)).map(|(at, _)| at);
        self.is_stack(name) || cuts.into_iter().any(|at| self.is_stack(&name[..at]))
    }

    /// Names of new objects.
    pub fn is_name(&self, name: &str) -> bool {
        self.is_under(name, &['_', '-', '.'])
    }

    pub fn name(&self, kind: &str, name: &str) -> Result<(), Refusal> {
        let known = self.is_name(name);
        known.then_some(()).ok_or_else(|| {
            Refusal::new("namespace", format!("{kind} '{name}'"))
                .remedy(format!("begin its name with '{}_', or admit it with --namespace", self.stack))
        })
    }

    /// Names of Traefik routers, services and middlewares.
    pub fn is_router(&self, name: &str) -> bool {
        self.is_under(name, &['_', '-', '.', '@'])
    }

    /// An image reference or repository of the run's own.
    pub fn image(&self, reference: &str) -> Result<(), Refusal> {
        let with_host = reference.strip_prefix("docker.io/").unwrap_or(reference);
        let plain = with_host.strip_prefix("library/").unwrap_or(with_host);
        let admitted = self.images.iter().any(|prefix| {
            let rest = plain.strip_prefix(prefix.as_str());
            rest.is_some_and(|r| {
                prefix.ends_with('/') || r.is_empty() || r.starts_with(['/', ':', '_', '-', '.'])
            })
        });
        let own = self.is_under(plain, &['/', ':', '_', '-', '.', '@']);
        (own || admitted).then_some(()).ok_or_else(|| {
            Refusal::new("image", format!("'{reference}' is not of the run's own repositories"))
                .remedy(format!("name it '{}/...', or admit its prefix with --image-prefix", self.stack))
        })
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const RUN: &str = "01JD000000000000000000AAAA";

    pub fn policy() -> Policy {
        Policy {
            run: RUN.into(),
            stack: "iso-x_ci_example".into(),
            namespaces: vec!["immi-??????_ci_example".parse().unwrap()],
            domains: vec!["iso-x.ci.example".into()],
            networks: vec!["proxy".into()],
            exec: vec!["backups_app".into()],
            images: vec!["localhost/ci/".into(), "ours".into()],
            scratch: "/scratch".into(),
        }
    }

    #[test]
    fn names() {
        for own in ["iso-x_ci_example", "iso-x_ci_example_app", "immi-0a1b2c_ci_example_db"] {
            assert!(policy().is_name(own), "{own}");
        }
        for strange in ["iso-x_ci", "iso-x_ci_examples", "live_app", "", "immi-0a1b2c3_ci_example_db", "_app"]
        {
            assert!(!policy().is_name(strange), "{strange}");
        }
    }

    #[test]
    fn images() {
        for own in [
            "iso-x_ci_example",
            "docker.io/library/iso-x_ci_example:1",
            "localhost/ci/a:b",
            "ours_web",
            "ours:1",
        ] {
            assert!(policy().image(own).is_ok(), "{own}");
        }
        for strange in ["oursx", "redfix/busybox:latest", "", "x/iso-x_ci_example", "localhost/cix"] {
            assert!(policy().image(strange).is_err(), "{strange}");
        }
    }
}
