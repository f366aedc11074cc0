//! Decides by name what belongs to the owner: names of new objects, images, domains, routers. No I/O.

use std::path::{Path, PathBuf};

use lib_common::allow::{self, Kind, values};
use lib_common::pattern::Pattern;

use crate::refusal::Refusal;

/// The bounds of one owner.
#[derive(Debug, Clone)]
pub struct Policy {
    pub owner: String,
    pub stack: String,
    /// Patterns of further stack names that the owner may choose.
    pub stacks: Vec<Pattern>,
    /// Domains that the owner may route, including all names below them.
    pub domains: Vec<String>,
    /// Names of other owners' networks that the owner may join.
    pub networks: Vec<String>,
    /// Names of other owners' services that the owner may exec into.
    pub exec: Vec<String>,
    /// Repository prefixes that the owner may use for images besides its own name.
    pub images: Vec<String>,
    /// Folders of the host, with symbolic links resolved, that may be mounted with all below them.
    pub folders: Vec<PathBuf>,
    /// Log drivers that the owner may use besides those that keep logs on the node.
    pub log_drivers: Vec<String>,
    /// Nothing may be changed at all.
    pub read_only: bool,
    /// Objects of others are neither listed nor described.
    pub hide_others: bool,
}

impl Policy {
    /// Resolves symbolic links in folders that exist, because requests' paths are compared in that form.
    pub fn new(given: &allow::Policy) -> Self {
        let list = |kind| values(&given.allow, kind).map(ToOwned::to_owned).collect::<Vec<_>>();
        let domain = |name: &str| name.trim_matches('.').to_ascii_lowercase();
        // Paths in requests are resolved, too. Both must be, or a link would make them differ.
        let folder = |path: &str| Path::new(path).canonicalize().unwrap_or_else(|_| path.into());
        Self {
            owner: given.owner.clone(),
            stack: given.stack.as_ref().unwrap_or(&given.owner).clone(),
            stacks: allow::stacks(&given.allow),
            domains: values(&given.allow, Kind::Domain).map(domain).collect(),
            networks: list(Kind::Network),
            exec: list(Kind::Exec),
            images: list(Kind::Image),
            folders: values(&given.allow, Kind::Path).map(folder).collect(),
            log_drivers: list(Kind::LogDriver),
            read_only: given.read_only,
            hide_others: given.hide_others,
        }
    }

    /// Whether this is the owner's stack, or one that a pattern allows.
    pub fn is_stack(&self, name: &str) -> bool {
        name == self.stack || self.stacks.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether the name is a stack of the owner, or begins with one followed by one of the `borders`.
    fn is_under(&self, name: &str, borders: &[char]) -> bool {
        let cuts = name.char_indices().filter(|(_, c)| borders.contains(c)).map(|(at, _)| at);
        self.is_stack(name) || cuts.into_iter().any(|at| self.is_stack(&name[..at]))
    }

    /// Whether the owner may give this name to a new object.
    pub fn is_name(&self, name: &str) -> bool {
        self.is_under(name, &['_', '-', '.'])
    }

    pub fn name(&self, kind: &str, name: &str) -> Result<(), Refusal> {
        let known = self.is_name(name);
        known.then_some(()).ok_or_else(|| {
            Refusal::new("namespace", format!("{kind} '{name}'"))
                .remedy(format!("begin its name with '{}_', or allow it: --allow stack=PATTERN", self.stack))
        })
    }

    /// Whether the owner may give this name to a Traefik router, service or middleware.
    pub fn is_router(&self, name: &str) -> bool {
        self.is_under(name, &['_', '-', '.', '@'])
    }

    /// Refuses an image reference or repository that is not the owner's.
    pub fn image(&self, reference: &str) -> Result<(), Refusal> {
        // The engine takes `docker.io/library/x` and `x` for the same image.
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
            Refusal::new("image", format!("'{reference}' is not of your own repositories"))
                .remedy(format!("name it '{}/...', or allow its prefix: --allow image=PREFIX", self.stack))
        })
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const RUN: &str = "01JD000000000000000000AAAA";

    pub fn policy() -> Policy {
        Policy {
            owner: RUN.into(),
            stack: "iso-x_ci_example".into(),
            stacks: vec!["immi-??????_ci_example".parse().unwrap()],
            domains: vec!["iso-x.ci.example".into()],
            networks: vec!["proxy".into()],
            exec: vec!["backups_app".into()],
            images: vec!["localhost/ci/".into(), "ours".into()],
            folders: vec!["/scratch".into()],
            log_drivers: vec!["gelf".into()],
            read_only: false,
            hide_others: false,
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
