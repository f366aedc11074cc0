//! Decides by a value itself whether it is a secret: random text is one, a word, a number, a path or an address is none.

use super::words::{LISTS, has};

/// Whether a value under a secret's name is none: a switch, what stands for a hidden or absent value, a variable, the
/// path at which a secret is mounted.
#[must_use]
pub fn is_harmless(value: &str) -> bool {
    let value = value.trim();
    let within = |open: char, close: char| value.starts_with(open) && value.ends_with(close);
    let variable = value.strip_prefix('$').is_some_and(|rest| {
        let name = rest.trim_matches(['{', '}', '(', ')']);
        let of = |is: fn(&u8) -> bool| name.bytes().all(|byte| is(&byte) || byte == b'_');
        let upper = of(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        rest.starts_with('{') || upper || of(u8::is_ascii_lowercase)
    });
    let masked = value
        .chars()
        .next()
        .is_some_and(|first| "*xX•.#-?".contains(first) && value.chars().all(|c| c == first));
    let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphabetic());
    let placed = within('<', '>')
        || within('[', ']') && word(value.trim_matches(['[', ']']))
        || value.starts_with("{{")
        || within('%', '%')
        || value.starts_with("[REDACTED");
    let verb = value.len() <= 3 && value.starts_with('%');
    has(&LISTS.switches, value) || variable || masked || placed || verb || is_path(value)
}

/// A path of a file: none of its parts looks like a secret.
fn is_path(value: &str) -> bool {
    let rooted = ["/", "./", "../", "~/", "file:", "C:\\"].iter().any(|root| value.starts_with(root));
    rooted
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-~:\\@".contains(&byte))
        && (value.starts_with("/run/secrets/")
            || !value.split(['/', '\\', '.', ':', '-', '_', '~', '@']).any(is_mixed))
}

/// Whether a secret's value is an ordinary word or number. To replace it everywhere would make logs unreadable and
/// protect nothing.
#[must_use]
pub fn is_ordinary(value: &str) -> bool {
    value.parse::<u32>().is_ok() || has(&LISTS.ordinary, value)
}

/// A word that says how it is about a secret.
pub(super) fn is_state(value: &str) -> bool {
    let word = value.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    has(&LISTS.states, word)
}

/// Several words, at least one of which makes a sentence of them.
pub(super) fn is_prose(value: &str) -> bool {
    let is_word = |word: &str| has(&LISTS.prose, word);
    let mut words = value.split_ascii_whitespace().map(|word| word.trim_matches([',', '.', ':', ';', '!']));
    value.trim().contains(' ') && words.any(is_word)
}

/// A call or a path of names in a program's text.
pub(super) fn is_code(value: &str) -> bool {
    let name = value.len()
        - value.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '.').len();
    let rest = &value[name..];
    name > 2
        && (rest.starts_with(['(', '['])
            || (value[..name].contains('.') && rest.trim_matches([';', ',', ')']).is_empty()))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text.split('-').all(is_hex)
}

/// An object of a swarm: 25 letters and digits, in lower case.
fn is_object_id(text: &str) -> bool {
    text.len() == 25 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Letters with digits behind them (`node12`), or digits with letters behind them (`512MiB`).
fn is_numbered(text: &str, most: usize) -> bool {
    let text = text.trim_matches(['_', '-', '.']);
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let behind = text.len() - letters;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = text.len() - digits;
    (letters > 0 && behind <= most && text.bytes().skip(letters).all(|byte| byte.is_ascii_digit()))
        || (digits > 0 && unit <= 4 && text.bytes().skip(digits).all(|byte| byte.is_ascii_alphabetic()))
}

/// One run of letters and digits that nobody would have made up: they are mixed, or upper and lower case are.
fn is_mixed(text: &str) -> bool {
    let text = text.trim_end_matches('=');
    if text.len() < 6 || is_numbered(text, 5) || is_method(text) {
        return false;
    }
    if is_hex(text) {
        return text.len() >= 32 && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    }
    let bytes = text.as_bytes();
    let has = |is: fn(&u8) -> bool| bytes.iter().any(is);
    if has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) {
        return !is_object_id(text);
    }
    let turns =
        bytes.windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()).count();
    text.len() >= 10 && turns * 5 >= text.len()
}

