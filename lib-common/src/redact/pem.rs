//! Private key blocks, which span lines: from BEGIN to END.

use memchr::memmem::find;

/// No private key is longer. Beyond, only lines that look like more of it are left out: a BEGIN without an
/// END, as in an error message about a missing one, must not swallow the rest of a log.
const LONGEST: usize = 64 * 1024;
/// A word of so many base64 characters at the end of a line is taken for more of an endless key.
const LIKELY: usize = 32;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) enum Pem {
    #[default]
    Outside,
    /// Bytes of the block so far.
    Within(usize),
}

/// What a line means for the block.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Nothing: an ordinary line.
    Text,
    /// All of it belongs to a key.
    Key,
    /// Key up to here, where the block ends; the rest is text.
    EndsAt(usize),
}

/// The first `-----BEGIN ... PRIVATE KEY-----` at or behind `from`.
pub(super) fn begin(line: &[u8], from: usize) -> Option<usize> {
    let mut from = from;
    loop {
        let at = from + find(&line[from..], b"-----BEGIN ")?;
        let name = &line[at + 11..line.len().min(at + 80)];
        let border = find(name, b"-----")?;
        if find(&name[..border], b"PRIVATE KEY").is_some() {
            return Some(at);
        }
        from = at + 11;
    }
}

/// Behind the first `-----END ...-----` at or behind `from`.
pub(super) fn end(line: &[u8], from: usize) -> Option<usize> {
    let at = from + find(&line[from..], b"-----END ")?;
    let name = &line[at + 9..line.len().min(at + 80)];
    Some(find(name, b"-----").map_or(line.len(), |border| at + 9 + border + 5))
}

impl Pem {
    /// Takes a line while within a block.
    pub fn step(&mut self, line: &[u8]) -> Step {
        let Self::Within(before) = *self else { return Step::Text };
        if let Some(at) = end(line, 0) {
            *self = Self::Outside;
            return Step::EndsAt(at);
        }
        *self = Self::Within(before.saturating_add(line.len() + 1));
        if before > LONGEST && !is_likely(line) { Step::Text } else { Step::Key }
    }
}

fn is_likely(line: &[u8]) -> bool {
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    line.trim_ascii_end().iter().rev().take_while(|byte| base64(byte)).count() >= LIKELY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders() {
        let line = b"x -----BEGIN CERTIFICATE----- -----BEGIN RSA PRIVATE KEY----- y";
        assert_eq!(begin(line, 0), Some(30));
        assert_eq!(begin(b"-----BEGIN OPENSSH PRIVATE KEY-----", 0), Some(0));
        assert_eq!(begin(b"-----BEGIN PGP PRIVATE KEY BLOCK-----", 0), Some(0));
        assert_eq!(begin(b"-----BEGIN PUBLIC KEY-----", 0), None);
        assert_eq!(end(b"ab-----END PRIVATE KEY-----cd", 0), Some(27));
    }

    #[test]
    fn a_begin_without_an_end_does_not_swallow_the_log() {
        let mut pem = Pem::Within(0);
        let key = [b'k'; 64];
        assert_eq!(pem.step(b"short"), Step::Key);
        (0..=LONGEST / key.len()).for_each(|_| assert_eq!(pem.step(&key), Step::Key));
        assert_eq!((pem.step(b"server started"), pem.step(&key)), (Step::Text, Step::Key));
        assert_eq!(pem.step(b"-----END PRIVATE KEY-----"), Step::EndsAt(25));
        assert_eq!(pem.step(&key), Step::Text);
    }
}
