//! Follows private key blocks (PEM), which span lines, from BEGIN to END.

use memchr::memmem::find;

/// More bytes than any private key has. A block that is longer has probably no END, as in an error message that quotes
/// the BEGIN line. It must not swallow the rest of a log, so from here on only lines that look like base64 are left
/// out.
const LONGEST: usize = 64 * 1024;
/// A line that ends in this many base64 characters looks like more of such a key.
const LIKELY: usize = 32;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) enum Pem {
    #[default]
    Outside,
    /// Within a block, of which this many bytes have come.
    Within(usize),
}

/// What a line is.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// The line belongs to no key.
    Text,
    /// All of the line belongs to a key.
    Key,
    /// The line belongs to a key up to here, where the block ends; the rest does not.
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

/// The place behind the first `-----END ...-----` at or behind `from`.
pub(super) fn end(line: &[u8], from: usize) -> Option<usize> {
    let at = from + find(&line[from..], b"-----END ")?;
    let name = &line[at + 9..line.len().min(at + 80)];
    Some(find(name, b"-----").map_or(line.len(), |border| at + 9 + border + 5))
}

impl Pem {
    /// Takes the next line and says what it is.
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
