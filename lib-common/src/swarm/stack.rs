//! Names of stacks as abra makes them from domains, so that all tools agree with abra. No I/O.

/// Longest stack name that abra keeps (`MAX_SANITISED_APP_NAME_LENGTH`).
pub const STACK_MAX: usize = 45;

/// The stack of a domain: lower case, dots to underscores, cut at 45 characters.
#[must_use]
pub fn stack_of(domain: &str) -> String {
    whole(domain).chars().take(STACK_MAX).collect()
}

/// The stack of a domain before abra cuts it at 45 characters.
#[must_use]
pub fn whole(domain: &str) -> String {
    domain.to_ascii_lowercase().replace('.', "_")
}

/// The domain of one attempt under a lease: `-suffix` behind the first label. Callers use suffixes of one length, so
/// that no attempt's name is the prefix of another's.
#[must_use]
pub fn attempt_domain(lease: &str, suffix: &str) -> String {
    match lease.split_once('.') {
        Some((label, rest)) => format!("{label}-{suffix}.{rest}"),
        None => format!("{lease}-{suffix}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_becomes_a_stack() {
        assert_eq!(stack_of("cust-E084bd.ci.example"), "cust-e084bd_ci_example");
        assert_eq!(stack_of(&"a.".repeat(40)).len(), STACK_MAX);
        assert_eq!(whole(&"A.".repeat(40)), "a_".repeat(40));
    }

    #[test]
    fn no_attempt_is_the_prefix_of_another() {
        let names = ["iso-x-1.b", &attempt_domain("iso-x-1.b", "aa"), &attempt_domain("iso-x-1.b", "ab")]
            .map(stack_of);
        assert_eq!(names, ["iso-x-1_b", "iso-x-1-aa_b", "iso-x-1-ab_b"]);
        for one in &names {
            assert!(names.iter().filter(|other| other.starts_with(one.as_str())).count() == 1);
        }
    }
}