/// Whether a text looks like a secret wherever it stands.
pub(super) fn is_random(value: &str) -> bool {
    let value = value.trim_matches(|c: char| c.is_ascii_whitespace() || "\"'.,;:()[]{}<>".contains(c));
    if value.len() < 8
        || value.contains([' ', '{', '"'])
        || value.contains("://")
        || is_uuid(value)
        || is_path(value)
    {
        return false;
    }
    if value.strip_prefix("0x").is_some_and(|digits| digits.len() < 32 && is_hex(digits)) {
        return false;
    }
    if value.starts_with("sha256:") || value.contains("@sha256:") || value.starts_with("SHA256:") {
        return false;
    }
    if is_address(value) || is_moment(value) {
        return false;
    }
    let separators = |c: char| "-_.:/@,=+~|\\".contains(c);
    let parts = value.split(separators);
    if parts.clone().any(is_mixed) {
        return true;
    }
    if is_restless(value) {
        return true;
    }
    // A password with signs within, none of which joins words.
    let signs = value.bytes().filter(|byte| b"!#$%^&*?".contains(byte)).count();
    let has = |is: fn(&u8) -> bool| value.as_bytes().iter().any(is);
    signs > 0 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && !value.contains("%s")
}

/// Whether upper case, lower case, digits and signs follow one another as nobody would write them.
fn is_restless(text: &str) -> bool {
    let class = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let has = |wanted: usize| text.bytes().any(|byte| class(byte) == wanted);
    let turns = text.as_bytes().windows(2).filter(|pair| class(pair[0]) != class(pair[1])).count();
    text.len() >= 10 && turns * 2 >= text.len() && has(0) && has(1) && has(2)
}

/// Several words with signs and digits in them, none of which makes a sentence.
pub(super) fn is_phrase(value: &str) -> bool {
    let signs = value.bytes().filter(|byte| b"!#$%^&*?@".contains(byte)).count();
    value.len() >= 10
        && value.contains(' ')
        && signs > 0
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && !is_prose(value)
}

/// Whether a text behind a secret's name and a colon is the secret: it has more than letters, and is no number, moment,
/// address or name of something.
pub(super) fn is_likely(value: &str) -> bool {
    let value = value.trim_matches(|c: char| c.is_ascii_whitespace() || "\"'.,;:()[]{}<>!?".contains(c));
    if value.len() < 4 || value.contains("://") || is_state(value) || is_moment(value) || is_address(value) {
        return false;
    }
    let bytes = value.as_bytes();
    let has = |is: fn(&u8) -> bool| bytes.iter().any(is);
    let letters = has(u8::is_ascii_alphabetic);
    let signs = bytes.iter().any(|byte| b"!@#$%^&*+=?~|".contains(byte));
    let units = is_numbered(value, 0);
    let case =
        bytes.windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()).count();
    let joined = value.split(['-', '_', '.']).filter(|part| part.len() > 2).count();
    letters && !units && (has(u8::is_ascii_digit) || signs || case > 1)
        || value.len() >= 20 && !value.contains(['_', '.', '/'])
        || joined >= 4 && !value.contains(['_', '.', '/'])
        || !letters && bytes.len() >= 6 && bytes.iter().all(u8::is_ascii_digit)
}

/// Whether what an environment sets may be a secret: letters and digits, and no number, path, address or name with a
/// number behind it.
pub(super) fn is_set(value: &str) -> bool {
    value.len() >= 6
        && is_likely(value)
        && !is_numbered(value, 1)
        && !value.contains(['/', ' ', ','])
        && !is_method(value)
}

