//! Decides whether a name is free, and whether it would work, from what exists on the swarm. No I/O.

use lib_common::swarm::stack::{attempt_domain, stack_of};
use regex::Regex;

use crate::name::{Candidate, SUFFIX};
use crate::router;
use crate::world::{NameOf, World};

/// What `candidate` collides with, for people; `None` if with nothing.
pub fn clash(candidate: &Candidate, world: &World) -> Option<String> {
    let name = world.names.iter().find(|(kind, name)| names_meet(*kind, name, candidate));
    if let Some((kind, name)) = name {
        return Some(format!("{} {name} is in its way", kind.singular()));
    }
    let entry_points = router::http_entry_points(&world.routers);
    let taking = world.routers.iter().find(|router| router.takes(&candidate.domain, &entry_points));
    taking.map(|router| format!("router {} of {} takes it with {}", router.name, router.owner, router.rule))
}

/// Whether one of the two names is, or continues, the other. The names of a stack's objects, of an attempt's stack and
/// of its domain all begin with the stack's name or label, so neither name may be the beginning of the other.
pub fn names_meet(kind: NameOf, other: &str, candidate: &Candidate) -> bool {
    // An alias such as `app` is no stack's name, so nothing begins with it.
    continues(other, &candidate.label) || (kind != NameOf::Alias && continues(&candidate.stack, other))
}

/// Whether `long` is `short`, or continues it after a separator.
pub fn continues(long: &str, short: &str) -> bool {
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '-', '.']))
}

/// A shared network behind which the networks of this candidate, or of its attempts, would sort.
///
/// The engine's DNS asks a container's networks in the order of their names. If a stack's own network sorts behind
/// `proxy`, the name `app` is answered by every stack on `proxy` that has an `app`.
pub fn sorts_behind<'n>(
    candidate: &Candidate,
    shared: impl IntoIterator<Item = &'n String>,
) -> Option<&'n str> {
    let attempt = stack_of(&candidate.longest());
    let stacks = [format!("{}_", candidate.stack), format!("{attempt}_")];
    shared
        .into_iter()
        .map(String::as_str)
        .find(|network| stacks.iter().any(|stack| stack.as_str() >= *network))
}

/// The `--avoid` expression that matches the candidate or its attempts.
pub fn avoided<'r>(candidate: &Candidate, avoid: &'r [Regex]) -> Option<&'r str> {
    // The suffixes of attempts are random, so try three that a regular expression may tell apart.
    let attempts = ["000000", "aaaaaa", SUFFIX].map(|suffix| attempt_domain(&candidate.domain, suffix));
    let attempts = attempts.into_iter().filter(|_| !candidate.is_exact);
    let domains = attempts.chain([candidate.domain.clone()]);
    let names: Vec<String> = domains.flat_map(|domain| [stack_of(&domain), domain]).collect();
    avoid.iter().find(|regex| names.iter().any(|name| regex.is_match(name))).map(Regex::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Base;
    use crate::router::of_labels;
    use lib_common::swarm::object::Kind;
    use proptest::prelude::*;
    use serde_json::json;

    fn candidate(label: &str) -> Candidate {
        Candidate::new(label, &Base::parse("ci.example").unwrap())
    }

    fn clash_with(kind: NameOf, name: &str) -> bool {
        let mut world = World::default();
        world.add(kind, &json!(name));
        clash(&candidate("iso-gite-1a2b3c"), &world).is_some()
    }

    #[test]
    fn names_of_the_stack_and_of_its_attempts_are_taken() {
        for taken in [
            "iso-gite-1a2b3c_ci_example",
            "ISO-gite-1A2B3C_ci_example_app",
            "iso-gite-1a2b3c-abcdef_ci_example_db",
            "iso-gite-1a2b3c.ci.example",
            "iso-gite-1a2b3c",
            "iso-gite",
            "iso",
        ] {
            assert!(clash_with(Kind::Config.into(), taken), "{taken}");
        }
        for free in [
            "iso-gite-1a2b3",
            "iso-gite-1a2b3cd_ci_example",
            "iso-g",
            "gite",
            "proxy",
            "iso-gite-1a2b3d_ci_example",
        ] {
            assert!(!clash_with(Kind::Config.into(), free), "{free}");
        }
        assert!(!clash_with(NameOf::Alias, "iso"));
        assert!(clash_with(NameOf::Alias, "iso-gite-1a2b3c_ci_example_app"));
    }

    #[test]
    fn a_live_router_takes_its_domain() {
        let rule = "Host(`x.y`) || Host(`warm-keycloak.ci.example`)";
        let world = World {
            routers: of_labels(&json!({"traefik.http.routers.kc.rule": rule}), "kc_app"),
            ..World::default()
        };
        let why = clash(&candidate("warm-keycloak"), &world).unwrap();
        assert!(why.contains("router kc of kc_app"), "{why}");
        assert_eq!(clash(&candidate("canon-keycloak"), &world), None);
    }

    #[test]
    fn names_sort_before_the_shared_network() {
        let shared = ["proxy".to_owned()];
        for good in ["iso-x", "cold-x", "canon-x", "pro"] {
            assert_eq!(sorts_behind(&candidate(good), &shared), None, "{good}");
        }
        for bad in ["warm-x", "run-x", "proxz"] {
            assert_eq!(sorts_behind(&candidate(bad), &shared), Some("proxy"), "{bad}");
        }
        assert_eq!(sorts_behind(&candidate("iso-x"), &["backups".to_owned()]), Some("backups"));
    }

    #[test]
    fn what_a_janitor_sweeps_is_avoided() {
        let avoid = [Regex::new("^[a-z]{4}-[0-9a-f]{6}[._]").unwrap()];
        assert!(avoided(&candidate("gite-1a2b3c"), &avoid).is_some());
        // The janitor would not sweep the lease itself, but its attempts.
        assert!(avoided(&candidate("gite"), &avoid).is_some());
        assert!(avoided(&candidate("iso-gite-1a2b3c"), &avoid).is_none());
    }

    proptest! {
        /// Two names that are both granted never conflict, whatever their attempts append.
        #[test]
        fn granted_names_stay_apart(one in "[a-c]{1,2}(-[a-c]{1,2}){0,2}", two in "[a-c]{1,2}(-[a-c]{1,2}){0,2}", suffix in "[a-c]{6}") {
            let (held, wanted) = (candidate(&one), candidate(&two));
            let mut world = World::default();
            for name in [&held.stack, &held.label] {
                world.add(NameOf::Lease, &json!(name));
            }
            if clash(&wanted, &world).is_none() {
                let all = |name: &Candidate| [name.stack.clone(), stack_of(&attempt_domain(&name.domain, &suffix))];
                for a in all(&held) {
                    for b in all(&wanted) {
                        prop_assert!(!a.starts_with(&b) && !b.starts_with(&a), "{} {}", a, b);
                    }
                }
            }
        }
    }
}
