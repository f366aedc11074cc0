//! Checks the limits on names, for the longest name that will be made: that of an attempt. No I/O.

use lib_common::swarm::stack::{self, STACK_MAX};

use crate::compose::{Named, Objects};
use crate::name::Candidate;

/// Longest DNS label (RFC 1035), which the engine also applies to names of services and networks.
pub const LABEL_MAX: usize = 63;
const DOMAIN_MAX: usize = 253;
/// Longest name of a config or secret that the engine accepts.
pub const CONFIG_MAX: usize = 64;
/// Longest file name, since a volume's name becomes the name of a folder.
const VOLUME_MAX: usize = 255;

/// Which name would be too long for the candidate, with an attempt's suffix and the recipe's objects; `None` if all fit.
pub fn exceeded(candidate: &Candidate, objects: &Objects) -> Option<String> {
    let domain = candidate.longest();
    // Not `stack_of`, which cuts a name that is too long, as abra does.
    let stack = stack::whole(&domain);
    let label = domain.find('.').unwrap_or(domain.len());
    let over = |what: &str, name: &str, length: usize, max: usize| {
        (length > max).then(|| format!("{what} {name} would have {length} characters, {max} are allowed"))
    };
    over("the first label of", &domain, label, LABEL_MAX)
        .or_else(|| over("the domain", &domain, domain.len(), DOMAIN_MAX))
        .or_else(|| over("the stack", &stack, stack.len(), STACK_MAX))
        .or_else(|| self::over(&stack, objects))
}

/// Names the first of the recipe's objects whose name in `stack` would be too long.
pub fn over(stack: &str, objects: &Objects) -> Option<String> {
    objects.names.iter().find_map(|object| {
        let name = object.name_in(stack);
        let (length, max) = (name.chars().count(), object.max());
        (length > max)
            .then(|| format!("{} {name} would have {length} characters, {max} are allowed", object.what()))
    })
}

impl Named {
    fn max(&self) -> usize {
        match self.what() {
            "the service" | "the network" => LABEL_MAX,
            "the volume" => VOLUME_MAX,
            _ => CONFIG_MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose;
    use crate::name::Base;

    fn candidate(label: &str, base: &str) -> Candidate {
        Candidate::new(label, &Base::parse(base).unwrap())
    }

    #[test]
    fn the_stack_of_an_attempt_is_not_cut() {
        let nothing = Objects::default();
        // 36 characters and "_b", with the 7 of an attempt's suffix: exactly 45, the limit.
        assert_eq!(exceeded(&candidate(&"a".repeat(36), "b"), &nothing), None);
        let why = exceeded(&candidate(&"a".repeat(37), "b"), &nothing).unwrap();
        assert!(why.starts_with("the stack ") && why.ends_with("46 characters, 45 are allowed"), "{why}");
    }

    #[test]
    fn a_canonical_needs_no_room_for_attempts() {
        let exact = |length| Candidate { is_exact: true, ..candidate(&"a".repeat(length), "b") };
        assert_eq!(exceeded(&exact(43), &Objects::default()), None);
        assert!(exceeded(&exact(44), &Objects::default()).is_some());
    }

    #[test]
    fn the_longest_object_name_counts() {
        let text = "services: {app: {}}\nconfigs:\n  c:\n    name: ${STACK_NAME}_nginx_default_conf_file_${V:-v12}\n";
        let objects = compose::parse(text, &|_| None).unwrap();
        // stack = label + 7 + 11; name = stack + 28
        assert_eq!(exceeded(&candidate("iso-a1b2c3", "ci.example"), &objects), None);
        let why = exceeded(&candidate("iso-recipe-xy-a1b2c3", "ci.example"), &objects).unwrap();
        assert!(why.contains("the config iso-recipe-xy-a1b2c3-zzzzzz_ci_example_nginx"), "{why}");
    }

    #[test]
    fn a_deep_base_runs_into_the_domain_limit_or_the_stack_limit() {
        let base = ["abcdefghij"; 25].join(".");
        assert!(exceeded(&candidate("iso-x", &base), &Objects::default()).is_some());
    }
}
