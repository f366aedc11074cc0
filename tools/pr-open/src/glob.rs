//! Path patterns: `*` and `?` within a path's part, `**` for any number of parts.

/// Whether `pattern` matches the whole of `path` (parts separated by `/`).
#[must_use]
pub fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    parts(&pattern, &path)
}

fn parts(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=path.len()).any(|skip| parts(rest, &path[skip..])),
        (Some((first, rest)), Some((part, others))) => {
            one(first.as_bytes(), part.as_bytes()) && parts(rest, others)
        }
        _ => false,
    }
}

/// Linear in practice: on a mismatch only the last star is tried again.
fn one(pattern: &[u8], text: &[u8]) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_expect() {
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
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("**/test_*.py", "mumble/testing.py"),
            ("*", "x/y"),
            ("**/tests/**", "x/contests/y"),
            ("a/?.rs", "a/xy.rs"),
            ("", "x"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }
}