fn is_method(text: &str) -> bool {
    has(&LISTS.methods, text)
}

/// `name_v3`: a secret's own name, as stacks have them.
pub(super) fn is_versioned(value: &str) -> bool {
    value.rsplit_once("_v").is_some_and(|(name, version)| {
        !version.is_empty()
            && version.bytes().all(|byte| byte.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte))
    })
}

/// A version, also as a range of versions: `^9.0.2`, `>=1.2.0-rc1`.
pub(super) fn is_version(value: &str) -> bool {
    let value = value.trim_start_matches(['^', '~', '>', '=', '<', ' ']);
    value.bytes().filter(|byte| *byte == b'.').count() > 1 && is_address(value)
}

/// Numbers, dots and colons, also with a port, a version's `v` or a size's unit.
fn is_address(value: &str) -> bool {
    let value = value.trim_start_matches('v');
    let (digits, others) = value.bytes().fold((0, 0), |(digits, others), byte| {
        if byte.is_ascii_digit() || b".:/,-+".contains(&byte) {
            (digits + 1, others)
        } else {
            (digits, others + 1)
        }
    });
    value.contains(['.', ':', '/'])
        && others * 6 < digits
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:/,-+%".contains(&byte))
}

/// A date, a time or a duration.
fn is_moment(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let date = value.len() >= 8
        && digits >= 6
        && value.as_bytes()[..4].iter().all(u8::is_ascii_digit)
        && value.as_bytes()[4] == b'-';
    let units = value.bytes().all(|byte| byte.is_ascii_digit() || b"hmsdnu.".contains(&byte));
    date || (units && 0 < digits && digits < value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_and_ordinary() {
        for value in
            ["True", "/run/secrets/x", "${DB_PASSWORD}", "$DB", "***", "<nil>", "/etc/app/key.pem", "xxxx"]
        {
            assert!(is_harmless(value), "{value}");
        }
        for value in ["hunter2", "/k29dLqP+w0x7", "$2y$10$abc", "/Xk29dLpQ8w/abc"] {
            assert!(!is_harmless(value), "{value}");
        }
        assert!(is_ordinary("Postgres") && is_ordinary("12345") && !is_ordinary("hunter2hunter"));
    }

    #[test]
    fn random_is_what_nobody_would_make_up() {
        for value in [
            "Rq29dLqPw0x7",
            "p@ss!W0rd#9x",
            "0123456789abcdef0123456789abcdef",
            "c3ZjOkh1bnRlcjk5UHc=",
            "hvs.CAESIJ8xk2",
        ] {
            assert!(is_random(value), "{value}");
        }
        for value in [
            "authentication",
            "db_root_v3",
            "6f1c9c5e-7f0a-4f6e-9a53-0d8a4b1a7c11",
            "3f4e1a9b0c7d",
            "10.0.0.3:5432",
            "users:list:42",
            "2026-03-12T10:00:00Z",
            "HTTP/1.1",
            "postgres16",
            "xq1v8z0m3k2j7h6g5f4d3s2a1",
            "PasswordCredentialProvider",
            "https://id.example/token2x9",
            "512MiB",
        ] {
            assert!(!is_random(value), "{value}");
        }
    }

    #[test]
    fn likely_behind_a_name() {
        for value in ["hunter22", "Sx29dLqPw0x7", "p@ss", "1234567", "correct-horse-battery-staple"] {
            assert!(is_likely(value), "{value}");
        }
        for value in
            ["expired", "incorrect", "3h12m", "512MiB", "17", "2026-03-12", "not-found", "10.0.0.1:53"]
        {
            assert!(!is_likely(value), "{value}");
        }
    }

    #[test]
    fn prose_and_code() {
        assert!(
            is_prose("must be at least 12 characters")
                && !is_prose("correct horse battery")
                && !is_prose("not")
        );
        assert!(is_code("os.Getenv(\"TOKEN\")") && is_code("req.body.password;") && !is_code("hunter22"));
    }
}
