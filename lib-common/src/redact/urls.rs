//! Finds passwords in URLs: `scheme://user:password@host`. Scheme, user, host and path stay readable.

use memchr::memmem;

/// A longer text in front of `@` is no password.
const LONGEST: usize = 512;
/// The fewest characters of a token that stands alone in front of a host.
const TOKEN: usize = 16;

/// Calls `on` with the place of each password, and of each token that stands alone in front of a host.
pub(super) fn find(line: &[u8], mut on: impl FnMut(usize, usize)) {
    let mut from = 0;
    while let Some(at) = memmem::find(&line[from..], b"://").map(|at| from + at) {
        from = at + 3;
        let scheme = line[..at].iter().rev().take(20).take_while(|byte| is_scheme(**byte)).count();
        if scheme == 0 {
            continue;
        }
        let quote = (at - scheme).checked_sub(1).map(|at| line[at]);
        let ends = |byte: &u8| {
            byte.is_ascii_whitespace() || b"\"<>`".contains(byte) || (*byte == b'\'' && quote == Some(b'\''))
        };
        let text = &line[from..line.len().min(from + LONGEST)];
        let text = &text[..text.iter().position(ends).unwrap_or(text.len())];
        if let Some((start, end)) = secret(text) {
            on(from + start, from + end);
            from += end;
        }
    }
}

fn is_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+.-".contains(&byte)
}

/// The secret in what stands behind `://`.
fn secret(text: &[u8]) -> Option<(usize, usize)> {
    let authority = text.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(text.len());
    let colon = text.iter().take(authority).position(|byte| *byte == b':');
    // A password may have a slash too, if it is not a port that the colon begins.
    let end = match (memchr::memrchr(b'@', &text[..authority]), colon) {
        (Some(at), _) => at,
        (None, Some(colon)) if !is_port(&text[colon + 1..authority]) => {
            // A question mark begins a query only if a name with a value is behind it.
            let query = text.iter().position(|byte| *byte == b'?').filter(|at| text[*at..].contains(&b'='));
            let query = query.unwrap_or(text.len());
            memchr::memrchr(b'@', &text[..query]).filter(|at| is_host(&text[at + 1..]))?
        }
        _ => return None,
    };
    match colon.filter(|colon| *colon < end) {
        Some(colon) if end - colon > 1 => Some((colon + 1, end)),
        Some(_) => None,
        None => {
            let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.~-".contains(byte);
            let digits = text[..end].iter().any(u8::is_ascii_digit);
            (end >= TOKEN && digits && text[..end].iter().all(token)).then_some((0, end))
        }
    }
}

fn is_port(text: &[u8]) -> bool {
    text.len() <= 5 && text.iter().all(u8::is_ascii_digit)
}

fn is_host(text: &[u8]) -> bool {
    let name = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(byte)).count();
    name > 0 && text.get(name).is_none_or(|byte| b":/,".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_tokens_in_front_of_hosts() {
        for (text, found) in [
            ("postgres://bob:hunter22@db:5432/x", "hunter22"),
            ("see redis://:hunter22@db/0 there", "hunter22"),
            ("amqp://u:hun@ter22@db/0", "hun@ter22"),
            ("amqp://u:hun/ter22@db:5672/x", "hun/ter22"),
            ("'mysql://u:a\"b'", ""),
            ("https://0123456789abcdef0123@git.example/x", "0123456789abcdef0123"),
            ("mysql://u:hun?ter22@db/x", "hun?ter22"),
            ("https://git@git.example/x", ""),
            ("http://10.0.0.1:8080/mail?to=me@example.com", ""),
            ("http://10.0.0.1:8080/a@b", ""),
            ("http://example.com/a@b HTTP/1.1", ""),
            ("http://app:8080/x postgres://u:p4ss@db", "p4ss"),
            ("://u:p@h", ""),
        ] {
            let mut all = Vec::new();
            find(text.as_bytes(), |start, end| all.push(&text[start..end]));
            assert_eq!(all.concat(), found, "{text}");
        }
    }
}
