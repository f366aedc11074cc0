//! Glob patterns: `*` stands for any characters, `?` for one; in a path, `**` stands for any number of its parts. No
//! I/O.

/// Whether `pattern` matches the whole of `text`. After a mismatch only the last `*` takes one byte more and matching
/// goes on behind it: this needs no memory, and its time is linear in all but contrived cases.
#[must_use]
pub fn matches(pattern: impl AsRef<[u8]>, text: impl AsRef<[u8]>) -> bool {
    let (pattern, text) = (pattern.as_ref(), text.as_ref());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Whether `pattern` matches the whole of `path`, part by part between the `/`.
#[must_use]
pub fn matches_path(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    parts(&pattern, &path)
}

fn parts(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=path.len()).any(|skip| parts(rest, &path[skip..])),
        (Some((first, rest)), Some((part, others))) => matches(first, part) && parts(rest, others),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_as_people_expect() {
        for (pattern, name, expected) in [
            ("live_app", "live_app", true),
            ("live_app", "live_app2", false),
            ("live_*", "live_app", true),
            ("*", "", true),
            ("*_app", "warm_keycloak_app", true),
            ("w?rm*k*", "warm_keycloak", true),
            ("live?", "live", false),
            ("a*b*c", "a-b-b", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn paths_as_people_expect() {
        for (pattern, path) in [
            ("**/tests/**", "tests/a.py"),
            ("**/tests/**", "x/y/tests/z/a.py"),
            ("**/test_*.py", "test_a.py"),
            ("**/test_*.py", "mumble/custom/test_a.py"),
            ("**/*_test.*", "a/b_test.go"),
            ("a/?.rs", "a/x.rs"),
            ("*", "x"),
            ("**", "x/y"),
            ("*a*b*", "xxaxxbxaxb"),
        ] {
            assert!(matches_path(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("**/test_*.py", "mumble/testing.py"),
            ("*", "x/y"),
            ("**/tests/**", "x/contests/y"),
            ("a/?.rs", "a/xy.rs"),
            ("", "x"),
        ] {
            assert!(!matches_path(pattern, path), "{pattern} {path}");
        }
    }

    proptest! {
        #[test]
        fn a_name_without_wildcards_matches_itself_alone(name in "[a-z_]{1,12}", other in "[a-z_]{1,12}") {
            prop_assert!(matches(&name, &name));
            prop_assert_eq!(matches(&name, &other), name == other);
        }

        #[test]
        fn any_glob_ends(glob in "[*?ab]{0,20}", name in "[ab]{0,40}") {
            let _ = matches(glob, name);
        }
    }
}
